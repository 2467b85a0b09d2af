"""Many small networks at once on one GPU: each step of each is a captured graph of its own stream,
so that neither Python nor one network's small kernels leave the GPU idle."""

import copy
import itertools
import math
from dataclasses import dataclass
from typing import Any, Self

import numpy
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, grid_sample

from recipes import KNOWN, RecipeError, Schedule
from steps import CLASSES, SIDE
from torch_steps import ACTIVATIONS

READ_AT_ONCE = 2048
# Defaults of `crates/augmentation/src/config.rs`.
AUGMENTATION = {name: 0.0 for name in ("rotation", "shift", "zoom", "stretch", "shear")}
ELASTIC = {"strength": 0.0, "smoothness": 4.0}


@dataclass(frozen=True)
class Stage:
    """Convolutions of one width, a pooling and dropout."""

    channels: int
    kernel: int
    repeat: int
    padded: bool
    pool: bool
    dropout: float


@dataclass(frozen=True)
class Plan:
    """What a recipe says, as far as this can follow it."""

    epochs: int
    batch_size: int
    label_smoothing: float
    # Of the moving average of the weights; 0 where there is none.
    decay: float
    schedule: Schedule
    weight_decay: float
    augmentation: dict[str, float]
    elastic: dict[str, float]
    activation: str
    stages: tuple[Stage, ...]
    hidden_units: int
    hidden_dropout: float

    @classmethod
    def of(cls, recipe: dict[str, Any]) -> Self:
        """A recipe's plan; what it does not know is refused. It takes from each table what it
        knows: what is left, it does not follow."""
        rest = copy.deepcopy(recipe)
        network, optimizer = rest.pop("network", {}), rest.pop("optimizer", {})
        schedule, augmentation = rest.pop("schedule", {}), rest.pop("augmentation", {})
        averaging = rest.pop("averaging", {})
        if optimizer.pop("kind", None) != "adamw" or not network.get("stages"):
            raise RecipeError("only recipes with AdamW and `network.stages` are followed")
        elastic = augmentation.pop("elastic", {})
        stages = tuple(_stage(table) for table in network.pop("stages"))
        plan = cls(
            epochs=rest.pop("epochs", 3),
            batch_size=rest.pop("batch_size", 256),
            label_smoothing=rest.pop("label_smoothing", 0.0),
            decay=averaging.pop("decay", 0.999) if "averaging" in recipe else 0.0,
            schedule=Schedule(
                schedule.pop("kind", "one-cycle"),
                schedule.pop("warmup", 0.25),
                optimizer.pop("learning_rate", 1e-2),
            ),
            weight_decay=optimizer.pop("weight_decay", 0.0),
            augmentation={n: augmentation.pop(n, of) for n, of in AUGMENTATION.items()},
            elastic={n: elastic.pop(n, of) for n, of in ELASTIC.items()},
            activation=network.pop("activation", "relu"),
            stages=stages,
            hidden_units=network.pop("hidden_units", 256),
            hidden_dropout=network.pop("hidden_dropout", 0.0),
        )
        rest.pop("data", None)
        left = [rest, network, optimizer, schedule, augmentation, averaging, elastic]
        for name in itertools.chain(*left):
            raise RecipeError(f"the recipe's `{name}` is not followed here")
        if plan.schedule.kind not in KNOWN["schedule.kind"]:
            raise RecipeError(f"the schedule `{plan.schedule.kind}` is not followed here")
        if plan.activation not in ACTIVATIONS:
            raise RecipeError(f"`{plan.activation}` is none of {', '.join(ACTIVATIONS)}")
        return plan


def _stage(table: dict[str, Any]) -> Stage:
    table = dict(table)
    downsampling = table.pop("downsampling", "none")
    if downsampling not in ("none", "pool"):
        raise RecipeError(f"`downsampling = {downsampling!r}` is not followed here")
    stage = Stage(
        channels=table.pop("channels"),
        kernel=table.pop("kernel", 3),
        repeat=table.pop("repeat", 1),
        padded=table.pop("padding", "same") == "same",
        pool=downsampling == "pool",
        dropout=table.pop("dropout", 0.0),
    )
    for name in table:
        raise RecipeError(f"`{name}` of a stage is not followed here")
    return stage


