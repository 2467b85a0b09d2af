"""Recipes: this project's TOML files of a run, as far as the peers can follow them."""

import copy
import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# The networks and activation functions that the peers know.
PRESETS = ("tiny", "small", "classic", "kaggle")
ACTIVATIONS = ("relu", "gelu", "silu", "mish", "tanh", "sigmoid", "elu", "prelu")
# As in `crates/trainer/src/schedule.rs`.
FIRST, LAST = 1 / 25, 1e-4


class RecipeError(Exception):
    """A recipe that cannot be read, or not be followed."""


@dataclass(frozen=True)
class Case:
    """What varies from one training of a recipe to another."""

    preset: str
    activation: str
    epochs: int

    def __str__(self) -> str:
        return f"{self.preset} {self.activation}, {self.epochs} epoch(s)"


@dataclass(frozen=True)
class Schedule:
    """The learning rate as a function of the step."""

    kind: str
    warmup: float
    highest: float

    def learning_rate(self, step: int, steps: int) -> float:
        """The rate of a step, counted from 0, of a run with so many."""
        return self.highest * self._share(min(1.0, step / max(steps - 1, 1)))

    def _share(self, progress: float) -> float:
        rising = progress < self.warmup
        if rising:
            part = progress / self.warmup
        else:
            part = (progress - self.warmup) / (1 - self.warmup)
        cosine = (1 - math.cos(math.pi * part)) / 2
        match self.kind, rising:
            case "constant", _:
                return 1.0
            case "one-cycle", True:
                return FIRST + (1 - FIRST) * cosine
            case "one-cycle", False:
                return 1 + (FIRST * LAST - 1) * cosine
            case _, True:
                return part
            case "cosine", _:
                return 1 - cosine
            case _:
                return 1 - part


@dataclass(frozen=True)
class Recipe:
    """A run that the peers can make too. Defaults: `crates/trainer/src/config.rs`."""

    case: Case
    initialization: str
    batch_size: int
    optimizer: str
    weight_decay: float
    schedule: Schedule
    label_smoothing: float
    # Of the moving average of the weights; `None` where there is none.
    averaging: float | None
    # Shares, and where the split is drawn from if not from the run's seed.
    validation: float
    test: float
    training: float
    split_seed: int | None


def read(path: Path) -> dict[str, Any]:
    """A recipe as it stands in the file."""
    try:
        with path.open("rb") as file:
            recipe = tomllib.load(file)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: {error}") from error
    for name in ("data", "network"):
        if not isinstance(recipe.get(name, {}), dict):
            raise RecipeError(f"{path}: `{name}` is not a table")
    # Of several runs, and of a run that was made.
    for name in ("ensemble", "extensions"):
        recipe.pop(name, None)
    for name in ("path", "fingerprint"):
        recipe.get("data", {}).pop(name, None)
    return recipe


def case(recipe: dict[str, Any]) -> Case:
    """What the recipe itself says of what varies."""
    network = recipe.get("network", {})
    preset = "own" if "stages" in network else network.get("preset", "small")
    return Case(preset, network.get("activation", "relu"), recipe.get("epochs", 3))


def vary(recipe: dict[str, Any], to: Case) -> dict[str, Any]:
    """The recipe with another network, activation function or length."""
    varied = copy.deepcopy(recipe) | {"epochs": to.epochs}
    network = varied.setdefault("network", {})
    network["activation"] = to.activation
    if to.preset != case(recipe).preset:
        # What the recipe says of its own network is not of the other.
        for name in ("stages", "hidden_units", "hidden_dropout"):
            network.pop(name, None)
        network["preset"] = to.preset
    return varied


def to_toml(recipe: dict[str, Any]) -> str:
    """The recipe as a file, its tables inline."""
    return "".join(f"{name} = {_value(value)}\n" for name, value in recipe.items())


def _value(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case dict():
            return "{ " + ", ".join(f"{name} = {_value(v)}" for name, v in value.items()) + " }"
        case list():
            return f"[{', '.join(map(_value, value))}]"
        case str():
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'
        case _:
            return repr(value)


# What the peers follow; all else is refused, unless it has the value below.
FOLLOWED = {
    *("seed", "backend", "kernels", "epochs", "batch_size", "label_smoothing", "averaging.decay"),
    *("network.preset", "network.activation", "network.initialization"),
    *("optimizer.kind", "optimizer.learning_rate", "optimizer.weight_decay"),
    *("schedule.kind", "schedule.warmup"),
    *("data.validation_fraction", "data.test_fraction", "data.training_fraction"),
    "data.split_seed",
}
HARMLESS = {"loss": "cross-entropy", "network.normalization": "batch", "network.initial_bias": 0.0}
KNOWN = {
    "network.preset": PRESETS,
    "network.activation": ACTIVATIONS,
    "network.initialization": ("matched", "he", "xavier", "lecun"),
    "optimizer.kind": ("adam", "adamw", "sgd", "rmsprop"),
    "schedule.kind": ("one-cycle", "cosine", "linear", "constant"),
}


def parse(recipe: dict[str, Any]) -> Recipe:
    """The recipe in a form that the peers can follow; an error where they cannot."""
    flat: dict[str, Any] = {}
    for name, value in recipe.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{inner}": setting for inner, setting in value.items()}
        else:
            flat[name] = value
    for name, value in flat.items():
        if name not in FOLLOWED and HARMLESS.get(name) != value:
            raise RecipeError(f"PyTorch's side does not follow the recipe's `{name}`")
        if value not in KNOWN.get(name, (value,)):
            raise RecipeError(f"PyTorch's side knows no `{name} = {value!r}`")
    parsed = Recipe(
        case=case(recipe),
        initialization=flat.get("network.initialization", "matched"),
        batch_size=flat.get("batch_size", 256),
        optimizer=flat.get("optimizer.kind", "adam"),
        weight_decay=flat.get("optimizer.weight_decay", 0.0),
        schedule=Schedule(
            flat.get("schedule.kind", "one-cycle"),
            flat.get("schedule.warmup", 0.25),
            flat.get("optimizer.learning_rate", 1e-2),
        ),
        label_smoothing=flat.get("label_smoothing", 0.0),
        averaging=flat.get("averaging.decay", 0.999) if "averaging" in recipe else None,
        validation=flat.get("data.validation_fraction", 0.1),
        test=flat.get("data.test_fraction", 0.0),
        training=flat.get("data.training_fraction", 1.0),
        split_seed=flat.get("data.split_seed"),
    )
    if parsed.validation <= 0:
        raise RecipeError("the recipe holds nothing out: `data.validation_fraction` is 0")
    return parsed
