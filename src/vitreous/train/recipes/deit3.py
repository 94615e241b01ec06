"""DeiT III: a supervised recipe for plain Transformers."""

from dataclasses import replace

from vitreous.data.augmentation import Augmentation
from vitreous.errors import UserError
from vitreous.model.config import ViTConfig
from vitreous.train.config import OptimizerConfig, ScheduleConfig, TrainConfig
from vitreous.train.recipes.facts import Facts, asked_model, plain_rule

_BATCH = 2048
_EPOCHS = 800.0
# By width: stochastic depth and the side of the training images.
_BY_WIDTH = {384: (0.05, 224), 768: (0.2, 192), 1024: (0.45, 192), 1280: (0.6, 160)}
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


def deit3(facts: Facts) -> TrainConfig:
    """DeiT III on ImageNet alone (arXiv 2204.07118; commands of facebookresearch/deit).

    vitreous train IMAGENET --model ViT-S/16 --recipe deit3 --out RUN

    Time: not measured; 500,000 steps.
    Score: published, at 224 pixels, by LAMB: ViT-S 81.4, B 83.8, L 84.9, H 85.2; B, L and H after
    20 more epochs at 224. Not measured here, where AdamW moves the weights.

    800 epochs, batch 2048, three-augment with colour jitter 0.3, mixup 0.8, cutmix 1, each image
    three times in a row, LayerScale from 1e-4, stochastic depth, a sigmoid for each class, warm-up
    of 5 epochs, cosine, weight decay 0.05; training at 224 (S), 192 (B, L) or 160 (H) pixels. LAMB
    is not in PyTorch: here AdamW at 0.002, DeiT's own rule of 5e-4 for each 512 images (arXiv
    2012.12877, Table 9). The loss is summed over classes, there their mean, which Adam's steps do
    not notice.
    """
    model = asked_model(facts, "ViT-S/16")
    if not isinstance(model, ViTConfig):
        raise UserError(f"recipe deit3 is for Transformers and {model.name} is none: use scratch")
    depth_rate, side = _BY_WIDTH.get(model.width, (0.05, 224))
    side -= side % model.side_step
    model = replace(
        model,
        image_size=(side, side),
        activation="gelu",
        layer_scale=1e-4,
        stochastic_depth=depth_rate,
        prefix_positions=False,
    )
    rule = plain_rule(model)
    if model.channels == 3:
        rule = replace(rule, mean=_IMAGENET_MEAN, std=_IMAGENET_STD)
    return TrainConfig(
        recipe="deit3",
        data=facts.data,
        model=model,
        preprocessing=rule,
        augmentation=Augmentation(
            crop_area=(0.08, 1.0),
            flip=0.5,
            policy="threeaugment",
            brightness=0.3,
            contrast=0.3,
            saturation=0.3,
            mixup=0.8,
            cutmix=1.0,
            repeats=3,
        ),
        optimizer=OptimizerConfig(learning_rate=2e-3, weight_decay=0.05),
        schedule=ScheduleConfig(warmup=5 / _EPOCHS),
        epochs=_EPOCHS,
        batch_size=_BATCH,
        loss="sigmoid",
    )
