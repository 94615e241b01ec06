"""What a training step will hold in memory, by arithmetic, and the plan that fits."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

from vitreous.errors import UserError
from vitreous.model.build import empty_model
from vitreous.model.config import ViTConfig
from vitreous.parallel.device import Engine
from vitreous.parallel.strategy import Strategy
from vitreous.train.config import TrainConfig
from vitreous.train.freeze import tune
from vitreous.train.memory import activation_bytes

# Tensors of a weight's size that each optimiser keeps.
_KEPT = {"sgd": 1, "adamw": 2, "muon": 1}
# Pieces under this many images leave a GPU idle: recomputing or sharding is better.
_SMALL_PIECE = 8
# Temporaries of the backward pass and the allocator's slack.
_SLACK = 1.3


@dataclass(frozen=True)
class Memory:
    """Bytes in one process.

    Attributes:
        weights: Parameters, and their copies in the precision of the products.
        gradients: Of all parameters, or of this rank's share.
        optimizer: Its averages.
        average: The running average of the weights.
        activations: What autograd keeps of the images in memory, with temporaries.
    """

    weights: int
    gradients: int
    optimizer: int
    average: int
    activations: int

    @property
    def total(self) -> int:
        """All of it."""
        return sum(getattr(self, field.name) for field in fields(self))

    def __str__(self) -> str:
        size, unit = (2**30, "GiB") if self.total >= 2**30 else (2**20, "MiB")
        sizes = {field.name: getattr(self, field.name) for field in fields(self)}
        parts = [f"{name} {kept / size:.3g}" for name, kept in sizes.items() if kept]
        return f"{self.total / size:.3g} {unit} ({', '.join(parts)})"


@dataclass(frozen=True)
class Plan:
    """One way to take a step.

    Attributes:
        strategy: How ranks share the model.
        activation_checkpointing: Every n-th block is recomputed; 0 none.
        micro_batch: Images in memory at once, in each process.
        memory: What a process then holds.
    """

    strategy: Strategy
    activation_checkpointing: int
    micro_batch: int
    memory: Memory

    def __str__(self) -> str:
        recomputed = {0: "nothing recomputed", 1: "all blocks recomputed"}.get(
            self.activation_checkpointing, f"every {self.activation_checkpointing} blocks one"
        )
        images = "1 image" if self.micro_batch == 1 else f"{self.micro_batch} images"
        return f"{self.strategy}, {recomputed}, {images} at once: {self.memory}"


def step_memory(
    config: TrainConfig, engine: Engine, ranks: int, strategy: Strategy, micro_batch: int
) -> Memory:
    """What a process holds at the height of a step.

    What is frozen has no gradient and no averages of the optimiser. Under FSDP each process has
    its share of weights, gradients and averages, and the gathered weights and gradients of two
    blocks, the one at work and the next.

    Args:
        config: Gives model, optimiser, average, what learns, training sizes and activation
            checkpointing.
        engine: Gives the precision of the products and the device.
        ranks: Processes in all.
        strategy: How they share the model.
        micro_batch: Images in memory at once.
    """
    model = empty_model(config.model)
    tune(model, config.tuning)
    parameters = sum(p.numel() for p in model.parameters())
    learning = sum(p.numel() for p in model.parameters() if p.requires_grad)
    item = 2 if engine.precision == "bfloat16" else 4
    copies = 2 * parameters if item == 2 else 0  # autocast keeps them until the step's end
    share, gathered = 4 * parameters, 0
    if strategy == "fsdp":
        blocks = [sum(p.numel() for p in block.parameters()) for block in model.blocks]
        block, rest = max(blocks), parameters - sum(blocks)
        share = -(-4 * parameters // ranks)
        copies, gathered = item * (2 * block + rest), 4 * 2 * block
    sizes = [(side, side) for side in config.schedule.sides] or [config.model.image_size]
    image = max(image_bytes(config, engine, size) for size in sizes)
    moved = share * learning // parameters
    return Memory(
        weights=share + copies,
        gradients=moved + gathered,
        optimizer=moved * _KEPT[config.optimizer.name],
        average=share if config.average else 0,
        activations=int(_SLACK * micro_batch * image),
    )


def find_plan(config: TrainConfig, engine: Engine, ranks: int, free: int) -> Plan:
    """The fastest way to take a step that fits.

    Whole copies before shares of the model, both before recomputing, and each with the largest
    pieces that fit; but recomputing before pieces of under eight images.

    Args:
        config: Of the run; its `batch_size` is over all ranks.
        engine: Gives the precision of the products and the device.
        ranks: Processes in all.
        free: Bytes that a process may use.

    Raises:
        UserError: Nothing fits; tells how much is missing.
    """
    for least in _least_pieces(config, ranks):
        for plan in _plans(config, engine, ranks, free):
            if plan.micro_batch >= least:
                return plan
    strategy: Strategy = "one" if ranks == 1 else "fsdp"
    smallest = step_memory(_recomputing(config, 1), engine, ranks, strategy, 1)
    raise _too_large(config, smallest, ranks, free)


def piece_that_fits(config: TrainConfig, engine: Engine, ranks: int, free: int) -> int:
    """Images at once in each of several processes, where all but the strategy is settled.

    As many as whole copies of the model leave room for; where these leave next to none, as many as
    shares of it do.

    Args:
        config: Of the run; `parallel.strategy` may leave one of the two out.
        engine: Gives the precision of the products and the device.
        ranks: Processes in all.
        free: Bytes that a process may use.

    Raises:
        UserError: Not even one image fits; tells how much is missing.
    """
    asked = config.parallel.strategy
    strategies: tuple[Strategy, ...] = ("ddp", "fsdp") if asked == "auto" else (asked,)
    for least in _least_pieces(config, ranks):
        for strategy in strategies:
            piece = _largest_piece(config, engine, ranks, strategy, free)
            if piece >= least:
                return piece
    one = step_memory(config, engine, ranks, strategies[-1], 1)
    raise _too_large(config, one, ranks, free)


def _least_pieces(config: TrainConfig, ranks: int) -> tuple[int, int]:
    """What is worth taking, and what is taken where nothing better fits."""
    return min(-(-config.batch_size // ranks), _SMALL_PIECE), 1


def _largest_piece(
    config: TrainConfig, engine: Engine, ranks: int, strategy: Strategy, free: int
) -> int:
    """An even share of a process's images; 0 where not even one fits."""
    share = -(-config.batch_size // ranks)
    one, two = (step_memory(config, engine, ranks, strategy, n).total for n in (1, 2))
    most = (free - one) // (two - one) + 1
    return -(-share // -(-share // most)) if most >= 1 else 0


def _plans(config: TrainConfig, engine: Engine, ranks: int, free: int) -> Iterator[Plan]:
    """The largest pieces that fit, by strategy; those where nothing fits are left out."""
    strategies: tuple[Strategy, ...] = ("one",) if ranks == 1 else ("ddp", "fsdp")
    for every in (0, 2, 1):
        own = _recomputing(config, every)
        for strategy in strategies:
            if piece := _largest_piece(own, engine, ranks, strategy, free):
                yield _plan(own, engine, ranks, strategy, piece)


def _recomputing(config: TrainConfig, every: int) -> TrainConfig:
    parallel = replace(config.parallel, activation_checkpointing=every)
    return replace(config, parallel=parallel)


def _plan(config: TrainConfig, engine: Engine, ranks: int, strategy: Strategy, piece: int) -> Plan:
    memory = step_memory(config, engine, ranks, strategy, piece)
    return Plan(strategy, config.parallel.activation_checkpointing, piece, memory)


def _too_large(config: TrainConfig, one: Memory, ranks: int, free: int) -> UserError:
    return UserError(
        f"{config.model.name} needs {one.total / 2**30:.1f} GiB in each of {ranks} "
        f"processes for one image at a time, and {free / 2**30:.1f} GiB are free: take more "
        "processes, a smaller model or image size"
    )


def image_bytes(config: TrainConfig, engine: Engine, size: tuple[int, int]) -> int:
    """Bytes that autograd keeps of one image; of a recomputed block, its input alone.

    Where blocks are recomputed, one of them is whole at a time.

    Args:
        config: Gives the model and which blocks are recomputed.
        engine: Gives the precision of the products and the device.
        size: (H, W) of the training images, pixels.
    """
    model, every = config.model, config.parallel.activation_checkpointing
    kept = activation_bytes(model, engine, size)
    if not every or not isinstance(model, ViTConfig):  # a ResNet's units differ: counted in full
        return kept
    # A block more or less makes the difference, whatever else the model has.
    block = activation_bytes(replace(model, depth=model.depth + 1), engine, size) - kept
    h, w = model.grid_of(size)
    entry = 4 * model.width * (model.prefix + h * w)
    recomputed = model.depth // every
    return kept - recomputed * (block - entry) + (block if recomputed else 0)
