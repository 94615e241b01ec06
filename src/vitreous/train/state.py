"""All that must survive a stop, gathered in one object."""

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from vitreous.errors import UserError
from vitreous.parallel.collect import blank
from vitreous.train.average import WeightAverage
from vitreous.train.backoff import Backoff


class TrainingState:
    """Model, optimisers, average and step. Everything random is a function of the step.

    Attributes:
        model: What is trained; its parameters may be spread over ranks.
        optimizers: What moves it.
        average: Its running average, where the run keeps one.
        step: Steps done.
        seconds: Time spent in steps so far, over all resumes.
        backoff: What batches that had to be skipped have done to the learning rate.
    """

    def __init__(
        self, model: nn.Module, optimizers: list[Optimizer], average: WeightAverage | None
    ) -> None:
        self.model = model
        self.optimizers = optimizers
        self.average = average
        self.step = 0
        self.seconds = 0.0
        self.backoff = Backoff()

    @property
    def result(self) -> nn.Module:
        """The model that the run hands over."""
        return self.model if self.average is None else self.average.model

    def numbers(self) -> dict[str, float]:
        """All of the state that is no tensor."""
        return {"step": self.step, "seconds": self.seconds, **vars(self.backoff)}

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor of the state by a name that says what it is."""
        tensors = self._weights()
        names = {id(parameter): name for name, parameter in self.model.named_parameters()}
        for optimizer in self.optimizers:
            for parameter, kept in optimizer.state.items():
                for key, tensor in kept.items():
                    tensors[f"optimizer/{names[id(parameter)]}/{key}"] = tensor
        return tensors

    @torch.no_grad()
    def targets(self, kinds: Mapping[str, tuple[str, Sequence[int]]]) -> dict[str, Tensor]:
        """The state's tensors, to be filled in place with those of a state that was saved.

        Args:
            kinds: Dtype's name and shape of each saved tensor by name; the optimisers get what
                they have not made yet, spread over ranks as its parameter is.

        Raises:
            UserError: The tensors belong to another model.
        """
        targets = self._weights()
        parameters = dict(self.model.named_parameters())
        owners = {
            id(parameter): optimizer
            for optimizer in self.optimizers
            for group in optimizer.param_groups
            for parameter in cast(list[nn.Parameter], group["params"])
        }
        if targets.keys() - kinds.keys():
            raise UserError(_ANOTHER)
        for name, (dtype, shape) in kinds.items():
            part, _, rest = name.partition("/")
            owner, _, key = rest.rpartition("/")
            if part == "optimizer" and owner in parameters:
                parameter = parameters[owner]
                kept = blank(shape, getattr(torch, dtype), parameter)
                owners[id(parameter)].state[parameter][key] = targets[name] = kept
            elif name not in targets or list(targets[name].shape) != list(shape):
                raise UserError(_ANOTHER)
        return targets

    def go_on_from(self, numbers: Mapping[str, float]) -> None:
        """Take back what `numbers` gave."""
        rest = dict(numbers)
        self.step, self.seconds = int(rest.pop("step")), rest.pop("seconds")
        self.backoff = Backoff(**{name: int(value) for name, value in rest.items()})

    def _weights(self) -> dict[str, Tensor]:
        tensors = {f"model/{name}": tensor for name, tensor in self.model.state_dict().items()}
        if self.average is not None:
            averages = self.average.model.state_dict()
            tensors |= {f"average/{name}": tensor for name, tensor in averages.items()}
        return tensors


_ANOTHER = "the checkpoint holds another model than config.json says: start a new --out"
