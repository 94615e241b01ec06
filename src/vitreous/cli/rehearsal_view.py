"""The plan of a run, printed."""

from vitreous.cli.text_plot import text_plot
from vitreous.train.rehearsal import Rehearsal

_COLUMNS = 64


def print_rehearsal(plan: Rehearsal) -> None:
    """Say what the run would be, with its learning rate as a curve."""
    config = plan.config
    assert config.steps is not None
    assert config.epochs is not None
    side = "x".join(map(str, config.model.image_size))
    sizes = ", ".join(map(str, config.schedule.sides))
    pieces = (
        "" if config.micro_batch == config.batch_size else f" in pieces of {config.micro_batch}"
    )
    learning = "" if plan.learning == plan.parameters else f", {plan.learning:,} of them learn"
    optimizer = config.optimizer
    parts = ", ".join(f"{count:,} {part}" for part, count in plan.images.items())
    if config.tuning.train != "all":
        learning += f" ({config.tuning.train})"
    rows = [
        ("recipe", config.recipe),
        ("data", f"{config.data}: {parts}"),
        ("model", f"{config.model.name}, {plan.parameters:,} parameters{learning}"),
        ("images", f"{f'sides {sizes}' if sizes else side} pixels"),
        ("length", f"{config.steps:,} steps of {config.batch_size} images{pieces}, "
         f"{config.epochs:.1f} epochs"),
        ("optimiser", f"{optimizer.name}, learning rate {optimizer.learning_rate:g}, "
         f"weight decay {optimizer.weight_decay:g}"),
        ("memory", f"about {plan.memory}"),
        ("work", f"{plan.flops:.3g} floating-point operations"),
        ("time", f"about {_words(plan.seconds)} on this machine ({config.device}, "
         f"{config.precision}), by {plan.measured_steps} steps at "
         f"{plan.images_per_second:.1f} images/s; validations come on top"),
        ("accuracy", str(plan.expected)),
    ]  # fmt: skip
    for line in config.read_as:
        print(line)
    print()
    width = max(len(name) for name, _ in rows)
    for name, words in rows:
        print(f"{name:{width}}  {words}")
    print(f"\nlearning rate, 0 to {optimizer.learning_rate:g}, over {config.steps:,} steps")
    for line in text_plot(plan.rates(_COLUMNS)):
        print(f"  {line}".rstrip())
    print("\nnothing was written")


def _words(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"
