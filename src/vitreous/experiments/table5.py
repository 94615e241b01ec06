"""Table 5: transfer by pretraining set: ImageNet, ImageNet-21k, JFT."""

from vitreous.experiments.published_transfer import grid5
from vitreous.experiments.transfer import transfer_experiment

EXPERIMENT = transfer_experiment(
    "table5",
    "transfer by pretraining set: ImageNet, ImageNet-21k, JFT",
    "Table 5",
    grid5(),
)
