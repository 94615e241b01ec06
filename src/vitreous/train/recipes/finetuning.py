"""Fine-tuning as in the paper's Table 4, and by low-rank adapters."""

from dataclasses import replace

from vitreous.data.augmentation import Augmentation
from vitreous.errors import UserError
from vitreous.model.config import ModelConfig, ViTConfig
from vitreous.train.config import OptimizerConfig, ScheduleConfig, TrainConfig
from vitreous.train.recipes.facts import Facts, are_glyphs, tuned_model
from vitreous.train.tuning import TuningConfig


def finetune(facts: Facts) -> TrainConfig:
    """Fine-tuning as in the paper (section 3.2, Table 4, appendix B.1.1).

    vitreous train DATA --weights FILE --recipe finetune --out RUN
    vitreous train DATA --weights FILE --sweep learning_rate=0.001,0.003,0.01,0.03 --out RUN

    Time: not measured. Of the paper's, 20,000 steps on ImageNet are 8 epochs, 10,000 on CIFAR 102.
    Score: published, ViT-B/16 from ImageNet-21k: ImageNet 83.97, CIFAR-10 98.95, CIFAR-100 91.67,
    Pets 94.43, Flowers 99.38 (Table 5). Not measured here.

    SGD with momentum 0.9, cosine decay, clip at 1, no weight decay, batch 512, a zero head, 384
    pixels with the position grid resampled, and a patch kernel for the data's channels (Table 4).
    Steps by the size of the set: 500 below 20,000 images (Pets, Flowers), 10,000 below 500,000
    (CIFAR), else 20,000 (ImageNet). Warm-up of 500 steps is the official code's; here at most a
    tenth of the run. As in the paper a tenth of the training images (Pets, Flowers), 2 % (CIFAR) or
    1 % (ImageNet) validate, where the data have no others for it; its final runs trained on all:
    --validation_fraction 0. The paper sweeps 0.001, 0.003, 0.01 and 0.03, on ImageNet 0.003, 0.01,
    0.03 and 0.06; 0.01 lies in every sweep.
    """
    model, rule = tuned_model(facts, "finetune", _looking_closer(facts))
    steps = 500 if facts.num_images < 20_000 else 10_000 if facts.num_images < 500_000 else 20_000
    return TrainConfig(
        recipe="finetune",
        data=facts.data,
        weights=facts.weights,
        model=model,
        preprocessing=rule,
        augmentation=Augmentation(crop_area=(0.05, 1.0), flip=0.0 if are_glyphs(facts) else 0.5),
        optimizer=OptimizerConfig(name="sgd", learning_rate=0.01, momentum=0.9, clip=1.0),
        schedule=ScheduleConfig(shape="cosine", warmup=min(500 / steps, 0.1)),
        steps=steps,
        batch_size=512,
        validation_fraction=facts.papers_hold_out,
    )


def finetune_512(facts: Facts) -> TrainConfig:
    """The ImageNet row of the paper's Table 2: 512 or 518 pixels, weights averaged at 0.9999.

    vitreous train IMAGENET --weights FILE --recipe finetune-512 --out RUN

    The paper sweeps: add --sweep learning_rate=0.003,0.01,0.03,0.06.

    Time: not measured.
    Score: published, ImageNet: ViT-H/14 from JFT 88.55, ViT-L/16 from JFT 87.76, from ImageNet-21k
    85.30 (Table 2). Not measured here.

    20,000 steps whatever the set, 518 = 37 x 14 pixels for a patch side of 14 and 512 for others;
    all else as `finetune`.
    """
    if facts.trained is None:
        raise UserError("recipe finetune-512 starts from weights: give --weights FILE")
    trained = facts.trained[0]
    side = 518 if isinstance(trained, ViTConfig) and trained.patch == 14 else 512
    model, rule = tuned_model(facts, "finetune-512", (side, side))
    return replace(
        finetune(facts),
        recipe="finetune-512",
        model=model,
        preprocessing=rule,
        schedule=ScheduleConfig(shape="cosine", warmup=500 / 20_000),
        steps=20_000,
        average=0.9999,
    )


def lora(facts: Facts) -> TrainConfig:
    """Low-rank adapters on a frozen encoder: little memory, and hard to spoil (arXiv 2106.09685).

    vitreous train DATA --weights FILE --recipe lora --out RUN

    Time: not measured.
    Score: not measured.

    Rank 8 beside queries, keys, values and projection, AdamW, cosine; the checkpoint's own size.
    Our choices: the source is of language models. The adapters are merged when the run ends.
    """
    model, rule = tuned_model(facts, "lora")
    return TrainConfig(
        recipe="lora",
        data=facts.data,
        weights=facts.weights,
        model=model,
        preprocessing=rule,
        augmentation=Augmentation(crop_area=(0.2, 1.0), flip=0.0 if are_glyphs(facts) else 0.5),
        optimizer=OptimizerConfig(learning_rate=1e-3, weight_decay=0.01, clip=1.0),
        schedule=ScheduleConfig(warmup=0.1),
        tuning=TuningConfig(train="lora"),
        epochs=20.0,
        batch_size=128,
        label_smoothing=0.1,
    )


def _looking_closer(facts: Facts) -> tuple[int, int] | None:
    """384 for a model of 224 pixels, and 12 / 7 of any smaller side; a larger one stays."""
    if facts.trained is None:
        return None
    trained: ModelConfig = facts.trained[0]
    height, width = (
        max(side, min(side * 12 // 7, 384)) // trained.side_step * trained.side_step
        for side in trained.image_size
    )
    return height, width
