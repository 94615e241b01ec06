"""Table 6: transfer of all models pretrained on JFT: the scaling study."""

from vitreous.experiments.published_transfer import grid6
from vitreous.experiments.transfer import transfer_experiment

EXPERIMENT = transfer_experiment(
    "table6",
    "transfer of all models pretrained on JFT: the scaling study",
    "Table 6",
    grid6(),
)