@dataclass(frozen=True)
class Digits:
    """All rows, on the device: bytes `[n, side, side]`, and labels."""

    images: Tensor
    labels: Tensor

    @classmethod
    def on(cls, device: str, pixels: numpy.ndarray, labels: numpy.ndarray) -> Self:
        images = torch.from_numpy(pixels.reshape(-1, SIDE, SIDE)).to(device)
        return cls(images, torch.from_numpy(labels.astype(numpy.int64)).to(device))


class Dropout(nn.Module):
    """Dropout from a generator, which a captured graph can be told of."""

    def __init__(self, rate: float, generator: torch.Generator) -> None:
        super().__init__()
        self._rate, self._generator = rate, [generator]

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self._rate == 0:
            return x
        draws = torch.rand(x.shape, device=x.device, generator=self._generator[0])
        return x * (draws >= self._rate) / (1 - self._rate)


def build(plan: Plan, generator: torch.Generator) -> nn.Sequential:
    """The plan's network with He's initial weights."""
    activation = ACTIVATIONS[plan.activation]
    layers: list[nn.Module] = []
    channels, side = 1, SIDE
    for stage in plan.stages:
        for _ in range(stage.repeat):
            padding = stage.kernel // 2 if stage.padded else 0
            layers += [
                nn.Conv2d(channels, stage.channels, stage.kernel, padding=padding, bias=False),
                nn.BatchNorm2d(stage.channels),
                activation(),
            ]
            channels, side = stage.channels, side + 2 * padding - stage.kernel + 1
        if stage.pool:
            layers.append(nn.MaxPool2d(2))
            side //= 2
        layers.append(Dropout(stage.dropout, generator))
    layers += [
        nn.Flatten(),
        nn.Linear(channels * side * side, plan.hidden_units, bias=False),
        nn.BatchNorm1d(plan.hidden_units),
        activation(),
        Dropout(plan.hidden_dropout, generator),
        nn.Linear(plan.hidden_units, CLASSES),
    ]
    for layer in layers:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
    nn.init.zeros_(layers[-1].bias)
    return nn.Sequential(*layers)


def bspline(t: Tensor) -> Tensor:
    """The uniform cubic B-spline."""
    t = t.abs()
    inner, outer = 2 / 3 - t * t + t**3 / 2, (2 - t).clamp_min(0) ** 3 / 6
    return torch.where(t < 1, inner, outer)


def augment(images: Tensor, plan: Plan, generator: torch.Generator) -> Tensor:
    """Distorted copies `[n, 1, side, side]`, from 0 to 1, as `crates/augmentation` makes them but
    for its blur of what becomes smaller."""
    device, count = images.device, len(images)
    sizes = plan.augmentation
    draws = torch.rand(6, count, 1, 1, device=device, generator=generator) * 2 - 1
    turn = draws[0] * math.radians(sizes["rotation"])
    zoom, stretch = 1 + draws[3] * sizes["zoom"], (1 + draws[4] * sizes["stretch"]).sqrt()
    slant = torch.tan(draws[5] * math.radians(sizes["shear"]))
    pixel, centre = torch.arange(SIDE, device=device, dtype=torch.float32), (SIDE - 1) / 2
    x = (pixel - centre).expand(count, SIDE, SIDE)
    y = x.transpose(1, 2)
    if plan.elastic["strength"] > 0:
        cell = math.sqrt(3) * plan.elastic["smoothness"]
        nodes = int(SIDE / cell) + 5
        place = torch.rand(2, count, 1, 1, device=device, generator=generator)
        node = torch.arange(nodes, device=device) - 1.5
        across, down = bspline(pixel[:, None] / cell + place - node)
        noise = torch.randn(2, count, nodes, nodes, device=device, generator=generator)
        # The squares of an axis's four weights sum to 151/315 on average.
        noise = noise * plan.elastic["strength"] * 315 / 151
        x = x + down @ noise[0] @ across.transpose(1, 2)
        y = y + down @ noise[1] @ across.transpose(1, 2)
    x, y = x - draws[1] * sizes["shift"], y - draws[2] * sizes["shift"]
    x, y = turn.cos() * x + turn.sin() * y, turn.cos() * y - turn.sin() * x
    x = (x - slant * y) / (zoom * stretch)
    y = y / (zoom / stretch)
    places = torch.stack([x, y], -1) / (SIDE / 2)
    return grid_sample(images[:, None].float() / 255, places, align_corners=False)


