import threading
import time
from collections.abc import Callable, Iterable
from resource import RUSAGE_SELF, getrusage
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vitreous.data.augmentation import Augmentation
from vitreous.data.batch import Batch
from vitreous.data.faults import Faults
from vitreous.data.loader import EvaluationLoader, TrainingLoader, check_channels
from vitreous.data.preprocessing import Preprocessing
from vitreous.data.workers import Workers
from vitreous.errors import BadImageError, UserError

Memory = Callable[..., Any]
TWO = Workers(kind="threads", count=2)
RULE = Preprocessing(size=(4, 6))
EVERYTHING = Augmentation(
    crop_area=(0.5, 1.0), flip=0.5, rotate=10, contrast=0.2, mixup=0.2, cutmix=1.0
)


def training(part: Any, limit: float = 0.01, **options: Any) -> TrainingLoader:
    options = {"batch_size": 4, "seed": 0, "workers": TWO} | options
    faults = Faults(len(part.labels), limit)
    augmentation = options.pop("augmentation", EVERYTHING)
    return TrainingLoader(part, RULE, augmentation, faults=faults, **options)


def evaluation(part: Any, batch_size: int = 4, limit: float = 0.01) -> EvaluationLoader:
    faults = Faults(len(part.labels), limit)
    return EvaluationLoader(part, RULE, batch_size=batch_size, faults=faults, workers=TWO)


def same(one: Batch, other: Batch) -> bool:
    pairs = [(getattr(one, name), getattr(other, name)) for name in vars(one)]
    return all(a is b is None or torch.equal(a, b) for a, b in pairs)


def readers() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("vitreous-read")]


def test_a_batch_holds_what_it_says(memory: Memory) -> None:
    part = memory()
    for batch in training(part).batches(0, 5):
        assert batch.images.shape == (4, 3, 4, 6)
        assert batch.images.dtype == torch.uint8
        assert batch.mask.all()
        assert batch.movement.shape == (4, 2, 3)
        assert batch.colour.shape == (4, 3)
        # Each image is plain, of its own number.
        assert torch.equal(batch.images[:, 0, 0, 0].long(), batch.index)
        assert (batch.images == batch.images[:, :1, :1, :1]).all()
        assert torch.equal(batch.labels, torch.from_numpy(part.labels)[batch.index])


def test_what_is_not_asked_for_is_not_drawn(memory: Memory) -> None:
    part = memory()
    loader = TrainingLoader(
        part, RULE, Augmentation(), batch_size=4, seed=0, faults=Faults(10), workers=TWO
    )
    (batch,) = loader.batches(0, 1)
    assert batch.movement is None
    assert batch.colour is None


def test_hues_turn_where_there_are_colours(memory: Memory) -> None:
    def loader(channels: int) -> TrainingLoader:
        rule = Preprocessing(
            size=(4, 6), channels=channels, mean=(0.5,) * channels, std=(0.5,) * channels
        )
        part = memory(channels=channels)
        return TrainingLoader(
            part, rule, Augmentation(hue=0.2), batch_size=4, seed=0, faults=Faults(10), workers=TWO
        )

    (batch,) = loader(3).batches(0, 1)
    assert batch.colour[:, :3].eq(1).all()
    assert 0 < batch.colour[:, 3].abs().max() <= 0.2
    with pytest.raises(UserError, match="hue is for 3 channels and the data has 1: leave it out"):
        loader(1)


@pytest.mark.parametrize("batch_size", [1, 4, 10, 25])
def test_each_image_comes_once_an_epoch(memory: Memory, batch_size: int) -> None:
    batches = training(memory(10), batch_size=batch_size).batches(0, 50)
    index = torch.cat([batch.index for batch in batches])
    assert len(index) == 50 * batch_size
    for epoch in index.split(10):
        assert sorted(epoch.tolist()) == list(range(10))


@pytest.mark.parametrize("start", [1, 2, 3, 7])
def test_batches_depend_on_the_step_alone(memory: Memory, start: int) -> None:
    whole = list(training(memory()).batches(0, 8))
    late = list(training(memory()).batches(start, 8))
    assert all(same(one, other) for one, other in zip(whole[start:], late, strict=True))


def test_the_number_of_threads_changes_nothing(memory: Memory) -> None:
    class Uneven:
        """Reads that end in another order than they began."""

        def __init__(self) -> None:
            self.part = memory()
            self.labels, self.names = self.part.labels, self.part.names

        def read(self, index: int, min_side: int | None = None) -> np.ndarray:
            time.sleep(0.002 * (index % 3))
            return self.part.read(index)

    one = training(memory(), workers=Workers(kind="threads", count=1)).batches(0, 6)
    many = training(Uneven(), workers=Workers(kind="threads", count=8)).batches(0, 6)
    assert all(same(a, b) for a, b in zip(one, many, strict=True))


