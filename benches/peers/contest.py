"""Who is timed, at what, and in which order."""

import itertools
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from prepare import FOLDER
from processes import Load, RunError, finish, parse_result, start

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

    def compare(
        self,
        workloads: Sequence[Workload],
        threads: Sequence[int],
        contenders: Sequence[Contender],
    ) -> Iterator[Run]:
        """The runs of workloads, all of them and the contenders in turn."""
        active = {key: list(contenders) for key in itertools.product(workloads, threads)}
        best: dict[tuple[Workload, int, str, str], float] = {}
        for number in range(1, self.rounds + 1):
            for (workload, count), present in active.items():
                for contender in tuple(present):
                    try:
                        run = self.run(contender, workload, count, 1, number)
                    except RunError as error:
                        present.remove(contender)
                        sides = {other.side for other in present}
                        if contender.side == "ours" or contender.side not in sides:
                            raise
                        print(f"left out: {error}", file=sys.stderr)
                        continue
                    key = (workload, count, contender.side, contender.variant)
                    best[key] = max(best.get(key, 0.0), run.images_per_second)
                    yield run
                if number == SCOUTING_ROUNDS:
                    active[workload, count] = [
                        c for c in present if _is_fast(c, workload, count, best)
                    ]

    def compare_jobs(
        self, workload: Workload, jobs: int, contenders: Sequence[Contender]
    ) -> Iterator[Run]:
        """Runs of one process with as many threads as there are jobs, and of that many
        processes with one thread, in turn."""
        for number in range(1, self.rounds + 1):
            for contender in contenders:
                yield self.run(contender, workload, jobs, 1, number)
                yield self.run(contender, workload, 1, jobs, number)

    def run(
        self, contender: Contender, workload: Workload, threads: int, jobs: int, number: int
    ) -> Run:
        """Starts the processes together, and waits for them."""
        asked = asdict(workload)
        command = list(contender.command)
        for option, value in (asked | {"warmup": self.warmup, "steps": self.steps}).items():
            command += [f"--{option}", str(value)]
        if contender.side != "ours":
            command += ["--threads", str(threads)]
        name = f"{contender.side} {contender.variant}"
        load = Load()
        cores = None if self.cores is None else self.cores[: threads * jobs]
        started = [start(command, threads, cores, self.compiled) for _ in range(jobs)]
        try:
            deadline = time.monotonic() + LONGEST_RUN
            outputs = [finish(name, process, deadline) for process in started]
        finally:
            for process in started:
                process.kill()
                process.wait()
        busy_elsewhere = load.busy_elsewhere()
        results = [parse_result(name, output) for output in outputs]
        for result in results:
            found = {key: result.get(key) for key in (*asked, "threads")}
            if found != asked | {"threads": threads} or len(result["seconds"]) != self.steps:
                raise RunError(f"{name} was asked for {command[1:]}, but timed {result}")
        processes = [
            Process(result["seconds"], result["peak_rss_kib"], result.get("versions", {}))
            for result in results
        ]
        run = Run(
            workload=workload,
            side=contender.side,
            variant=contender.variant,
            threads=threads,
            jobs=jobs,
            round=number,
            images_per_second=sum(
                workload.batch / statistics.median(process.seconds) for process in processes
            ),
            peak_rss_kib=sum(process.peak_rss_kib for process in processes),
            busy_elsewhere=busy_elsewhere,
            processes=processes,
        )
        self._report(run)
        return run

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
    contender: Contender,
    workload: Workload,
    threads: int,
    best: dict[tuple[Workload, int, str, str], float],
) -> bool:
    if contender.side == "ours":
        return True
    rates = {
        variant: rate
        for (*where, side, variant), rate in best.items()
        if (*where, side) == (workload, threads, contender.side)
    }
    return rates[contender.variant] >= SCOUTING_SHARE * max(rates.values())
