"""Table 2: transfer beside the state of the art: BiT-L R152x4 and Noisy Student too."""

from vitreous.experiments.published_transfer import table2
from vitreous.experiments.transfer import transfer_experiment

EXPERIMENT = transfer_experiment(
    "table2",
    "transfer beside the state of the art: BiT-L R152x4 and Noisy Student too",
    "Table 2",
    table2(),
)