def test_the_seed_changes_the_order_and_the_draws(memory: Memory) -> None:
    (one,) = training(memory()).batches(0, 1)
    (other,) = training(memory(), seed=1).batches(0, 1)
    assert not torch.equal(one.index, other.index)
    assert not torch.equal(one.movement, other.movement)


def test_an_image_is_drawn_anew_in_each_epoch(memory: Memory) -> None:
    first, second = training(memory(4)).batches(0, 2)
    again = [(first.index == index).nonzero().item() for index in second.index]
    assert not any(
        torch.equal(a, b) for a, b in zip(first.movement[again], second.movement, strict=True)
    )


def test_an_unreadable_image_gives_its_place_to_another(memory: Memory) -> None:
    loader = training(memory(bad=(3,)))
    batches = list(loader.batches(0, 10))
    index = torch.cat([batch.index for batch in batches])
    assert 3 not in index.tolist()
    assert loader.faults.reasons == {"003": "broken"}
    good = torch.cat([b.index for b in training(memory()).batches(0, 10)])
    assert torch.equal(index[good != 3], good[good != 3]), "the others keep their places"
    late = training(memory(bad=(3,))).batches(5, 10)
    assert all(same(one, other) for one, other in zip(batches[5:], late, strict=True))


def test_over_the_limit_training_stops(memory: Memory) -> None:
    loader = training(memory(bad=(3, 4, 5)), limit=0.2)
    with pytest.raises(UserError, match="3 of 10 images cannot be read"):
        list(loader.batches(0, 10))
    assert not readers()


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("limit", [0.0, 1.0])
@pytest.mark.timeout(20)
def test_nothing_readable_ends_and_does_not_hang(memory: Memory, count: int, limit: float) -> None:
    part = memory(count, bad=tuple(range(count)))
    with pytest.raises(UserError, match=f"of {count} images cannot be read"):
        list(training(part, limit).batches(0, 10))
    with pytest.raises(UserError, match=f"of {count} images cannot be read"):
        list(evaluation(part, limit=limit))


@pytest.mark.parametrize("make", [lambda p: training(p).batches(0, 10**9), evaluation])
def test_leaving_early_leaves_no_thread(
    memory: Memory, make: Callable[[Any], Iterable[Batch]]
) -> None:
    batches = iter(make(memory(40)))
    next(batches)
    assert readers()
    batches.close()
    assert not readers()


def test_leaving_early_reads_nothing_more(memory: Memory) -> None:
    part = memory(100)
    read = part.read
    part.read = lambda *arguments: time.sleep(0.01) or read(*arguments)
    batches = training(part, batch_size=25, workers=Workers(kind="threads", count=1)).batches(0, 4)
    next(batches)
    batches.close()
    assert len(part.reads) <= 50, "the batch that was asked for, and what was begun meanwhile"


def test_the_size_may_change_on_the_way(memory: Memory) -> None:
    loader = training(memory())
    (usual,) = loader.batches(1, 2)
    (small,) = loader.batches(1, 2, size=(2, 3))
    assert small.images.shape == (4, 3, 2, 3)
    assert torch.equal(small.index, usual.index)
    assert torch.equal(small.movement, usual.movement)


def test_reading_stays_a_few_batches_ahead(memory: Memory) -> None:
    part = memory(100)
    batches = training(part, batch_size=2, workers=Workers(kind="threads", count=1)).batches(0, 50)
    next(batches)
    time.sleep(0.05)
    assert 2 <= len(part.reads) <= 2 * 5
    batches.close()


def test_a_fault_of_the_reader_itself_is_not_hidden(memory: Memory) -> None:
    part = memory()
    part.read = lambda *_: 1 / 0
    with pytest.raises(ZeroDivisionError):
        next(training(part).batches(0, 3))


@pytest.mark.parametrize("batch_size", [1, 3, 4, 10, 16])
def test_evaluation_sees_each_image_once(memory: Memory, batch_size: int) -> None:
    loader = evaluation(memory(10), batch_size)
    batches = list(loader)
    assert len(batches) == len(loader)
    assert all(len(batch) == batch_size for batch in batches)
    mask = torch.cat([batch.mask for batch in batches])
    index = torch.cat([batch.index for batch in batches])
    assert index[mask].tolist() == list(range(10))
    assert mask.tolist() == [place < 10 for place in range(len(mask))]
    images = torch.cat([batch.images for batch in batches])
    assert torch.equal(images[mask][:, 0, 0, 0], torch.arange(10, dtype=torch.uint8))
    assert not images[~mask].any()
    labels = torch.cat([batch.labels for batch in batches])[mask]
    assert labels.tolist() == [place % 3 for place in range(10)]
    assert [b.index.tolist() for b in loader] == [b.index.tolist() for b in batches], "again"


