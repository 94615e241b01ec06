"""What an experiment is: a published table or figure, a plan, and how its finding is told."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vitreous.errors import UserError
from vitreous.experiments.class_table import ClassTable
from vitreous.experiments.collection import Collection
from vitreous.experiments.finding import Finding
from vitreous.experiments.paper_grid import PaperGrid
from vitreous.experiments.results import Place, Results
from vitreous.experiments.trial import Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from vitreous.train.config import TrainConfig

ScaleName = Literal["pocket", "lab"]


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A size at which an experiment is run.

    Attributes:
        what: What is trained and measured there, in words; it stands over the values.
        minutes: That the whole takes, as far as it was measured.
        seeds: Where the user does not say.
        gpu: Whether it is hopeless without one.
    """

    what: str
    minutes: float
    seeds: int = 3
    gpu: bool = False


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a plan is made from.

    Attributes:
        scale: `pocket` or `lab`.
        seeds: Runs of each row.
        data: The user's data sets.
        weights: A checkpoint or a folder of them, for experiments that take trained models.
    """

    scale: ScaleName
    seeds: int
    data: Collection
    weights: Path | None = None

    def each_seed(self) -> range:
        """The seeds, from 0."""
        return range(self.seeds)


@dataclass(frozen=True, kw_only=True)
class PaperRun:
    """One run of the paper, as a cluster would do it.

    Attributes:
        label: What tells it from the others; the model's name, or more.
        data: The set, such as JFT-300M.
        images: That it has.
        config: By the recipe.
        gpus: The number of them that share a step.
    """

    label: str
    data: str
    images: int
    config: "TrainConfig"
    gpus: int = 64


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One table or figure.

    Attributes:
        name: What the command calls it.
        title: A line that says what it asks.
        source: Where in the paper it stands.
        published_as: What the published values are values of.
        published: By row and column, in the units of the results; none where the paper prints
            no numbers.
        form: Format of a value, by column; the empty column stands for all others.
        published_form: Format of a published value, where the paper prints more digits.
        grid: The published table as the paper prints it, of experiments that measure the user's
            checkpoints for its rows.
        counted: Published rows whose cost `--scale paper` counts anew beside the grid.
        scales: Those that it can be run at.
        trials: The plan, seed by seed, so that a part of it is a whole table of fewer seeds.
        findings: What the results say of the paper's claims; pure.
        draw: The figure, drawn like the paper's, from the same results.
        drawn: Names of facts that the figure alone needs, such as pictures: no part of the JSON.
        paper: The runs of the paper itself, for `--scale paper`.
        timed: Whether speed is what it measures: nothing may run beside it.
        takes_weights: Whether `--weights` has a meaning for it.
        check: Refuses a setting that cannot be run, by what can be told before data are read.
        class_tables: The values class by class, a table for each model; of the published values
            alone where there are no results. A line for each value where not given.
    """

    name: str
    title: str
    source: str
    published_as: str = ""
    published: Mapping[Place, float] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=lambda: {"": ".1%"})
    published_form: str = ""
    grid: PaperGrid | None = None
    counted: Callable[[], Mapping[str, PaperRun]] | None = None
    scales: Mapping[ScaleName, Scale]
    trials: Callable[[Setting], Sequence[Trial]]
    findings: Callable[[Results], Sequence[Finding]]
    draw: "Callable[[Results], Figure] | None" = None
    drawn: tuple[str, ...] = ()
    paper: Callable[[], Sequence[PaperRun]] | None = None
    timed: bool = False
    takes_weights: bool = False
    check: Callable[[Setting], None] | None = None
    class_tables: Callable[[Results | None], Sequence[ClassTable]] | None = None

    def refuse(self, setting: Setting) -> None:
        """Refuse a setting that cannot be run, before anything is read.

        Raises:
            UserError: Weights are given and have no meaning here, or `check` refuses.
        """
        if setting.weights is not None and not self.takes_weights:
            raise UserError(
                f"{self.name} looks at no trained models and takes no --weights: leave out "
                f"--weights {setting.weights}"
            )
        if self.check is not None:
            self.check(setting)

    def scale(self, name: str) -> Scale:
        """How it is run at a scale.

        Raises:
            UserError: It is not.
        """
        if name not in self.scales:
            raise UserError(
                f"{self.name} has no --scale {name}: choose "
                f"{', '.join([*self.scales, *(['paper'] if self.paper or self.grid else [])])}"
            )
        return self.scales[name]  # type: ignore[index]

    def format(self, column: str, value: float) -> str:
        """A value as it stands in the table."""
        return format(value, self.form.get(column, self.form.get("", ".4g")))

    def format_published(self, column: str, value: float) -> str:
        """A published value with as many digits as the paper has."""
        return (
            format(value, self.published_form)
            if self.published_form
            else self.format(column, value)
        )
