"""A training run from a config to a complete run folder."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from vitreous.data.sample import Dataset
from vitreous.model.build import empty_model
from vitreous.model.classifier import Classifier
from vitreous.parallel.device import Engine, choose_engine
from vitreous.report.assemble import evaluate_part, write_run_report
from vitreous.train.config import TrainConfig
from vitreous.train.freeze import plain_tensors
from vitreous.train.loop import Loop
from vitreous.train.prepare import begun_before, initial_model, prepare
from vitreous.train.run_folder import RunFolder
from vitreous.train.stop import StopRequest
from vitreous.weights.adapt import adapt
from vitreous.weights.passport import Passport
from vitreous.weights.save import save


def train(
    config: TrainConfig, dataset: Dataset, out: Path, console: Console, *, resume: bool = False
) -> dict[str, Any] | None:
    """Train a model and leave a complete run folder.

    Starting point, in this order: the newest complete state of this run (`resume`), the weights
    that the config names, the paper's random initial values.

    Args:
        config: What to do; lengths, precision and micro batch are filled in and written down.
        dataset: Opened from `config.data`, less `config.excluded`.
        out: The run folder, new or to be resumed.
        console: For the bar and the lines.
        resume: Go on with the run that `out` holds, if it holds one.

    Returns:
        The report of the test part, or of the validation part where there is no test part; None
        where there is neither.

    Raises:
        UserError: Something the user can mend; nothing of an older run was overwritten.
        NonFiniteError: Loss or gradient stopped being finite; the last good state is on disk.
        StoppedError: The run was asked to stop and its state is on disk.
    """
    folder = RunFolder(out)
    begun = folder.check_free(resume=resume)
    if begun:
        config, dataset = begun_before(config, dataset, folder)
    engine = choose_engine(config.device, config.precision)
    if not begun:
        config, dataset = prepare(config, dataset, engine)
    model = initial_model(config, dataset.class_names)
    if not begun:
        folder.begin(config, dataset)
    loop = Loop(config, dataset, model, folder, engine, console)
    _announce(loop)
    for line in folder.checkpoints.restore(loop.state):
        console.print(line, highlight=False, soft_wrap=True)
    if loop.state.step:
        console.print(
            f"resumed at step {loop.state.step} of {config.steps}", highlight=False, soft_wrap=True
        )
    with loop.journal(), StopRequest() as request:
        loop.fit(request)
    if faults := loop.loader.faults.reasons:
        names = ", ".join(list(faults)[:10])
        console.print(
            f"{len(faults)} unreadable images were replaced: {names}",
            highlight=False,
            soft_wrap=True,
        )
    return _finish(loop)


def _announce(loop: Loop) -> None:
    """What will be done, before it is."""
    config, engine = loop.config, loop.engine
    parameters = sum(parameter.numel() for parameter in loop.state.model.parameters())
    lines = [
        *(f"{subject}: {words}" for subject, words in loop.dataset.notes.items()),
        f"{engine.device.type}, {engine.precision}: {engine.reason}",
        f"{config.model.name}, {parameters:,} parameters; {_sizes(loop)} images of "
        f"{loop.dataset.num_classes} classes; {loop.steps:,} steps of {config.batch_size} images"
        + (f" in pieces of {loop.micro_batch}" if loop.micro_batch < config.batch_size else ""),
    ]
    for line in lines:
        loop.console.print(line, highlight=False, soft_wrap=True)


def _finish(loop: Loop) -> dict[str, Any] | None:
    """Measure the result in float32, and write model and report."""
    config, dataset, folder, state = loop.config, loop.dataset, loop.folder, loop.state
    model = adapt(_result(loop), image_size=config.preprocessing.size, share=True).eval()
    passport = Passport(
        architecture=model.config,
        preprocessing=config.preprocessing,
        class_names=dataset.class_names,
        origin={
            "data": config.data,
            "recipe": config.recipe,
            "weights": config.weights,
            "steps": state.step,
            "seed": config.seed,
            **({"best_step": loop.standing.step} if config.keeps_best else {}),
        },
        multi_label=dataset.multi_label,
    )
    model.passport = passport
    part = next((name for name in ("test", "validation") if name in dataset.parts), None)
    if part is None:
        save(model, folder.model)
        return None
    engine = Engine(loop.engine.device, "float32", "the numbers are the model's own")
    report, answers = evaluate_part(model, dataset, part, engine, bad_limit=config.bad_limit)
    report |= {"run": folder.path.name, "seconds": state.seconds}
    if config.excluded:
        report["excluded"] = list(config.excluded)
    told = ("part", "accuracy", "map", "loss", "num_images")
    measured = {name: report[name] for name in told if name in report}
    save(model, folder.model, replace(passport, metrics=measured))
    write_run_report(
        folder.path,
        model,
        dataset,
        report,
        answers,
        engine,
        history=loop.log.history,
        facts=_facts(loop),
    )
    return report


def _result(loop: Loop) -> Classifier:
    """What the run hands over, as an ordinary model: the last weights, or the best."""
    tensors = loop.state.result.state_dict()
    if loop.config.keeps_best and (step := loop.standing.step) is not None:
        tensors = loop.folder.best.read(step)
    model = empty_model(loop.config.model)
    model.load_state_dict(plain_tensors(tensors, loop.config.tuning), assign=True)
    return model


def _facts(loop: Loop) -> dict[str, str]:
    config = loop.config
    unreadable = loop.loader.faults.reasons
    excluded = {"Excluded from training": f"{len(config.excluded):,} images"}
    return {
        "Recipe": config.recipe,
        "Images": _sizes(loop),
        **(excluded if config.excluded else {}),
        "Unreadable in training": "; ".join(unreadable) or "none",
        "Length": f"{loop.state.step:,} steps of {config.batch_size} images, "
        f"{loop.state.step * config.batch_size / loop.images:.1f} epochs",
        **_told(loop),
        "Optimiser": f"{config.optimizer.name}, learning rate {config.optimizer.learning_rate:g}, "
        f"weight decay {config.optimizer.weight_decay:g}",
        "Trained in": loop.engine.precision,
        "Seed": str(config.seed),
    }


def _told(loop: Loop) -> dict[str, str]:
    """What is not as in every run."""
    config = loop.config
    told = {}
    if config.tuning.train != "all":
        told["Learns"] = config.tuning.train.replace("_", " ")
    if config.keeps_best:
        told["Weights"] = f"of the best validation, after {loop.standing.step:,} steps"
    if config.class_weights != "equal":
        told["Class weights"] = "in inverse proportion to how often a class occurs"
    return told


def _sizes(loop: Loop) -> str:
    parts = loop.dataset.parts.items()
    return ", ".join(f"{len(part.labels):,} {name}" for name, part in parts)
