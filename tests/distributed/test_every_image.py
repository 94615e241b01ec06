"""Every image is trained on once an epoch, whoever reads it and however many train together."""

import json
import shutil

import pytest

from vitreous.durable import remove

STEPS, BATCH, IMAGES = 24, 96, 1150  # two epochs, which begin within a batch

# The command line, with a note of the images of each batch beside it.
PROGRAM = """
import json, os, sys
from vitreous.cli.main import main
from vitreous.parallel.collect import rank
from vitreous.train.loop import Loop

step = Loop._step

def noted(loop, batch):
    with open(f"{os.environ['NOTES']}-{rank()}", "a") as notes:
        print(json.dumps([loop.state.step, batch.index.tolist()]), file=notes)
    return step(loop, batch)

if __name__ == "__main__":
    Loop._step = noted
    sys.exit(main())
"""


@pytest.fixture
def trained_on(launch, tmp_path, monkeypatch):
    """Runs a training and gives the images of each step, over all ranks in order."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)

    def run(ranks, name, *options):
        notes = tmp_path / f"{name}-notes"
        monkeypatch.setenv("NOTES", str(notes))
        launch(
            ranks,
            name,
            *("--steps", STEPS, "--batch_size", BATCH, "--micro_batch", BATCH, *options),
            module=(program,),
        ).finish()
        columns = []
        for rank in range(ranks):
            lines = (tmp_path / f"{name}-notes-{rank}").read_text().splitlines()
            columns.append(dict(map(json.loads, lines)))
        assert all(column.keys() == columns[0].keys() for column in columns)
        return {step: sum((column[step] for column in columns), []) for step in columns[0]}

    return run


@pytest.mark.timeout(400)
def test_once_an_epoch_over_ranks_and_readers(trained_on, tmp_path):
    one = trained_on(1, "one", "--readers", 1)
    assert list(one) == list(range(STEPS))
    order = [image for batch in one.values() for image in batch]
    assert len(order) == STEPS * BATCH
    for epoch in (order[:IMAGES], order[IMAGES : 2 * IMAGES]):
        assert sorted(epoch) == list(range(IMAGES))
    for strategy, readers in (("ddp", 2), ("fsdp", 3)):
        options = ("--parallel.strategy", strategy, "--readers", readers, "--checkpoint_every", 20)
        assert trained_on(2, strategy, *options) == one
    # What two began, one goes on with, by other readers.
    shutil.copytree(tmp_path / "fsdp", tmp_path / "rest")
    for name in ("model.safetensors", f"checkpoints/step-{STEPS:09}"):
        remove(tmp_path / "rest" / name)
    rest = trained_on(1, "rest", "--checkpoint_every", 20, "--readers", 4, "--resume")
    assert rest == {step: one[step] for step in range(20, STEPS)}