def test_evaluation_masks_and_counts_what_it_cannot_read(memory: Memory) -> None:
    loader = evaluation(memory(10, bad=(9,)))
    mask = torch.cat([batch.mask for batch in loader])
    assert mask.nonzero().flatten().tolist() == list(range(9))
    assert list(loader.faults.reasons) == ["009"]
    with pytest.raises(UserError, match="2 of 10"):
        list(evaluation(memory(10, bad=(0, 9))))


def test_evaluation_reads_at_full_scale(memory: Memory) -> None:
    sides = []

    class Full:
        names, labels = ["a"], np.zeros(1, np.int64)

        def read(self, index: int, min_side: int | None = None) -> np.ndarray:
            sides.append(min_side)
            return np.zeros((9, 9, 3), np.uint8)

    list(evaluation(Full()))
    next(training(Full(), augmentation=Augmentation()).batches(0, 1))
    assert sides[0] is None
    assert sides[1] > max(RULE.size)


def test_channels_are_checked() -> None:
    check_channels(3, RULE)
    with pytest.raises(UserError, match="the data has 1 channels and the model takes 3"):
        check_channels(1, RULE)


def test_a_bad_image_error_crosses_processes() -> None:
    kind, arguments = BadImageError("a.jpg", "cut short").__reduce__()
    assert str(kind(*arguments)) == "a.jpg: cut short"


@given(
    total=st.integers(1, 30),
    share=st.integers(1, 6),
    world_size=st.integers(1, 4),
    start=st.integers(0, 5),
    repeats=st.integers(1, 3),
)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_ranks_share_each_batch_whatever_their_number(
    memory: Memory, total: int, share: int, world_size: int, start: int, repeats: int
) -> None:
    """Position and draws are those of one process: a run goes on with any number of them."""
    batch_size = share * world_size
    asked = Augmentation(flip=0.5, rotate=10, repeats=repeats)

    def rows(rank: int, of: int) -> list[Batch]:
        loader = training(
            memory(total), batch_size=batch_size, augmentation=asked, rank=rank, world_size=of
        )
        return list(loader.batches(start, start + 3))

    for whole, *stretches in zip(
        rows(0, 1), *(rows(r, world_size) for r in range(world_size)), strict=True
    ):
        for name in ("index", "movement", "images"):
            parts = [getattr(stretch, name) for stretch in stretches]
            assert torch.equal(torch.cat(parts), getattr(whole, name))


@given(total=st.integers(1, 40), batch_size=st.integers(1, 9), world_size=st.integers(1, 5))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_evaluation_over_ranks_sees_each_image_once(
    memory: Memory, total: int, batch_size: int, world_size: int
) -> None:
    seen, lengths = [], set()
    for rank in range(world_size):
        loader = EvaluationLoader(
            memory(total),
            RULE,
            batch_size=batch_size,
            faults=Faults(total),
            workers=TWO,
            rank=rank,
            world_size=world_size,
        )
        batches = list(loader)
        lengths.add(len(batches))
        assert len(batches) == len(loader)
        seen += [n for batch in batches for n in batch.index[batch.mask].tolist()]
    assert sorted(seen) == list(range(total))
    assert len(lengths) == 1, "else the ranks would wait for one another"


def test_a_batch_that_ranks_cannot_share_evenly_is_refused(memory: Memory) -> None:
    with pytest.raises(UserError, match="batch_size 4 cannot be shared evenly by 5 processes"):
        training(memory(), rank=0, world_size=5)


def test_repeated_images_are_drawn_anew(memory: Memory) -> None:
    loader = training(memory(8), batch_size=6, augmentation=Augmentation(rotate=20, repeats=3))
    first, second = loader.batches(0, 2)
    index = torch.cat([first.index, second.index]).view(-1, 3)
    assert (index == index[:, :1]).all()
    assert len(index[:, 0].unique()) == 4
    assert len(first.movement.unique(dim=0)) == 6


class Synthetic:
    """A million tiny images that are made when they are read."""

    def __init__(self, total: int) -> None:
        self.names = range(total)
        self.labels = np.zeros(total, np.uint8).astype(np.int64)

    def read(self, index: int, min_side: int | None = None) -> np.ndarray:
        return np.full((6, 9, 3), index % 251, np.uint8)


def test_a_million_images_keep_memory_flat_and_the_position_is_a_number() -> None:
    part = Synthetic(1_000_000)
    step = 1_234_567
    begin = time.perf_counter()
    loader = training(part, batch_size=32)
    batches = loader.batches(step, step + 50)
    first = next(batches)
    assert time.perf_counter() - begin < 2, "restored, and a batch read"
    before = getrusage(RUSAGE_SELF).ru_maxrss
    rest = [batch.index for batch in batches]
    assert getrusage(RUSAGE_SELF).ru_maxrss - before < 20_000  # kilobytes
    again = training(part, batch_size=32).batches(step, step + 50)
    assert torch.equal(next(again).index, first.index)
    assert all(torch.equal(a.index, b) for a, b in zip(again, rest, strict=True))
