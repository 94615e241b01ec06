"""From a config to what it learns from."""

import difflib
from dataclasses import replace

import torch

from vitreous.data.sample import Dataset
from vitreous.errors import UserError
from vitreous.evaluate.labels import match_classes, named_by_data
from vitreous.model.config import ViTConfig
from vitreous.objective.classify import Classification
from vitreous.objective.config import (
    OBJECTIVES,
    DistillationConfig,
    MAEConfig,
    MaskedPatchConfig,
    MaskingConfig,
)
from vitreous.objective.contract import Objective
from vitreous.objective.distill import Distillation, Teacher
from vitreous.objective.mae import MaskedAutoencoder
from vitreous.objective.masked_patch import MaskedPatch
from vitreous.parallel.device import Engine
from vitreous.train.config import TrainConfig
from vitreous.train.goal import choose_objective
from vitreous.weights.load import load
from vitreous.weights.passport import passport_of


def build_objective(config: TrainConfig, dataset: Dataset, engine: Engine) -> Objective:
    """The objective that the config names.

    Args:
        config: Of the run.
        dataset: Gives the names of the classes.
        engine: Gives the device of a teacher.
    """
    rule, chosen = config.preprocessing, config.objective
    if isinstance(chosen, MaskedPatchConfig | MAEConfig):
        assert isinstance(config.model, ViTConfig)
        patch = config.model.patch_size
        if isinstance(chosen, MAEConfig):
            return MaskedAutoencoder(chosen, rule, patch)
        return MaskedPatch(chosen, rule, patch)
    labels = choose_objective(config, dataset)
    if isinstance(chosen, DistillationConfig):
        if not isinstance(labels, Classification):
            raise UserError("objective distillation takes one label an image: give such data")
        return Distillation(chosen, labels, load_teacher(config, dataset, engine))
    return labels


def load_teacher(config: TrainConfig, dataset: Dataset, engine: Engine) -> Teacher:
    """The model that the config's objective learns from, its classes matched by name.

    Raises:
        UserError: It is not given, cannot be read, or has other classes or channels.
    """
    assert isinstance(config.objective, DistillationConfig)
    address = config.objective.teacher
    if not address:
        raise UserError("objective distillation: learn from whom? give --objective.teacher FILE")
    model = load(address)
    passport = passport_of(model)
    if model.config.num_classes == 0:
        raise UserError(f"--objective.teacher {address} has no head: give a classifier")
    if model.config.channels != config.model.channels:
        raise UserError(
            f"--objective.teacher {address} takes {model.config.channels} channels and the student "
            f"{config.model.channels}: give --objective.teacher of the same data"
        )
    passport = named_by_data(passport, dataset.class_names)
    places = match_classes(passport.class_names, dataset.class_names)
    columns = torch.from_numpy(places).to(engine.device)
    return Teacher(model.to(engine.device), passport.preprocessing, columns)


def with_objective(config: TrainConfig, kind: str) -> TrainConfig:
    """A recipe's config with another objective.

    One that reads no labels takes the model without its head, and leaves out what changes labels:
    mixup, cutmix, smoothing.

    Args:
        config: As a recipe made it, for classification.
        kind: Of the objective.

    Raises:
        UserError: No such objective, or one that cannot train this model.
    """
    if kind not in OBJECTIVES:
        nearest = difflib.get_close_matches(kind, OBJECTIVES, n=1)
        hint = f"did you mean {nearest[0]}? " if nearest else ""
        raise UserError(f"unknown objective {kind!r}: {hint}there are {', '.join(OBJECTIVES)}")
    if not issubclass(OBJECTIVES[kind], MaskingConfig):
        return replace(config, objective=OBJECTIVES[kind]())
    return replace(
        config,
        objective=OBJECTIVES[kind](),
        model=config.model.with_classes(0),
        augmentation=replace(config.augmentation, mixup=0.0, cutmix=0.0, erase=0.0),
        label_smoothing=0.0,
    )
