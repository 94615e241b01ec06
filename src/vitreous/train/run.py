"""A training run from a config to a complete run folder."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from vitreous.data.sample import Dataset, require_one_label
from vitreous.objective.contract import backbone_of
from vitreous.objective.masked_patch import MaskedPatch
from vitreous.parallel.device import Engine, choose_engine
from vitreous.report.assemble import evaluate_part, write_run_report
from vitreous.train.config import TrainConfig
from vitreous.train.loop import Loop
from vitreous.train.masked import report_masked
from vitreous.train.objectives import build_objective
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
    if config.objective.supervised:
        require_one_label(dataset, "training")
    folder = RunFolder(out)
    begun = folder.check_free(resume=resume)
    if begun:
        config, dataset = begun_before(config, dataset, folder)
    engine = choose_engine(config.device, config.precision)
    if not begun:
        config, dataset = prepare(config, dataset, engine)
    objective = build_objective(config, dataset, engine)
    model = objective.learner(initial_model(config, dataset.class_names))
    if not begun:
        folder.begin(config, dataset)
    loop = Loop(config, dataset, model, objective, folder, engine, console)
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
    model = backbone_of(loop.state.model)
    parameters, learnt = (sum(p.numel() for p in m.parameters()) for m in (model, loop.state.model))
    beside = f" and {learnt - parameters:,} beside it" if learnt > parameters else ""
    lines = [
        *(f"{subject}: {words}" for subject, words in loop.dataset.notes.items()),
        f"{engine.device.type}, {engine.precision}: {engine.reason}",
        f"{config.model.name}, {parameters:,} parameters{beside}; {_sizes(loop)} images of "
        f"{loop.dataset.num_classes} classes; {loop.steps:,} steps of {config.batch_size} images"
        + (f" in pieces of {loop.micro_batch}" if loop.micro_batch < config.batch_size else ""),
    ]
    for line in lines:
        loop.console.print(line, highlight=False, soft_wrap=True)


def _finish(loop: Loop) -> dict[str, Any] | None:
    """Measure the result in float32, and write model and report."""
    config, dataset, folder, state = loop.config, loop.dataset, loop.folder, loop.state
    result = backbone_of(state.result)
    model = adapt(result, image_size=config.preprocessing.size, share=True).eval()
    passport = Passport(
        architecture=model.config,
        preprocessing=config.preprocessing,
        class_names=dataset.class_names if config.objective.supervised else (),
        origin={
            "data": config.data,
            "objective": config.objective.kind,
            "recipe": config.recipe,
            "weights": config.weights,
            "steps": state.step,
            "seed": config.seed,
        },
    )
    model.passport = passport
    part = next((name for name in ("test", "validation") if name in dataset.parts), None)
    if part is None:
        save(model, folder.model)
        return None
    engine = Engine(loop.engine.device, "float32", "the numbers are the model's own")
    if isinstance(loop.objective, MaskedPatch):
        report = report_masked(loop, loop.objective, part, engine)
        measured = {name: report[name] for name in ("part", "loss", "num_images")}
        save(model, folder.model, replace(passport, metrics=measured))
        return report
    report, answers = evaluate_part(model, dataset, part, engine, bad_limit=config.bad_limit)
    report |= {"run": folder.path.name, "seconds": state.seconds}
    if config.excluded:
        report["excluded"] = list(config.excluded)
    measured = {name: report[name] for name in ("part", "accuracy", "loss", "num_images")}
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


def _facts(loop: Loop) -> dict[str, str]:
    config = loop.config
    unreadable = loop.loader.faults.reasons
    excluded = {"Excluded from training": f"{len(config.excluded):,} images"}
    return {
        "Recipe": config.recipe,
        "Images": _sizes(loop),
        **(excluded if config.excluded else {}),
        "Unreadable in training": "; ".join(unreadable) or "none",
        "Length": f"{loop.steps:,} steps of {config.batch_size} images, "
        f"{loop.steps * config.batch_size / loop.images:.1f} epochs",
        "Optimiser": f"{config.optimizer.name}, learning rate {config.optimizer.learning_rate:g}, "
        f"weight decay {config.optimizer.weight_decay:g}",
        "Trained in": loop.engine.precision,
        "Seed": str(config.seed),
    }


def _sizes(loop: Loop) -> str:
    parts = loop.dataset.parts.items()
    return ", ".join(f"{len(part.labels):,} {name}" for name, part in parts)
