"""Who is timed, at what, and in which order."""

import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from prepare import FOLDER
from processes import Load, RunError, finish, parse_results, start

# After so many rounds, variants this much slower than their side's fastest are left out.
SCOUTING_ROUNDS = 2
SCOUTING_SHARE = 0.9
# Compiling is in the first run of a variant.
LONGEST_RUN = 1800


@dataclass(frozen=True)
class Workload:
    """A network, and what is done with it."""

    preset: str
    activation: str
    mode: str
    batch: int


@dataclass(frozen=True)
class Contender:
    """One way to compute a workload."""

    side: str
    variant: str
    command: tuple[str, ...]


@dataclass(frozen=True)
class Process:
    """What one process measured."""

    seconds: list[float]
    peak_rss_kib: int
    versions: dict[str, str]


@dataclass(frozen=True)
class Run:
    """What `jobs` processes at once, each with `threads` threads, did in a round."""

    workload: Workload
    side: str
    variant: str
    threads: int
    jobs: int
    round: int
    images_per_second: float
    peak_rss_kib: int
    # Cores that other programs kept busy meanwhile; `None` where that cannot be known.
    busy_elsewhere: float | None
    processes: list[Process]


# What is tried of each peer; the fastest counts. More is known to `torch_steps.py` and
# `keras_steps.py`, and slower.
PEER_VARIANTS: dict[str, dict[str, tuple[str, ...]]] = {
    "torch": {
        "train": ("eager", "channels_last", "compiled", "compiled_channels_last"),
        "eval": (
            "eager",
            "channels_last",
            "compiled",
            "compiled_channels_last",
            "torchscript",
        ),
    },
    "keras": {"train": ("tensorflow", "jax"), "eval": ("tensorflow", "jax")},
}


def ours(binary: Path, backends: Sequence[str], kernels: Sequence[str]) -> list[Contender]:
    """Our side, once for each backend and kind of kernels."""
    return [
        Contender(
            "ours",
            backend if kind == "fused" else f"{backend}, {kind} kernels",
            (str(binary), "--backend", backend, "--kernels", kind, "--json"),
        )
        for backend in backends
        for kind in kernels
    ]


def peer(side: str, python: Path, variants: Sequence[str], data: Path | None) -> list[Contender]:
    """A peer, once for each variant."""
    script = (str(python), str(FOLDER / f"{side}_steps.py"))
    digits = () if data is None else ("--data", str(data.resolve()))
    return [Contender(side, name, (*script, *digits, "--variant", name)) for name in variants]


@dataclass(frozen=True)
class Contest:
    """How runs are made."""

    rounds: int
    warmup: int
    steps: int
    cores: list[int] | None
    compiled: Path
    keep_memory: bool = False

    def compare(
        self,
        workloads: Sequence[Workload],
        threads: Sequence[int],
        contenders: Sequence[Contender],
    ) -> Iterator[Run]:
        """The runs of workloads that differ in the activation function alone, contenders in turn."""
        active = {count: list(contenders) for count in threads}
        best: dict[tuple[int, str, str], list[float]] = {}
        for number in range(1, self.rounds + 1):
            for count, present in active.items():
                for contender in tuple(present):
                    try:
                        runs = self.run(contender, workloads, count, 1, number)
                    except RunError as error:
                        present.remove(contender)
                        sides = {other.side for other in present}
                        if contender.side == "ours" or contender.side not in sides:
                            raise
                        print(f"left out: {error}", file=sys.stderr)
                        continue
                    rates = [run.images_per_second for run in runs]
                    key = (count, contender.side, contender.variant)
                    best[key] = [max(pair) for pair in zip(rates, best.get(key, rates), strict=True)]
                    yield from runs
                if number == SCOUTING_ROUNDS:
                    active[count] = [c for c in present if _is_fast(c, count, best)]

    def compare_jobs(
        self, workloads: Sequence[Workload], jobs: int, contenders: Sequence[Contender]
    ) -> Iterator[Run]:
        """Runs of one process with as many threads as there are jobs, and of that many
        processes with one thread, in turn."""
        for number in range(1, self.rounds + 1):
            for contender in contenders:
                yield from self.run(contender, workloads, jobs, 1, number)
                yield from self.run(contender, workloads, 1, jobs, number)

    def run(
        self,
        contender: Contender,
        workloads: Sequence[Workload],
        threads: int,
        jobs: int,
        number: int,
    ) -> list[Run]:
        """Starts the processes together, each of which takes the steps of all workloads in turn, and
        waits for them."""
        command = list(contender.command)
        for workload in workloads:
            command += ["--activation", workload.activation]
        first = workloads[0]
        shared = {"preset": first.preset, "mode": first.mode, "batch": first.batch}
        for option, value in (shared | {"warmup": self.warmup, "steps": self.steps}).items():
            command += [f"--{option}", str(value)]
        if contender.side != "ours":
            command += ["--threads", str(threads)]
        name = f"{contender.side} {contender.variant}"
        load = Load()
        cores = None if self.cores is None else self.cores[: threads * jobs]
        started = [
            start(command, threads, cores, self.compiled, self.keep_memory) for _ in range(jobs)
        ]
        try:
            deadline = time.monotonic() + LONGEST_RUN
            outputs = [finish(name, process, deadline) for process in started]
        finally:
            for process in started:
                process.kill()
                process.wait()
        busy_elsewhere = load.busy_elsewhere()
        results = [parse_results(name, output, len(workloads)) for output in outputs]
        runs = []
        for workload, *found in zip(workloads, *results, strict=True):
            asked = asdict(workload) | {"threads": threads}
            for result in found:
                timed = {key: result.get(key) for key in asked}
                if timed != asked or len(result["seconds"]) != self.steps:
                    raise RunError(f"{name} was asked for {command[1:]}, but timed {result}")
            processes = [
                Process(result["seconds"], result["peak_rss_kib"], result.get("versions", {}))
                for result in found
            ]
            rates = [
                workload.batch / statistics.median(process.seconds) for process in processes
            ]
            runs.append(
                Run(
                    workload=workload,
                    side=contender.side,
                    variant=contender.variant,
                    threads=threads,
                    jobs=jobs,
                    round=number,
                    images_per_second=sum(rates),
                    peak_rss_kib=sum(process.peak_rss_kib for process in processes),
                    busy_elsewhere=busy_elsewhere,
                    processes=processes,
                )
            )
        for run in runs:
            self._report(run)
        return runs

    def _report(self, run: Run) -> None:
        workload = run.workload
        jobs = f"{run.jobs} processes of " if run.jobs > 1 else ""
        print(
            f"round {run.round}/{self.rounds}  {workload.preset} {workload.activation} "
            f"{workload.mode} batch {workload.batch}, {jobs}{run.threads} thread(s): "
            f"{run.side} {run.variant} {run.images_per_second:,.0f} images/s",
            file=sys.stderr,
        )


def _is_fast(
    contender: Contender, threads: int, best: dict[tuple[int, str, str], list[float]]
) -> bool:
    """Whether it is near its side's fastest, with any of the workloads."""
    if contender.side == "ours":
        return True
    rates = {
        variant: rates
        for (count, side, variant), rates in best.items()
        if (count, side) == (threads, contender.side)
    }
    fastest = (max(column) for column in zip(*rates.values(), strict=True))
    own = rates[contender.variant]
    return any(a >= SCOUTING_SHARE * b for a, b in zip(own, fastest, strict=True))
