"""What a recipe says of initial weights, optimizer, schedule and moving average, in PyTorch."""

import copy
import itertools
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from recipes import Recipe
from steps import EPSILON

# The mean loss of a batch of images with these labels.
Loss = Callable[[Tensor, Tensor], Tensor]


def initialise(model: nn.Sequential, recipe: Recipe) -> None:
    """Normal draws with the deviations of `crates/model/src/initialization.rs`; the output layer,
    which has no activation behind it, has LeCun's."""
    family, activation = recipe.initialization, recipe.case.activation
    if family == "matched":
        family = "xavier" if activation in ("tanh", "sigmoid") else "he"
    slope = 0.25 if activation == "prelu" else 0.0
    layers = [layer for layer in model if isinstance(layer, nn.Conv2d | nn.Linear)]
    for layer in layers:
        weight = layer.weight
        area = weight[0, 0].numel()
        into, out = weight.shape[1] * area, weight.shape[0] * area
        variance = {
            "he": 2 / ((1 + slope**2) * into),
            "xavier": 2 / (into + out),
            "lecun": 1 / into,
        }["lecun" if layer is layers[-1] else family]
        nn.init.normal_(weight, std=math.sqrt(variance))
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def make_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Weight decay for matrices and kernels alone, and PyTorch's fastest form of each."""
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    rate = recipe.schedule.highest
    match recipe.optimizer:
        case "adam":
            return torch.optim.Adam(groups, lr=rate, eps=EPSILON, fused=True)
        case "adamw":
            return torch.optim.AdamW(groups, lr=rate, eps=EPSILON, fused=True)
        case "sgd":
            return torch.optim.SGD(groups, lr=rate, momentum=0.9, nesterov=True, fused=True)
        case _:
            return torch.optim.RMSprop(groups, lr=rate, alpha=0.99, eps=EPSILON, foreach=True)


class Average:
    """A copy of a network whose weights and running statistics follow those of the network."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = copy.deepcopy(model)
        self._decay = decay
        self._own, self._followed = self._numbers(self.model), self._numbers(model)

    @staticmethod
    def _numbers(model: nn.Module) -> list[Tensor]:
        tensors = itertools.chain(model.parameters(), model.buffers())
        return [tensor.detach() for tensor in tensors if tensor.is_floating_point()]

    def take_in(self, steps: int) -> None:
        """Goes some of the way to the network after so many steps, from 1."""
        decay = min(self._decay, (1 + steps) / (10 + steps))
        torch._foreach_lerp_(self._own, self._followed, 1 - decay)


class Learner:
    """A network with what trains it, before its first step."""

    def __init__(self, model: nn.Module, recipe: Recipe, steps: int, loss: Loss) -> None:
        self.model = model
        self._schedule = recipe.schedule
        self._loss = loss
        self._optimizer = make_optimizer(model, recipe)
        self._average = None if recipe.averaging is None else Average(model, recipe.averaging)
        self._steps, self._step = steps, 0

    def step(self, images: Tensor, labels: Tensor) -> Tensor:
        """Forward, loss, backward, optimizer, average; the loss."""
        rate = self._schedule.learning_rate(self._step, self._steps)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.zero_grad(set_to_none=True)
        loss = self._loss(images, labels)
        loss.backward()
        self._optimizer.step()
        self._step += 1
        if self._average is not None:
            self._average.take_in(self._step)
        return loss.detach()

    @property
    def validated(self) -> nn.Module:
        """The network that is validated: the average, where there is one."""
        return self.model if self._average is None else self._average.model
