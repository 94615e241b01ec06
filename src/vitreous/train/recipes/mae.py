"""Fine-tuning what was pretrained by masking: MAE's way."""

from dataclasses import replace

from vitreous.data.augmentation import Augmentation
from vitreous.errors import UserError
from vitreous.model.config import ViTConfig
from vitreous.train.config import OptimizerConfig, ScheduleConfig, TrainConfig
from vitreous.train.recipes.facts import Facts, tuned_model

_BATCH = 1024
# Rate for 256 images, decay by layer, epochs, stochastic depth; the last for anything larger.
_BASE = (5e-4, 0.65, 100.0, 0.1)
_LARGE = (1e-3, 0.75, 50.0, 0.2)
_HUGE = (1e-3, 0.75, 50.0, 0.3)


def mae_finetune(facts: Facts) -> TrainConfig:
    """MAE's fine-tuning with layer-wise decay (arXiv 2111.06377, appendix A.1).

    vitreous train IMAGENET --weights MAE.pth --recipe mae-finetune --out RUN

    Time: published: ViT-B 7 h 11 min, L 8 h 52 min on 32 V100, H 13 h 9 min on 64.
    Score: published, ImageNet: ViT-B 83.57 (mean of 4), L 85.87 (mean of 4), H 86.93. Not measured
    here.

    The values are those of facebookresearch/mae, FINETUNE.md: AdamW, batch 1024, rates 5e-4 (B) or
    1e-3 (L, H) for each 256 images, weight decay 0.05, layer decay 0.65 or 0.75, 5 epochs of
    warm-up, RandAugment of magnitude 9, mixup 0.8, cutmix 1, erasing 0.25, label smoothing 0.1,
    stochastic depth. The head reads the mean of the patches; MAE puts a new norm behind it, here
    the norm of the tokens stays.
    """
    model, rule = tuned_model(facts, "mae-finetune")
    if not isinstance(model, ViTConfig):
        raise UserError(f"recipe mae-finetune is for Transformers and {model.name} is none")
    by_width = _BASE if model.width <= 768 else _LARGE if model.width <= 1024 else _HUGE
    rate, layer_decay, epochs, depth_rate = by_width
    return TrainConfig(
        recipe="mae-finetune",
        data=facts.data,
        weights=facts.weights,
        model=replace(model, pooling="mean", stochastic_depth=depth_rate),
        preprocessing=rule,
        augmentation=Augmentation(
            crop_area=(0.08, 1.0),
            flip=0.5,
            policy="randaugment",
            magnitude=9.0,
            erase=0.25,
            mixup=0.8,
            cutmix=1.0,
        ),
        optimizer=OptimizerConfig(
            learning_rate=rate * _BATCH / 256, weight_decay=0.05, layer_decay=layer_decay
        ),
        schedule=ScheduleConfig(warmup=5 / epochs),
        epochs=epochs,
        batch_size=_BATCH,
        label_smoothing=0.1,
    )
