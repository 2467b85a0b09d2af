"""What the peers have in common: command line, networks, data, timing, form of the result.

Every peer has the command line of the example `step_speed` of `crates/model` and prints JSON lines
like it.
"""

import argparse
import csv
import gzip
import itertools
import json
import resource
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

import numpy

from recipes import ACTIVATIONS

SIDE = 28
CLASSES = 10
LEARNING_RATE = 1e-3
EPSILON = 1e-8
# Mean and standard deviation of MNIST's pixels in 0..1.
MEAN, DEVIATION = 0.1307, 0.3081


@dataclass(frozen=True)
class Convolution:
    """Convolution without bias, batch normalisation, activation; then pooling and dropout."""

    channels: int
    kernel: int
    stride: int = 1
    padding: int = 0
    pool: bool = False
    dropout: float = 0.0


@dataclass(frozen=True)
class Network:
    """Convolutions, a dense layer normalised and activated like them, logits with a bias."""

    convolutions: tuple[Convolution, ...]
    hidden_units: int
    hidden_dropout: float
    # Learnable numbers, those of the activations apart.
    parameters: int


def _classic(channels: int) -> tuple[Convolution, ...]:
    return (
        Convolution(channels, 3, padding=1),
        Convolution(channels, 3, padding=1, pool=True, dropout=0.25),
    )


def _kaggle(channels: int) -> tuple[Convolution, ...]:
    return (
        Convolution(channels, 3),
        Convolution(channels, 3),
        Convolution(channels, 5, stride=2, padding=2, dropout=0.4),
    )


# As in `crates/model/src/preset.rs`; the numbers of parameters as in its tests.
PRESETS = {
    "tiny": Network(
        (Convolution(16, 5, padding=2, pool=True), Convolution(32, 3, padding=1, pool=True)),
        hidden_units=128,
        hidden_dropout=0.0,
        parameters=207_354,
    ),
    "small": Network(
        (Convolution(24, 5, padding=2, pool=True), Convolution(32, 3, padding=1, pool=True)),
        hidden_units=256,
        hidden_dropout=0.0,
        parameters=412_114,
    ),
    "classic": Network(
        _classic(32) + _classic(64),
        hidden_units=128,
        hidden_dropout=0.5,
        parameters=468_138,
    ),
    "kaggle": Network(
        _kaggle(32) + _kaggle(64),
        hidden_units=128,
        hidden_dropout=0.4,
        parameters=325_994,
    ),
}


@dataclass(frozen=True)
class Options:
    """What to time."""

    preset: str
    activation: str
    mode: str
    batch: int
    threads: int
    warmup: int
    steps: int
    variant: str
    data: Path | None

    @property
    def network(self) -> Network:
        return PRESETS[self.preset]

    @property
    def training(self) -> bool:
        return self.mode == "train"


def parse_options(variants: Sequence[str]) -> list[Options]:
    """Reads the command line, for each activation function that it names; the first of `variants`
    is the default."""
    parser = argparse.ArgumentParser(
        description="Times steps and prints a JSON line for each activation function."
    )
    parser.add_argument("--preset", choices=PRESETS, default="small")
    parser.add_argument(
        "--activation",
        choices=ACTIVATIONS,
        action="append",
        help="of several each has a network of its own, and they take their steps in turn",
    )
    parser.add_argument("--mode", choices=("train", "eval"), default="train")
    parser.add_argument("--batch", type=positive, default=256)
    parser.add_argument("--threads", type=positive, default=1)
    parser.add_argument("--warmup", type=positive, default=3, help="untimed steps, which compile")
    parser.add_argument("--steps", type=positive, default=10, help="timed steps")
    parser.add_argument("--variant", choices=variants, default=variants[0])
    parser.add_argument("--data", type=Path, help="labelled digits: CSV, also .gz or .zip")
    given = vars(parser.parse_args())
    activations = given.pop("activation") or ["relu"]
    return [Options(activation=activation, **given) for activation in activations]


def positive(text: str) -> int:
    """A whole number from 1; for `argparse`."""
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value


def load_batch(options: Options) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Standardised images, `[batch, 1, side, side]`, and labels, `[batch]`."""
    if options.data is None:
        random = numpy.random.default_rng(0)
        pixels = random.random((options.batch, SIDE * SIDE))
        labels = random.integers(CLASSES, size=options.batch)
    else:
        with open_table(options.data) as file:
            rows = csv.reader(file)
            next(rows)
            table = numpy.array(list(itertools.islice(rows, options.batch)), dtype=numpy.uint8)
        if len(table) < options.batch:
            sys.exit(f"{options.data}: {len(table)} rows, but a batch has {options.batch}")
        labels, pixels = table[:, 0], table[:, 1:] / 255.0
    images = ((pixels - MEAN) / DEVIATION).astype(numpy.float32)
    return images.reshape(options.batch, 1, SIDE, SIDE), labels.astype(numpy.int64)


@contextmanager
def open_table(path: Path) -> Iterator[TextIO]:
    """A CSV file, plain, gzipped, or in Kaggle's archive."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive, archive.open("train.csv") as file:
            yield TextIOWrapper(file, encoding="utf-8")
    elif path.suffix == ".gz":
        with gzip.open(path, "rt", encoding="utf-8") as file:
            yield file
    else:
        with path.open(encoding="utf-8") as file:
            yield file


def check_parameters(options: Options, found: int) -> None:
    """Stops where a network has another number of learnable numbers than ours."""
    expected = options.network.parameters
    if options.activation == "prelu":
        # One slope after every layer but the last.
        expected += len(options.network.convolutions) + 1
    if found != expected:
        sys.exit(f"{options.preset}: {found} parameters instead of {expected}")


def time_steps(options: Options, takers: Sequence[Callable[[], object]]) -> list[list[float]]:
    """Seconds of each timed step, of each of `takers`. They take turns, each time in another order,
    so that each comes after each of its neighbours."""
    count = len(takers)
    seconds: list[list[float]] = [[] for _ in takers]
    for number in range(options.warmup + options.steps):
        turns = range(count) if number % 2 == 0 else reversed(range(count))
        for turn in turns:
            taker = (turn + number) % count
            start = time.perf_counter()
            takers[taker]()
            end = time.perf_counter()
            if number >= options.warmup:
                seconds[taker].append(end - start)
    return seconds


def print_results(
    options: Sequence[Options], seconds: Sequence[list[float]], versions: dict[str, str]
) -> None:
    """Prints the results as JSON lines."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for one, times in zip(options, seconds, strict=True):
        result = asdict(one) | {
            "data": None if one.data is None else one.data.name,
            "seconds": times,
            # Linux counts in KiB, macOS in bytes.
            "peak_rss_kib": peak // 1024 if sys.platform == "darwin" else peak,
            "versions": versions,
        }
        print(json.dumps(result))
