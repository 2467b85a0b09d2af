"""Whole trainings by a recipe, ours and PyTorch's."""

import csv
import itertools
import json
import math
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import processes
import recipes
from contest import Contest, Run, Workload, peer
from prepare import FOLDER
from recipes import Case, Recipe
from report import LABELS

LONGEST_TRAINING = 6 * 3600


@dataclass(frozen=True)
class Epoch:
    """An epoch, and the held-out rows after it."""

    epoch: int
    accuracy: float
    training_seconds: float
    validating_seconds: float


@dataclass(frozen=True)
class Training:
    """One training from the first step to the last."""

    case: Case
    side: str
    variant: str
    threads: int
    seed: int
    training_images: int
    # Of the training images' pixels, as a share of white.
    training_mean: float
    held_out_by_class: list[int]
    epochs: list[Epoch]
    # Of the whole process, with start, reading and saving.
    process_seconds: float
    # What PyTorch's side did before the clock of training; `None` where that is not apart.
    reading_seconds: float | None
    warming_up_seconds: float | None
    peak_rss_kib: int | None
    busy_elsewhere: float | None
    versions: dict[str, str]

    @property
    def accuracy(self) -> float:
        """After the last epoch, which nothing was chosen by."""
        return self.epochs[-1].accuracy

    @property
    def seconds(self) -> float:
        """Of training alone, its batches included."""
        return sum(epoch.training_seconds for epoch in self.epochs)

    @property
    def validating_seconds(self) -> float:
        return sum(epoch.validating_seconds for epoch in self.epochs)


@dataclass(frozen=True)
class Trainer:
    """How trainings are made."""

    recipe: dict[str, Any]
    data: Path
    threads: int
    cores: list[int] | None
    binary: Path
    # PyTorch's side; without a Python it is left out. Its variants by network and activation.
    python: Path | None
    variants: dict[tuple[str, str], str]
    compiled: Path

    def train(self, cases: Sequence[Case], seeds: int) -> Iterator[Training]:
        """All trainings, seed by seed, the sides in turn; which is first alternates."""
        sides = [self._ours] if self.python is None else [self._ours, self._torch]
        with tempfile.TemporaryDirectory() as name:
            recipe = Path(name) / "recipe.toml"
            for seed, case in itertools.product(range(seeds), cases):
                text = recipes.to_toml(recipes.vary(self.recipe, case))
                recipe.write_text(text, encoding="utf-8")
                first = None
                for side in sides[:: -1 if seed % 2 else 1]:
                    training = side(case, seed, recipe)
                    _report(training)
                    first = first or training
                    if not _same_rows(first, training):
                        raise processes.RunError(f"{case}, seed {seed}: the rows are not the same")
                    yield training

    def _ours(self, case: Case, seed: int, recipe: Path) -> Training:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "run"
            command = [self.binary, "--config", recipe, "--backend", "flex", "--quiet"]
            command += ["--data", self.data, "--seed", seed, "--out", folder]
            seconds, busy, _ = self._run(f"ours, {case}, seed {seed}", command)
            summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
            network = tomllib.loads((folder / "last.toml").read_text(encoding="utf-8"))
            metrics = (folder / "metrics.csv").read_text(encoding="utf-8").splitlines()
        if summary["validation"] is None:
            raise processes.RunError("the recipe holds nothing out")
        rows = list(csv.DictReader(metrics))
        trained = [row for row in rows if row["split"] == "train"]
        held_out = [row for row in rows if row["split"] == "valid"]
        memory = summary["peak_memory_bytes"]
        return Training(
            case=case,
            side="ours",
            variant="flex",
            threads=self.threads,
            seed=seed,
            training_images=int(trained[0]["images"]),
            training_mean=network["scaling"]["mean"],
            held_out_by_class=[of["images"] for of in summary["validation"]["classes"]],
            epochs=[
                Epoch(
                    epoch=int(train["epoch"]),
                    accuracy=float(valid["accuracy"]),
                    training_seconds=float(train["seconds"]),
                    validating_seconds=float(valid["seconds"]),
                )
                for train, valid in zip(trained, held_out, strict=True)
            ],
            process_seconds=seconds,
            reading_seconds=None,
            warming_up_seconds=None,
            peak_rss_kib=None if memory is None else memory // 1024,
            busy_elsewhere=busy,
            versions={"trainer": summary["program"]["version"]},
        )

    def _torch(self, case: Case, seed: int, recipe: Path) -> Training:
        command = [self.python, FOLDER / "torch_training.py", "--recipe", recipe]
        command += ["--data", self.data, "--seed", seed, "--threads", self.threads]
        variant = self.variants[case.preset, case.activation]
        name = f"PyTorch, {case}, seed {seed}"
        seconds, busy, output = self._run(name, [*command, "--variant", variant])
        [result] = processes.parse_results(name, output, 1)
        return Training(
            case=case,
            side="torch",
            variant=variant,
            threads=self.threads,
            seed=seed,
            training_images=result["training_images"],
            training_mean=result["training_mean"],
            held_out_by_class=result["held_out_by_class"],
            epochs=[Epoch(**epoch) for epoch in result["epochs"]],
            process_seconds=seconds,
            reading_seconds=result["reading_seconds"],
            warming_up_seconds=result["warming_up_seconds"],
            peak_rss_kib=result["peak_rss_kib"],
            busy_elsewhere=busy,
            versions=result["versions"],
        )

    def _run(self, name: str, command: Sequence[Any]) -> tuple[float, float | None, str]:
        """Seconds of the process, cores that others kept busy, and what it printed."""
        cores = None if self.cores is None else self.cores[: self.threads]
        load, start = processes.Load(), time.monotonic()
        process = processes.start([*map(str, command)], self.threads, cores, self.compiled)
        try:
            output = processes.finish(name, process, start + LONGEST_TRAINING)
        finally:
            process.kill()
            process.wait()
        return time.monotonic() - start, load.busy_elsewhere(), output


def _report(training: Training) -> None:
    print(
        f"seed {training.seed}  {training.case}: {LABELS[training.side]} {training.variant} "
        f"{training.accuracy:.2%}, {training.seconds:.1f} s of training",
        file=sys.stderr,
    )


def _same_rows(one: Training, other: Training) -> bool:
    """Whether the same rows are trained on and held out, as far as counts and the mean tell."""
    return (
        one.training_images == other.training_images
        and one.held_out_by_class == other.held_out_by_class
        and math.isclose(one.training_mean, other.training_mean, rel_tol=1e-6)
    )


def fastest_variants(
    asked: Sequence[Recipe], threads: int, game: Contest, python: Path, variants: Sequence[str]
) -> tuple[dict[tuple[str, str], str], list[Run]]:
    """The fastest of PyTorch's variants by network and activation, and the steps that show it."""
    networks = {(one.case.preset, one.case.activation): one.batch_size for one in asked}
    if len(variants) == 1:
        return dict.fromkeys(networks, variants[0]), []
    fastest: dict[tuple[str, str], str] = {}
    tried: list[Run] = []
    contenders = peer("torch", python, variants, None)
    for (preset, activation), batch in networks.items():
        workload = Workload(preset, activation, "train", batch)
        runs = list(game.compare([workload], [threads], contenders))
        best = max(runs, key=lambda run: run.images_per_second)
        fastest[preset, activation] = best.variant
        tried += runs
    return fastest, tried
