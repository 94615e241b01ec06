"""The small reproduction that every student of the paper does: five flowers."""

from vitreous.data.augmentation import Augmentation
from vitreous.train.config import OptimizerConfig, ScheduleConfig, TrainConfig
from vitreous.train.recipes.facts import Facts, asked_model, plain_rule, tuned_model


def five_flowers(facts: Facts) -> TrainConfig:
    """Five flowers, ViT against ResNet: 200 epochs, batch 256, from 0.001 by cosine to 0.01 of it.

    vitreous train flower_photos_240.tar --recipe five-flowers --model ViT-B/16 --out RUN
    vitreous train flower_photos_240.tar --recipe five-flowers --model BiT-R50x1 --out RUN

    Time: not measured; 200 epochs of 2,936 photos are 2,294 steps.
    Score: not measured.

    With --weights it starts from a checkpoint, else from random weights. The optimiser is our
    choice, AdamW with clip at 1, since the reproduction's is not told; so are crops and mirrors.
    """
    if facts.weights is None:
        model = asked_model(facts, "ViT-B/16")
        rule = plain_rule(model)
    else:
        model, rule = tuned_model(facts, "five-flowers")
    return TrainConfig(
        recipe="five-flowers",
        data=facts.data,
        weights=facts.weights,
        model=model,
        preprocessing=rule,
        augmentation=Augmentation(crop_area=(0.2, 1.0), flip=0.5),
        optimizer=OptimizerConfig(learning_rate=1e-3, clip=1.0),
        schedule=ScheduleConfig(shape="cosine", warmup=0.0, final=0.01),
        epochs=200.0,
        batch_size=256,
    )
