"""Before the first step: fill in the config, split the data, make the model."""

from dataclasses import replace

import torch

from vitreous.data.loader import check_channels
from vitreous.data.reading_lines import reading_lines
from vitreous.data.sample import Dataset
from vitreous.data.split import apply_split, with_validation
from vitreous.errors import UserError
from vitreous.model.build import create_model, empty_model
from vitreous.model.classifier import Classifier
from vitreous.model.resnet_config import ResNetConfig
from vitreous.parallel.collect import world_size
from vitreous.parallel.device import Engine
from vitreous.train.config import TrainConfig
from vitreous.train.few_shot import check_few_shot
from vitreous.train.freeze import tune
from vitreous.train.memory import (
    free_for_activations,
    free_for_training,
    micro_batch_that_fits,
)
from vitreous.train.plan import find_plan, image_bytes, piece_that_fits
from vitreous.train.run_folder import RunFolder, continued
from vitreous.weights.adapt import adapt
from vitreous.weights.load import load


def prepare(config: TrainConfig, dataset: Dataset, engine: Engine) -> tuple[TrainConfig, Dataset]:
    """Split the data and fill in what the config leaves open; nothing is written.

    Args:
        config: As it was asked for.
        dataset: As it is stored.
        engine: Device and precision that the config asked for.

    Raises:
        UserError: Data and config do not fit together, or the machine cannot hold the run.
    """
    check_channels(dataset.channels, config.preprocessing)
    if config.objective.supervised and config.model.num_classes != dataset.num_classes:
        raise UserError(
            f"model.num_classes is {config.model.num_classes} and {config.data} has "
            f"{dataset.num_classes} classes ({', '.join(dataset.class_names[:5])}...): leave it out"
        )
    dataset = with_validation(
        dataset, config.validation_fraction, config.seed, stratified=config.objective.supervised
    )
    if "train" not in dataset.parts:
        raise UserError(f"{config.data} has no train part: it has {', '.join(dataset.parts)}")
    if config.keeps_best and "validation" not in dataset.parts:
        raise UserError(
            "result best and patience go by a validation part, and there is none: give "
            "--validation_fraction, or leave them out"
        )
    parallel = config.parallel
    twice = parallel.compile and parallel.activation_checkpointing
    if twice and isinstance(config.model, ResNetConfig):
        raise UserError(
            "BatchNorm would count a batch twice where a compiled block is recomputed: leave out "
            "parallel.compile or parallel.activation_checkpointing"
        )
    if config.few_shot:
        check_few_shot(dataset, config.few_shot)
    reading = config.reading
    if dataset.multi_label:  # a table of new images must not be read as one label each
        reading = replace(reading, labels_per_image="several")
    config = replace(config, reading=reading, read_as=reading_lines(dataset))
    config = config.with_length(len(dataset.parts["train"].labels))
    if config.micro_batch is None:
        config = replace(config, micro_batch=_piece(config, engine))
    return replace(config, device=engine.device.type, precision=engine.precision), dataset


def _piece(config: TrainConfig, engine: Engine) -> int:
    """Images in memory at once, in each process.

    Raises:
        UserError: Not even one image fits; gives the plan that does, where there is one.
    """
    try:
        return _piece_as_asked(config, engine)
    except UserError as error:
        plan = find_plan(config, engine, world_size(), free_for_training(engine))
        every = plan.activation_checkpointing
        if every == config.parallel.activation_checkpointing:
            if world_size() == 1:  # counted for this optimiser, where the first look is for any
                return plan.micro_batch
            raise
        strategy = f" --parallel.strategy {plan.strategy}" if world_size() > 1 else ""
        raise UserError(
            f"{config.model.name} does not fit into memory as it is asked for, and this does: "
            f"--parallel.activation_checkpointing {every}{strategy} ({plan})"
        ) from error


def _piece_as_asked(config: TrainConfig, engine: Engine) -> int:
    if world_size() > 1:
        return piece_that_fits(config, engine, world_size(), free_for_training(engine))
    parameters = sum(p.numel() for p in empty_model(config.model).parameters())
    sizes = [(side, side) for side in config.schedule.sides] or [config.model.image_size]
    needed = max(image_bytes(config, engine, size) for size in sizes)
    free = free_for_activations(parameters, engine)
    return micro_batch_that_fits(needed, free, config.batch_size)


def begun_before(
    config: TrainConfig, dataset: Dataset, folder: RunFolder
) -> tuple[TrainConfig, Dataset]:
    """The resolved config of a run that is gone on with, and its data, split as it was.

    Raises:
        UserError: The config is not the run's, or the data has changed.
    """
    begun = continued(folder.read_config(), config)
    class_names, parts = folder.read_split()
    if class_names != dataset.class_names:
        raise UserError(f"{config.data} has other classes now than when this run began")
    return begun, apply_split(dataset, parts)


def initial_model(config: TrainConfig, class_names: tuple[str, ...]) -> Classifier:
    """The model at step 0: adapted from the config's weights, or random from its seed."""
    if not config.objective.supervised:
        class_names = ()
    torch.manual_seed(config.seed)
    model = _starting_point(config, class_names)
    if config.initial_bias:
        for name, parameter in model.head.named_parameters():
            if name.endswith("bias"):
                torch.nn.init.constant_(parameter, config.initial_bias)
    tune(model, config.tuning)
    return model


def _starting_point(config: TrainConfig, class_names: tuple[str, ...]) -> Classifier:
    if config.weights is None:
        return create_model(config.model)
    own = {n: getattr(config.model, n) for n in ("resample", "patch") if hasattr(config.model, n)}
    trained = load(config.weights)
    if config.keep_head:
        _check_layer_before_head(trained, config)
    model = adapt(
        trained,
        num_classes=len(class_names),
        class_names=class_names,
        keep_head=config.keep_head,
        image_size=config.model.image_size,
        channels=config.model.channels,
        share=True,
        **own,
    )
    # Built anew, for the config's dropout and stochastic depth.
    fresh = empty_model(config.model, device="cpu")
    try:
        fresh.load_state_dict(model.state_dict())
    except RuntimeError as error:
        raise UserError(
            f"{config.weights} holds another architecture than model.* says: leave model.* out"
        ) from error
    return fresh


def _check_layer_before_head(trained: Classifier, config: TrainConfig) -> None:
    """Rows of a head are of use behind the layer that they were learnt behind."""
    there, wanted = (getattr(c, "pre_logits", None) for c in (trained.config, config.model))
    if there != wanted:
        fix = f"--model.pre_logits {there}" if there else "--model.pre_logits none"
        raise UserError(f"keep_head keeps {config.weights}'s layers before its head: give {fix}")
