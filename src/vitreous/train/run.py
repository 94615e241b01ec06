"""A training run from a config to a complete run folder."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from vitreous.data.loader import check_shares
from vitreous.data.reading_lines import reading_lines
from vitreous.data.sample import Dataset
from vitreous.data.split import apply_split, split_record
from vitreous.errors import UserError
from vitreous.model.batch_norm import BatchNorm
from vitreous.model.build import empty_model
from vitreous.objective.contract import Objective, Trained, backbone_of
from vitreous.objective.masked_patch import MaskedPatch
from vitreous.parallel.collect import decide, gather_texts, rank, whole, world_size
from vitreous.parallel.device import Engine, choose_engine
from vitreous.parallel.environment import ranks
from vitreous.parallel.strategy import Strategy
from vitreous.report.assemble import evaluate_part, write_run_report
from vitreous.train.config import TrainConfig
from vitreous.train.freeze import plain_tensors
from vitreous.train.loop import Loop
from vitreous.train.masked import report_masked
from vitreous.train.objectives import build_objective
from vitreous.train.placement import choose_strategy, place
from vitreous.train.prepare import begun_before, initial_model, prepare
from vitreous.train.run_folder import RunFolder
from vitreous.train.stop import StopRequest, leaving_at_once
from vitreous.train.tracker import check_tracker
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
    folder, here = RunFolder(out), ranks()
    initial: Trained | None = None
    objective: Objective | None = None
    engine: Engine | None = None

    def settle() -> dict[str, Any]:
        """On the first rank alone: what will be done, and all that may still be refused."""
        nonlocal config, dataset, objective, initial, engine
        folder.check_free(resume=resume)
        held.enter_context(folder.locked())
        begun = folder.check_free(resume=resume)  # nobody else begins or ends one from here on
        if begun:
            config, dataset = begun_before(config, dataset, folder)
        engine = choose_engine(config.device, config.precision)
        if not begun:
            config, dataset = prepare(config, dataset, engine)
        check_shares(config.batch_size, world_size())
        check_tracker(config.logger)
        objective = build_objective(config, dataset, engine)
        initial = objective.learner(initial_model(config, dataset.class_names))
        if not begun:
            folder.begin(config, dataset)
        strategy = choose_strategy(config, engine)
        return {
            "begun": begun,
            "config": config.to_dict(),
            "split": split_record(dataset),
            "strategy": strategy,
        }

    with ExitStack() as held:
        settled = decide(settle)
        if rank():
            config = TrainConfig.from_dict(settled["config"])
            dataset = apply_split(dataset, settled["split"])
        engine = engine or choose_engine(config.device, config.precision)
        objective = objective or build_objective(config, dataset, engine)
        placement = place(initial, objective, config, settled["strategy"], engine)
        loop = Loop(config, dataset, placement, objective, folder, engine, console)
        _announce(loop, settled["strategy"])
        for line in folder.checkpoints.restore(loop.state) if settled["begun"] else ():
            console.print(line, highlight=False, soft_wrap=True)
        if loop.state.step:
            console.print(
                f"resumed at step {loop.state.step} of {config.steps}",
                highlight=False,
                soft_wrap=True,
            )
        with loop.journal(), StopRequest(patient=here.launched) as request:
            loop.fit(request)
        faults = _unreadable(loop)
        result, best = _whole_model(loop)
        if rank():
            return None
        if faults:
            console.print(
                f"{len(faults)} unreadable images were replaced: {', '.join(faults[:10])}",
                highlight=False,
                soft_wrap=True,
            )
        with leaving_at_once(loop.state.step):
            return _finish(loop, result, best, faults)


def _unreadable(loop: Loop) -> list[str]:
    """Names of the images that any rank could not read; for all ranks at once."""
    texts = gather_texts("\n".join(loop.loader.faults.reasons))
    return sorted({name for text in texts for name in text.split("\n") if name})


def _whole_model(loop: Loop) -> tuple[Trained, int | None]:
    """The result as a plain module, and the step of its validation where it is the best one's.

    Where the best weights are lost the last ones are taken, and that is told. For all ranks at
    once.
    """
    tensors = {name: whole(t).detach() for name, t in loop.state.result.state_dict().items()}
    best = loop.standing.step if loop.config.keeps_best and rank() == 0 else None
    if best is not None:
        try:
            tensors = loop.folder.best.read(best)
        except UserError as error:
            loop.console.print(
                f"{error}: the result are the last weights, and not the best",
                highlight=False,
                soft_wrap=True,
            )
            best = None
    model = loop.objective.learner(empty_model(loop.config.model))
    model.load_state_dict(plain_tensors(tensors, loop.config.tuning), assign=True)
    return model, best


def _announce(loop: Loop, strategy: Strategy) -> None:
    """What will be done, before it is."""
    config, engine = loop.config, loop.engine
    model = backbone_of(loop.state.model)
    parameters, learnt = (sum(p.numel() for p in m.parameters()) for m in (model, loop.state.model))
    beside = f" and {learnt - parameters:,} beside it" if learnt > parameters else ""
    lines = [
        *reading_lines(loop.dataset),
        f"{engine.device.type}, {engine.precision}: {engine.reason}",
        f"{config.model.name}, {parameters:,} parameters{beside}; {_sizes(loop)} images of "
        f"{loop.dataset.num_classes} classes; {loop.steps:,} steps of {config.batch_size} images"
        + (f" in pieces of {loop.micro_batch}" if loop.micro_batch < loop.loader.share else ""),
    ]
    cut = loop.micro_batch < loop.loader.share or strategy != "one"
    if cut and any(isinstance(module, BatchNorm) for module in model.modules()):
        pieces = min(loop.micro_batch, loop.loader.share)
        lines.append(f"BatchNorm takes its statistics of {pieces} images at a time")
    if strategy != "one":
        lines.append(f"{world_size()} processes by {strategy}, {loop.loader.share} images each")
    for line in lines:
        loop.console.print(line, highlight=False, soft_wrap=True)


def _finish(
    loop: Loop, result: Trained, best: int | None, unreadable: Sequence[str]
) -> dict[str, Any] | None:
    """Measure the result in float32, and write model and report."""
    config, dataset, folder, state = loop.config, loop.dataset, loop.folder, loop.state
    model = adapt(backbone_of(result), image_size=config.preprocessing.size, share=True).eval()
    passport = Passport(
        architecture=model.config,
        preprocessing=config.preprocessing,
        class_names=dataset.class_names if config.objective.supervised else (),
        origin={
            "data": config.data,
            "reading": {"lines": list(config.read_as), "options": config.reading.to_dict()},
            "objective": config.objective.kind,
            "recipe": config.recipe,
            "weights": config.weights,
            "steps": state.step,
            "seed": config.seed,
            **({"best_step": best} if config.keeps_best else {}),
        },
        multi_label=dataset.multi_label and config.objective.supervised,
    )
    model.passport = passport
    part = next((name for name in ("test", "validation") if name in dataset.parts), None)
    if part is None:
        save(model, folder.model)
        return None
    engine = Engine(loop.engine.device, "float32", "the numbers are the model's own")
    if isinstance(loop.objective, MaskedPatch):
        report = report_masked(loop, result.to(engine.device), part, engine)
        measured = {name: report[name] for name in ("part", "loss", "num_images")}
        save(model, folder.model, replace(passport, metrics=measured))
        return report
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
        facts=_facts(loop, best, unreadable),
    )
    return report


def _facts(loop: Loop, best: int | None, unreadable: Sequence[str]) -> dict[str, str]:
    config = loop.config
    excluded = {"Excluded from training": f"{len(config.excluded):,} images"}
    return {
        "Recipe": config.recipe,
        "Images": _sizes(loop),
        **_read_as(config),
        **(excluded if config.excluded else {}),
        "Unreadable in training": "; ".join(unreadable) or "none",
        "Length": f"{loop.state.step:,} steps of {config.batch_size} images, "
        f"{loop.state.step * config.batch_size / loop.images:.1f} epochs",
        **_told(config, best),
        "Optimiser": f"{config.optimizer.name}, learning rate {config.optimizer.learning_rate:g}, "
        f"weight decay {config.optimizer.weight_decay:g}",
        "Trained in": loop.engine.precision,
        "Seed": str(config.seed),
    }


def _read_as(config: TrainConfig) -> dict[str, str]:
    """The reading's lines by the words that head them."""
    lines = (line.partition(":") for line in config.read_as)
    return {f"Read: {heading}": words.strip() for heading, _, words in lines}


def _told(config: TrainConfig, best: int | None) -> dict[str, str]:
    """What is not as in every run."""
    told = {}
    if config.tuning.train != "all":
        told["Learns"] = config.tuning.train.replace("_", " ")
    if config.keeps_best:
        lost = "the last ones: those of the best validation are lost"
        told["Weights"] = lost if best is None else f"of the best validation, after {best:,} steps"
    if config.class_weights != "equal":
        told["Class weights"] = "in inverse proportion to how often a class occurs"
    return told


def _sizes(loop: Loop) -> str:
    parts = loop.dataset.parts.items()
    return ", ".join(f"{len(part.labels):,} {name}" for name, part in parts)
