"""What a cluster would run: the paper's own runs by their recipes, counted and not trained."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from vitreous.experiments.experiment import PaperRun
from vitreous.model.config import ModelConfig
from vitreous.model.cost import count_parameters
from vitreous.model.variants import variant_config
from vitreous.parallel.device import Engine
from vitreous.train.config import TrainConfig
from vitreous.train.plan import find_plan
from vitreous.train.recipes.facts import Facts, Recipe
from vitreous.train.schedule import phases
from vitreous.train.spent import Spent

JFT = ("JFT-300M", 303_000_000, 18_291)
"""Name, images and classes; the set is Google's own."""
IMAGENET21K = ("ImageNet-21k", 12_400_000, 21_843)
"""Less what was merged as duplicates (google-research/vision_transformer, issue 28)."""
IMAGENET = ("ImageNet", 1_281_167, 1000)
"""ILSVRC-2012."""

_MEMORY = 72 << 30
# bfloat16 operations a second that training reaches on such a GPU, about 40 % of an A100's peak.
_SUSTAINED = 1.25e14


@dataclass(frozen=True)
class ClusterLine:
    """One run, counted.

    Attributes:
        label: The model's name, or more.
        data: Its training set.
        parameters: Learned numbers.
        images: That are seen.
        steps: Of the optimiser.
        batch_size: Images a step.
        exaflops: Operations, in 10^18.
        gpu_days: Of one A100 of 80 GB, at 40 % of its peak; an estimate.
        gpus: The number of them that share a step.
        plan: How they hold it.
    """

    label: str
    data: str
    parameters: int
    images: float
    steps: int
    batch_size: int
    exaflops: float
    gpu_days: float
    gpus: int
    plan: str


def paper_run(
    data: tuple[str, int, int],
    model: str | ModelConfig,
    recipe: Recipe,
    *,
    share: float = 1.0,
    epochs: float | None = None,
    learning_rate: float | None = None,
    label: str = "",
) -> PaperRun:
    """A run of the paper by its recipe.

    Args:
        data: Name, images and classes.
        model: A variant's name, or a config.
        recipe: Such as `paper_jft`.
        share: Of the images that it is run on, for subsets.
        epochs: The recipe's where not given; the warm-up keeps its steps.
        learning_rate: The recipe's where not given; the last one stays as it was.
        label: What tells it from the others; the model's name where not given.
    """
    name, images, classes = data
    config = variant_config(model) if isinstance(model, str) else model
    images = round(images * share)
    facts = Facts(
        data=name,
        num_images=images,
        num_classes=classes,
        channels=3,
        gpu=True,
        model=config.with_classes(classes),
    )
    subset = name if share == 1 else f"{images / 1e6:.0f}M of {name}"
    run = recipe(facts)
    if epochs is not None:
        assert run.epochs is not None
        schedule = replace(run.schedule, warmup=run.schedule.warmup * run.epochs / epochs)
        run = replace(run, epochs=epochs, schedule=schedule)
    if learning_rate is not None:
        optimizer = replace(run.optimizer, learning_rate=learning_rate)
        final = run.schedule.final * run.optimizer.learning_rate / learning_rate
        run = replace(run, optimizer=optimizer, schedule=replace(run.schedule, final=final))
    return PaperRun(label=label or config.name, data=subset, images=images, config=run)


def operations(run: PaperRun) -> float:
    """Floating-point operations of a run of the paper, forward and backward."""
    config = run.config.with_length(run.images)
    assert config.steps is not None
    stretches = phases(config.schedule, config.model.image_size, config.steps)
    spent = Spent(config.model, stretches, config.batch_size, tuning=config.tuning)
    return spent.flops(config.steps)


def count(runs: Sequence[PaperRun]) -> list[ClusterLine]:
    """Parameters, steps, operations and a memory plan of each; nothing is allocated."""
    return [_count(run) for run in runs]


def _count(run: PaperRun) -> ClusterLine:
    import torch

    config: TrainConfig = run.config.with_length(run.images)
    assert config.steps is not None
    flops = operations(run)
    engine = Engine(torch.device("cuda"), "bfloat16", "as on a cluster")
    plan = find_plan(config, engine, run.gpus, _MEMORY)
    return ClusterLine(
        label=run.label,
        data=run.data,
        parameters=count_parameters(config.model),
        images=config.steps * config.batch_size,
        steps=config.steps,
        batch_size=config.batch_size,
        exaflops=flops / 1e18,
        gpu_days=flops / _SUSTAINED / 86_400,
        gpus=run.gpus,
        plan=str(plan),
    )
