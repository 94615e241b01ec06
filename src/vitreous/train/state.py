"""All that must survive a stop, gathered in one object."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from vitreous.errors import UserError
from vitreous.train.average import WeightAverage


class TrainingState:
    """Model, optimisers, average and step. Everything random is a function of the step.

    Attributes:
        model: What is trained.
        optimizers: What moves it.
        average: Its running average, where the run keeps one.
        step: Steps done.
        seconds: Time spent in steps so far, over all resumes.
    """

    def __init__(
        self, model: nn.Module, optimizers: list[Optimizer], average: WeightAverage | None
    ) -> None:
        self.model = model
        self.optimizers = optimizers
        self.average = average
        self.step = 0
        self.seconds = 0.0

    @property
    def result(self) -> nn.Module:
        """The model that the run hands over."""
        return self.model if self.average is None else self.average.model

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor of the state by a name that says what it is."""
        tensors = {f"model/{name}": tensor for name, tensor in self.model.state_dict().items()}
        if self.average is not None:
            averages = self.average.model.state_dict()
            tensors |= {f"average/{name}": tensor for name, tensor in averages.items()}
        names = {id(parameter): name for name, parameter in self.model.named_parameters()}
        for optimizer in self.optimizers:
            for parameter, kept in optimizer.state.items():
                for key, tensor in kept.items():
                    tensors[f"optimizer/{names[id(parameter)]}/{key}"] = tensor
        return tensors

    @torch.no_grad()
    def restore(self, tensors: dict[str, Tensor], step: int, seconds: float) -> None:
        """Put back what `tensors` gave.

        Raises:
            UserError: The tensors belong to another model.
        """
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "average": {}, "optimizer": {}}
        for name, tensor in tensors.items():
            part, _, rest = name.partition("/")
            parts[part][rest] = tensor
        try:
            self.model.load_state_dict(parts["model"])
            if self.average is not None:
                self.average.model.load_state_dict(parts["average"])
        except RuntimeError as error:
            raise UserError(
                "the checkpoint holds another model than config.json says: start a new --out"
            ) from error
        parameters = dict(self.model.named_parameters())
        owners = {
            id(parameter): optimizer
            for optimizer in self.optimizers
            for group in optimizer.param_groups
            for parameter in cast(list[nn.Parameter], group["params"])
        }
        for name, tensor in parts["optimizer"].items():
            owner, _, key = name.rpartition("/")
            parameter = parameters[owner]
            # Adam counts its steps in a tensor on the CPU, whatever device the weights are on.
            device = tensor.device if key == "step" else parameter.device
            owners[id(parameter)].state[parameter][key] = tensor.to(device)
        self.step, self.seconds = step, seconds
