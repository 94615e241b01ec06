"""BiT-HyperRule: one rule for transfer, told by the size of the data."""

from vitreous.data.augmentation import Augmentation
from vitreous.data.bit_rule import bit_rule
from vitreous.train.config import OptimizerConfig, ScheduleConfig, TrainConfig
from vitreous.train.recipes.facts import Facts, are_glyphs, tuned_model

# Where images differ in size they are photographs, larger than the rule's small ones.
_PHOTOGRAPH = (512, 512)


def bit_transfer(facts: Facts) -> TrainConfig:
    """BiT-HyperRule (arXiv 1912.11370, section 3.3), for ResNets; the paper's baselines use it too.

    vitreous train DATA --weights BiT-M-R50x1.npz --recipe bit-transfer --out RUN

    Time: not measured.
    Score: published, BiT-L R152x4 from JFT: ImageNet 87.54, CIFAR-10 99.37, CIFAR-100 93.51, Pets
    96.62, Flowers 99.63 (the ViT paper's Table 2). Not measured here.

    SGD with momentum 0.9 at 0.003 for 512 images, no weight decay, batch 512; 500 steps below
    20,000 images, 10,000 below 500,000, else 20,000; the rate falls to a tenth after 30, 60 and
    90 % of them (short runs: 40, 60 and 80 %), after a warm-up of 500 steps (100 of the 500).
    Images under 96 x 96 pixels are resized to 160 and cropped at random to 128, others 512 and 480
    (448 and 384 for the smaller models in the text); mixup 0.1 from 20,000 images on.
    """
    chosen = bit_rule(facts.image_size or _PHOTOGRAPH, facts.num_images)
    model, rule = tuned_model(facts, "bit-transfer", (chosen.crop, chosen.crop))
    if facts.num_images < 20_000:
        steps, warmup, drops = 500, 0.2, (0.4, 0.6, 0.8)
    else:
        steps = 10_000 if facts.num_images < 500_000 else 20_000
        warmup, drops = 500 / steps, (0.3, 0.6, 0.9)
    return TrainConfig(
        recipe="bit-transfer",
        data=facts.data,
        weights=facts.weights,
        model=model,
        preprocessing=rule,
        augmentation=Augmentation(
            window=chosen.window, flip=0.0 if are_glyphs(facts) else 0.5, mixup=chosen.mixup
        ),
        optimizer=OptimizerConfig(name="sgd", learning_rate=0.003, momentum=0.9),
        schedule=ScheduleConfig(shape="drops", warmup=warmup, drops=drops),
        steps=steps,
        batch_size=512,
    )
