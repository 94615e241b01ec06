"""How to train your ViT: augmentation and regularisation instead of more data."""

from vitreous.data.augmentation import Augmentation
from vitreous.train.config import OptimizerConfig, ScheduleConfig, TrainConfig
from vitreous.train.recipes.facts import Facts, asked_model, plain_rule
from vitreous.train.recipes.pretraining import warmup_share, with_pre_logits

_BATCH = 4096
_EPOCHS = 300.0
STRENGTHS = {
    "light1": (0.0, 0.0),
    "light2": (10.0, 0.2),
    "medium1": (15.0, 0.2),
    "medium2": (15.0, 0.5),
    "strong1": (20.0, 0.5),
    "strong2": (20.0, 0.8),
}
"""RandAugment's magnitude (of two operations) and mixup's alpha, by the paper's name."""
_CHOSEN = {"ViT-Ti/16": "light1", "ViT-S/32": "medium1"}


def augreg(facts: Facts) -> TrainConfig:
    """AugReg on ImageNet alone (arXiv 2106.10270), as big_vision's configs/vit_i1k.py has it.

    vitreous train IMAGENET --model ViT-S/16 --recipe augreg --out RUN

    Time: not measured; 93,800 steps.
    Score: not measured here; the paper's are in its Figure 4.

    300 epochs, batch 4096, Adam at 0.001 with weight decay 1e-4 apart from the rate (here 0.1,
    multiplied by it: the same at the peak), warm-up of 10,000 steps, cosine, clip at 1; a sigmoid
    for each class, the head's bias from -6.9; RandAugment and mixup by the model: `light1` for
    Ti/16, `medium1` for S/32, `medium2` for larger ones. Without dropout and stochastic depth, as
    in that config; the paper found them to help B and L. 1 % of the training images validate, where
    the data have no others for it.
    """
    model = with_pre_logits(asked_model(facts, "ViT-S/16"))
    magnitude, mixup = STRENGTHS[_CHOSEN.get(model.name, "medium2")]
    return TrainConfig(
        recipe="augreg",
        data=facts.data,
        model=model,
        preprocessing=plain_rule(model, crop_fraction=0.875),
        augmentation=Augmentation(
            crop_area=(0.05, 1.0),
            flip=0.5,
            policy="randaugment",
            operations=2,
            magnitude=magnitude,
            mixup=mixup,
        ),
        optimizer=OptimizerConfig(learning_rate=1e-3, weight_decay=0.1, clip=1.0),
        schedule=ScheduleConfig(
            warmup=warmup_share(facts.steps(_EPOCHS, _BATCH, facts.papers_hold_out))
        ),
        epochs=_EPOCHS,
        batch_size=_BATCH,
        loss="sigmoid",
        initial_bias=-6.9,
        validation_fraction=facts.papers_hold_out,
    )
