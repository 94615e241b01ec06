"""What an objective trains beside the model is spread over processes as the model is."""

import pytest

STEPS = 8


@pytest.mark.timeout(240)
@pytest.mark.parametrize("objective", ["masked_patch", "mae"])
def test_any_number_of_ranks_hides_the_same_patches(launch, objective):
    options = ("--steps", STEPS, "--optimizer.name", "adamw", "--objective", objective)
    options += ("--few_shot", 5)
    one = launch(1, "one", *options).finish()
    for strategy in ("ddp", "fsdp"):
        run = launch(2, strategy, *options, "--parallel.strategy", strategy).finish()
        for name in ("loss", "validation_loss"):
            assert run.history(name) == pytest.approx(one.history(name), abs=1e-5)
        assert run.history("few_shot_accuracy") == pytest.approx(
            one.history("few_shot_accuracy"), abs=0.003
        )
        assert (run.folder / "reconstructions.html").is_file()
