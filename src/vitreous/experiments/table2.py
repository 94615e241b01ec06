"""Table 2: transfer beside the state of the art: BiT-L R152x4 and Noisy Student too."""

from collections.abc import Mapping

from vitreous.experiments.cluster import IMAGENET21K, JFT, paper_run
from vitreous.experiments.experiment import PaperRun
from vitreous.experiments.published_transfer import grid2
from vitreous.experiments.transfer import transfer_experiment


def _counted() -> Mapping[str, PaperRun]:
    """The runs of the three ViTs: of BiT-L the paper and BiT's own name different lengths."""
    from vitreous.train.recipes.pretraining import paper_imagenet21k, paper_jft

    return {
        "ViT-H/14 JFT": paper_run(JFT, "ViT-H/14", paper_jft, epochs=14),
        "ViT-L/16 JFT": paper_run(JFT, "ViT-L/16", paper_jft, epochs=14),
        "ViT-L/16 I21k": paper_run(IMAGENET21K, "ViT-L/16", paper_imagenet21k, epochs=90),
    }


EXPERIMENT = transfer_experiment(
    "table2",
    "transfer beside the state of the art: BiT-L R152x4 and Noisy Student too",
    "Table 2",
    grid2(),
    _counted,
)
