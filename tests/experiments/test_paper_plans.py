"""What `--scale paper` counts: every run that the table or figure stands on."""

from dataclasses import replace

import pytest

from vitreous.cli.reproduce import told_memory
from vitreous.experiments import cluster
from vitreous.experiments.catalogue import find_experiment
from vitreous.experiments.cluster import ClusterLine, count
from vitreous.experiments.experiment import PaperRun
from vitreous.experiments.published_transfer import model_of, table6
from vitreous.train.config import TrainConfig
from vitreous.train.tuning import TuningConfig

# Of Table 6.
_EXAFLOPS = {
    "ViT-L/16, 7 epochs": 783,
    "BiT-R152x2, 14 epochs": 1126,
    "BiT-R200x3, 14 epochs": 3306,
}


@pytest.fixture(autouse=True)
def quick_plans(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan of memory takes seconds a model."""

    def plan(config: TrainConfig, *rest: object) -> str:
        return f"ddp for {config.model.num_classes} classes"

    monkeypatch.setattr(cluster, "find_plan", plan)


def runs(name: str) -> dict[str, PaperRun]:
    experiment = find_experiment(name)
    assert experiment.paper is not None
    return {f"{run.label} on {run.data}": run for run in experiment.paper()}


def test_figure5_has_a_run_for_each_row_of_table_6() -> None:
    rows = dict.fromkeys(row for row, _ in table6())
    planned = {run.label: run for run in runs("figure5").values()}
    assert planned.keys() == {f"{model_of(row)}, {row.rpartition(', ')[2]}" for row in rows}
    assert len(find_experiment("figure5").published) == len(planned)
    for line in count([planned[label] for label in _EXAFLOPS]):
        assert line.exaflops == pytest.approx(_EXAFLOPS[line.label], rel=0.05), line.label


def test_published_means_are_of_table_6() -> None:
    five = ("ImageNet", "CIFAR-10", "CIFAR-100", "Pets", "Flowers")
    rows = dict.fromkeys(row for row, _ in table6())
    means = sorted(sum(table6()[row, column] for column in five) / 5 for row in rows)
    assert sorted(find_experiment("figure5").published.values()) == pytest.approx(means, abs=1e-4)


def test_fewer_epochs_keep_the_steps_of_the_warm_up() -> None:
    short, long = (runs("figure5")[f"ViT-L/16, {epochs} epochs on JFT-300M"] for epochs in (7, 14))
    warmups = [run.config.schedule.warmup * run.config.epochs for run in (short, long)]
    assert warmups[0] == pytest.approx(warmups[1])


@pytest.mark.parametrize("name", ["figure5", "figure9", "figure10"])
def test_warm_up_and_last_rate_are_the_papers_whatever_was_replaced(name: str) -> None:
    for run in runs(name).values():
        config = run.config.with_length(run.images)
        assert config.schedule.warmup * config.steps == pytest.approx(10_000, rel=1e-4), run.label
        last = config.schedule.final * config.optimizer.learning_rate
        assert last == pytest.approx(1e-5), run.label


def test_the_mean_has_a_linear_head() -> None:
    layers = {label: run.config.model.pre_logits for label, run in runs("figure9").items()}
    assert layers == {
        "class token, 8e-4 on JFT-300M": 768,
        "mean, 8e-4 on JFT-300M": None,
        "mean, 3e-4 on JFT-300M": None,
    }


def test_table7_has_both_optimisers() -> None:
    planned = runs("table7")
    assert len(planned) == 4
    adam, sgd = (planned[f"BiT-R152x2, {name} on JFT-300M"].config for name in ("Adam", "SGD"))
    assert adam.optimizer.name == "adamw"
    assert adam.epochs == sgd.epochs == 7
    assert sgd.optimizer.learning_rate == pytest.approx(0.48)
    assert (sgd.optimizer.name, sgd.optimizer.weight_decay) == ("sgd", 1e-4)
    assert sgd.schedule.warmup * 517_822 == pytest.approx(5_000)
    assert len(sgd.schedule.drops) == 4


def test_figure4_has_the_small_b() -> None:
    model = runs("figure4")["ViT-b/32 on JFT-300M"].config.model
    assert (model.width, model.depth, model.mlp_width, model.patch) == (384, 12, 1536, 32)
    assert len(runs("figure4")) == 24


def test_figure8_has_every_curve_up_to_ten_times_the_base() -> None:
    base, *others = runs("figure8").values()
    largest = {run.label.partition(":")[0]: run for run in others}
    assert largest.keys() == {"depth", "width", "MLP width", "patch size", "all"}
    start, *ends = (line.exaflops for line in count([base, *largest.values()]))
    assert all(5 < end / start < 10 for end in ends)


def test_memory_names_the_data_where_classes_differ() -> None:
    line = ClusterLine("ViT-B/16", "ImageNet", 1, 1, 1, 1, 1.0, 1.0, 64, "ddp, 6.6 GiB")
    larger = replace(line, data="JFT-300M", plan="ddp, 6.8 GiB")
    assert told_memory([line, larger]) == [
        "ViT-B/16 on ImageNet: ddp, 6.6 GiB",
        "ViT-B/16 on JFT-300M: ddp, 6.8 GiB",
    ]
    assert told_memory([line, replace(line, data="9M of ImageNet")]) == ["ViT-B/16: ddp, 6.6 GiB"]


def test_a_head_alone_costs_a_forward_pass() -> None:
    head, whole = (
        replace(run, config=replace(run.config, tuning=TuningConfig(train=trained), weights="w"))
        for run in [runs("table8")["none on JFT-300M"]]
        for trained in ("head", "all")
    )
    cheap, dear = (line.exaflops for line in count([head, whole]))
    assert cheap == pytest.approx(dear / 3, rel=0.02)
