"""Processes that are timed, and how busy others keep the machine meanwhile."""

import json
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class RunError(Exception):
    """A process failed, or printed something else than was asked for."""


# Has glibc's `malloc` keep what is freed, where it else gives large pieces back to the system and
# gets them again page by page, in every step.
KEEPING_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(1 << 40),
    "MALLOC_TOP_PAD_": str(64 << 20),
}


def start(
    command: Sequence[str],
    threads: int,
    cores: Sequence[int] | None,
    compiled: Path,
    keep_memory: bool = False,
) -> subprocess.Popen[str]:
    """Starts a process with so many threads on these cores. What `torch.compile` makes is kept
    in `compiled`."""
    environment = os.environ | {
        "RAYON_NUM_THREADS": str(threads),
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        # Compiled once, here, without helpers that could still be running.
        "TORCHINDUCTOR_CACHE_DIR": str(compiled),
        "TORCHINDUCTOR_COMPILE_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        # The CPU is what is compared.
        "CUDA_VISIBLE_DEVICES": "",
    }
    if keep_memory:
        environment |= KEEPING_MEMORY
    return subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=None if cores is None else lambda: os.sched_setaffinity(0, cores),
    )


def finish(name: str, process: subprocess.Popen[str], deadline: float) -> str:
    """What a process printed, once it has ended."""
    try:
        output, errors = process.communicate(timeout=deadline - time.monotonic())
    except subprocess.TimeoutExpired as error:
        raise RunError(f"{name} did not end in time") from error
    if process.returncode != 0:
        last = (errors.strip().splitlines() or ["without a word"])[-1]
        raise RunError(f"{name} failed with status {process.returncode}: {last}")
    return output


def parse_results(name: str, output: str, count: int) -> list[dict[str, Any]]:
    """The JSON lines that a process ends with."""
    try:
        results = [json.loads(line) for line in output.strip().splitlines()[-count:]]
    except ValueError as error:
        raise RunError(f"{name} printed something else than results: {output!r}") from error
    if len(results) != count:
        raise RunError(f"{name} printed {len(results)} results instead of {count}")
    return results


class Load:
    """How busy processors are with something else than our children, from its making on."""

    def __init__(self) -> None:
        self._start = self._now()

    @staticmethod
    def _now() -> tuple[float, float, float] | None:
        """The clock, seconds of all processors, seconds of children that ended."""
        try:
            total = Path("/proc/stat").read_text().splitlines()[0].split()
        except OSError:
            return None
        user, nice, system, _idle, _waiting, interrupt, soft_interrupt, stolen = map(
            int, total[1:9]
        )
        busy = user + nice + system + interrupt + soft_interrupt + stolen
        times = os.times()
        own = times.user + times.system + times.children_user + times.children_system
        return time.monotonic(), busy / os.sysconf("SC_CLK_TCK"), own

    def busy_elsewhere(self) -> float | None:
        """Cores busy with other programs, on average."""
        end = self._now()
        if self._start is None or end is None:
            return None
        clock, busy, own = (after - before for before, after in zip(self._start, end, strict=True))
        return max(0.0, (busy - own) / clock)
