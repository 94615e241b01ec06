"""Fine-tuning on a task of VTAB-1k, by the paper's one setting for all 19."""

from dataclasses import replace

from vitreous.data.augmentation import Augmentation
from vitreous.train.config import ScheduleConfig, TrainConfig
from vitreous.train.recipes.facts import Facts, tuned_model
from vitreous.train.recipes.finetuning import finetune


def vtab(facts: Facts) -> TrainConfig:
    """The paper's fine-tuning on VTAB-1k tasks (Table 4, appendix B.1.1).

    vitreous train TASK --weights FILE --recipe vtab --out RUN
    vitreous vtab FILE --data SETS --method finetune --out RUNS

    Time: not measured.
    Score: published, mean of 19 tasks: ViT-H/14 from JFT 77.63, ViT-L/16 from JFT 76.28, from
    ImageNet-21k 72.72 (Table 2). Not measured here.

    One setting for all tasks: 2,500 steps at 0.01, 384 pixels, all 1,000 images; the paper chose it
    on the 200 validation images among two rates and two schedules. Images are resized to 448 and a
    window of 384 is taken at random, with a mirror, as BiT does; else as `finetune`.
    """
    tuned_model(facts, "vtab")  # where there are no weights, the message names this recipe
    return replace(
        finetune(facts),
        recipe="vtab",
        augmentation=Augmentation(window=448 / 384, flip=0.5),
        schedule=ScheduleConfig(shape="cosine", warmup=0.1),
        steps=2500,
        validation_fraction=0.0,
    )
