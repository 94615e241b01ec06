import pytest

from vitreous.experiments.cluster import IMAGENET21K, JFT, count, paper_run
from vitreous.train.recipes.pretraining import paper_imagenet21k, paper_jft


def test_operations_and_steps_are_the_papers() -> None:
    """Table 6: ViT-B/32 55 exaFLOPs, R50x1 50; 7 epochs of JFT-300M."""
    vit, resnet = count(
        [paper_run(JFT, name, paper_jft, label=name) for name in ("ViT-B/32", "BiT-R50x1")]
    )
    assert vit.exaflops == pytest.approx(55, rel=0.03)
    assert resnet.exaflops == pytest.approx(50, rel=0.05)
    assert vit.steps == round(7 * 303e6 / 4096)
    assert vit.plan.startswith("ddp")


def test_a_share_is_a_shorter_run() -> None:
    whole, tenth = (
        paper_run(IMAGENET21K, "ViT-B/32", paper_imagenet21k, share=s) for s in (1, 0.1)
    )
    assert tenth.images == round(whole.images / 10)
    assert tenth.data == "1M of ImageNet-21k"
    assert whole.label == "ViT-B/32"
