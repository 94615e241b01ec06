"""Before the first step: fill in the config, split the data, make the model."""

from dataclasses import replace

import torch

from vitreous.data.sample import Dataset
from vitreous.data.split import apply_split, split_record, with_validation
from vitreous.errors import UserError
from vitreous.model.build import create_model, empty_model
from vitreous.model.vit import VisionTransformer
from vitreous.parallel.device import Engine, choose_engine
from vitreous.train.config import TrainConfig
from vitreous.train.memory import activation_bytes, free_for_activations, micro_batch_that_fits
from vitreous.train.run_folder import RunFolder, check_same
from vitreous.weights.adapt import adapt
from vitreous.weights.load import load


def prepare(
    config: TrainConfig, dataset: Dataset, folder: RunFolder, *, resume: bool
) -> tuple[TrainConfig, Dataset, Engine]:
    """Fill in what the config leaves open, split the data, and write both down; or read them."""
    if folder.check_free(resume=resume):
        begun = folder.read_config()
        # What was resolved from open fields stays as it was resolved.
        asked = replace(
            config,
            **{
                name: getattr(begun, name)
                for name in ("steps", "epochs", "micro_batch", "device", "precision")
                if getattr(config, name) in (None, "auto")
            },
        )
        check_same(asked, begun)
        class_names, parts = folder.read_split()
        if class_names != dataset.class_names:
            raise UserError(f"{config.data} has other classes now than when this run began")
        engine = choose_engine(begun.device, begun.precision)
        return begun, apply_split(dataset, parts), engine
    dataset = with_validation(dataset, config.validation_fraction, config.seed)
    if "train" not in dataset.parts:
        raise UserError(f"{config.data} has no train part: it has {', '.join(dataset.parts)}")
    engine = choose_engine(config.device, config.precision)
    config = config.with_length(len(dataset.parts["train"].labels))
    if config.micro_batch is None:
        parameters = sum(p.numel() for p in empty_model(config.model).parameters())
        needed = activation_bytes(config.model, engine)
        free = free_for_activations(parameters, engine)
        config = replace(config, micro_batch=micro_batch_that_fits(needed, free, config.batch_size))
    config = replace(config, device=engine.device.type, precision=engine.precision)
    folder.write_split(dataset.class_names, split_record(dataset))
    folder.write_config(config)
    return config, dataset, engine


def initial_model(config: TrainConfig, class_names: tuple[str, ...]) -> VisionTransformer:
    """The model at step 0: adapted from the config's weights, or random from its seed."""
    torch.manual_seed(config.seed)
    if config.weights is None:
        return create_model(config.model)
    model = adapt(
        load(config.weights),
        num_classes=len(class_names),
        image_size=config.model.image_size,
        class_names=class_names,
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