class Network:
    """A network in training on some rows."""

    def __init__(self, plan: Plan, digits: Digits, rows: numpy.ndarray, seed: int) -> None:
        device = digits.images.device
        self._plan, self._digits, self._device = plan, digits, device
        self._on_gpu = device.type == "cuda"
        self._generator = torch.Generator(device)
        self._generator.manual_seed(seed)
        torch.manual_seed(seed)
        model = build(plan, self._generator).to(device)
        if self._on_gpu:
            model = model.to(memory_format=torch.channels_last)
        self._model, self._average = model.train(), copy.deepcopy(model).eval()
        self._rows = torch.from_numpy(rows).to(device)
        self.steps_per_epoch = len(rows) // plan.batch_size
        self._order = self._rows[: self.steps_per_epoch * plan.batch_size].clone()
        steps = self.steps_per_epoch * plan.epochs
        self._rates = torch.tensor(
            [plan.schedule.learning_rate(step, steps) for step in range(steps)], device=device
        )
        self._rate = torch.zeros((), device=device)
        # Of the run, and of the epoch: on the device, as graphs read them.
        self._step, self._position = (
            torch.zeros(1, dtype=torch.int64, device=device) for _ in range(2)
        )
        parameters = list(model.parameters())
        groups = [
            {"params": [p for p in parameters if p.dim() > 1], "weight_decay": plan.weight_decay},
            {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
        ]
        self._optimizer = torch.optim.AdamW(
            groups, lr=self._rate, fused=self._on_gpu, capturable=self._on_gpu
        )
        self._graph, self._stream = None, None
        if self._on_gpu:
            self._capture()

    def _capture(self) -> None:
        """Notes the kernels of a step, after a few that load and choose them and are undone."""
        before = copy.deepcopy(self._model.state_dict())
        self._stream = torch.cuda.Stream()
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            for _ in range(3):
                self._compute_step()
        torch.cuda.synchronize()
        self._graph = torch.cuda.CUDAGraph()
        self._graph.register_generator_state(self._generator)
        with torch.cuda.graph(self._graph, stream=self._stream):
            self._compute_step()
        torch.cuda.synchronize()
        # In place, since the graph knows where the tensors are.
        with torch.no_grad():
            self._model.load_state_dict(before)
            self._average.load_state_dict(before)
            self._step.zero_()
            for state in self._optimizer.state.values():
                for tensor in state.values():
                    tensor.zero_()
        torch.cuda.synchronize()

    def shuffle(self) -> None:
        """A new order of the rows, for an epoch."""
        with torch.cuda.stream(self._stream):
            mixed = self._rows[torch.randperm(len(self._rows), device=self._device)]
            self._order.copy_(mixed[: len(self._order)])
            self._position.zero_()

    def step(self) -> None:
        """A step of training."""
        if self._graph is None:
            self._compute_step()
        else:
            with torch.cuda.stream(self._stream):
                self._graph.replay()

    def _compute_step(self) -> None:
        plan, size = self._plan, self._plan.batch_size
        self._rate.copy_(self._rates.index_select(0, self._step)[0])
        within = torch.arange(size, device=self._device)
        rows = self._order.index_select(0, self._position * size + within)
        images = augment(self._digits.images[rows], plan, self._generator)
        if self._on_gpu:
            images = images.to(memory_format=torch.channels_last)
        logits, labels = self._model(images), self._digits.labels[rows]
        cross_entropy(logits, labels, label_smoothing=plan.label_smoothing).backward()
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._step += 1
        self._position += 1
        with torch.no_grad():
            step = self._step.float()
            decay = torch.clamp_max((1 + step) / (10 + step), plan.decay)
            average, current = (
                [tensor for tensor in model.state_dict().values() if tensor.is_floating_point()]
                for model in (self._average, self._model)
            )
            differences = torch._foreach_sub(current, average)
            torch._foreach_mul_(differences, (1 - decay)[0])
            torch._foreach_add_(average, differences)

    @torch.no_grad()
    def probabilities(self, rows: numpy.ndarray) -> numpy.ndarray:
        """Of the classes of some rows' images, by the average of the weights: `[n, classes]`."""
        if self._on_gpu:
            torch.cuda.synchronize()
        parts = torch.from_numpy(rows).to(self._device).split(READ_AT_ONCE)
        images = (self._digits.images[part][:, None].float() / 255 for part in parts)
        return torch.cat([self._average(part).softmax(1) for part in images]).cpu().numpy()
