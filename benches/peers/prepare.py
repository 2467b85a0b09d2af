"""What must be there before anything is timed: the peers' environment, our binary, the machine."""

import hashlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
REQUIREMENTS = FOLDER / "requirements.txt"
# The Pythons that every pinned package has a build for.
PYTHONS = ((3, 11), (3, 13))


class PreparationError(Exception):
    """Something is missing; the text says what, and what helps."""


def default_environment() -> Path:
    """Where the virtual environment is kept."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "activation-lab" / "peers"


def install_peers(environment: Path) -> Path:
    """The environment's Python, with everything of `requirements.txt` installed."""
    oldest, newest = PYTHONS
    if not oldest <= sys.version_info[:2] <= newest:
        raise PreparationError(
            f"this is Python {platform.python_version()}; the pinned packages are built for "
            f"{oldest[0]}.{oldest[1]} to {newest[0]}.{newest[1]}: run this with one of them"
        )
    python = environment / "bin" / "python"
    stamp = environment / "installed"
    wanted = hashlib.sha256(
        REQUIREMENTS.read_bytes() + sys.version.encode() + str(environment).encode()
    ).hexdigest()
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return python
    if importlib.util.find_spec("ensurepip") is None:
        raise PreparationError(
            "this Python cannot make virtual environments (no `ensurepip`): "
            "on Debian and Ubuntu, `apt install python3-venv`"
        )
    print(f"Installing PyTorch and Keras into {environment}", file=sys.stderr)
    try:
        venv.create(environment, clear=True, with_pip=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise PreparationError(f"cannot make the environment {environment}: {error}") from error
    pip = subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", REQUIREMENTS])
    if pip.returncode != 0:
        raise PreparationError(
            "pip could not install the peers (its message is above): it needs the network, or "
            "`PIP_INDEX_URL` naming a mirror, and some 8 GB of space"
        )
    stamp.write_text(wanted)
    return python


def check_compiler() -> None:
    """`torch.compile` makes C++ of a network, and compiles that."""
    compilers = (os.environ.get("CXX"), "g++", "c++", "clang++")
    if not any(name and shutil.which(name) for name in compilers):
        raise PreparationError(
            "torch.compile needs a C++ compiler: on Debian and Ubuntu, `apt install g++`; "
            "or leave it out with `--torch-variants eager channels_last`"
        )
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        raise PreparationError(
            "torch.compile needs the headers of Python: on Debian and Ubuntu, "
            "`apt install python3-dev`; or leave it out with "
            "`--torch-variants eager channels_last`"
        )


def build_example() -> Path:
    """Builds the example `step_speed`; where it lies."""
    return _build("step_speed", "--example", "step_speed")


def build_trainer() -> Path:
    """Builds the program itself, as `cargo run -p trainer` has it; where it lies."""
    return _build("trainer")


def _build(name: str, *targets: str) -> Path:
    if shutil.which("cargo") is None:
        raise PreparationError("cargo is not there: install Rust from https://rustup.rs")
    # The whole workspace, so that Burn keeps its features and is not compiled anew.
    command = ["cargo", "build", "--workspace", *targets]
    print(" ".join(command), file=sys.stderr)
    build = subprocess.run(
        [*command, "--message-format=json-render-diagnostics"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    if build.returncode != 0:
        raise PreparationError("cargo could not build our side (its message is above)")
    for line in build.stdout.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == name:
            return Path(message["executable"])
    raise PreparationError(f"cargo built no `{name}`")


def check_threads(threads: int, cores: Sequence[int] | None) -> None:
    """Threads that share a core would say nothing."""
    if cores is not None and threads > len(cores):
        raise PreparationError(
            f"{threads} threads were asked for, but there are {len(cores)} cores: see `--threads`"
        )


def cores() -> list[int] | None:
    """One processor of each core, the first core last, since it serves most interrupts; `None`
    where processes cannot be bound to processors."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    first_siblings: dict[str, int] = {}
    for cpu in sorted(os.sched_getaffinity(0)):
        siblings = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        key = siblings.read_text() if siblings.exists() else str(cpu)
        first_siblings.setdefault(key, cpu)
    return sorted(first_siblings.values(), reverse=True)


@dataclass(frozen=True)
class Machine:
    """What the numbers depend on."""

    processor: str
    cores: int
    vector_instructions: list[str]
    system: str
    commit: str | None
    uncommitted_changes: bool


def describe_machine() -> Machine:
    """The machine, and the state of the source."""
    processor, flags = platform.processor() or platform.machine(), []
    information = Path("/proc/cpuinfo")
    if information.exists():
        lines = [line.partition(":") for line in information.read_text().splitlines()]
        fields = {name.strip(): value.strip() for name, _, value in lines}
        processor = fields.get("model name", processor)
        vectors = ("avx", "fma", "amx", "asimd", "sve")
        all_flags = fields.get("flags") or fields.get("Features") or ""
        flags = [flag for flag in all_flags.split() if flag.startswith(vectors)]
    elif sys.platform == "darwin":
        brand = ["sysctl", "-n", "machdep.cpu.brand_string"]
        processor = subprocess.run(brand, capture_output=True, text=True).stdout.strip()
    return Machine(
        processor=processor,
        cores=len(cores() or []) or os.cpu_count() or 1,
        vector_instructions=flags,
        system=platform.platform(),
        commit=_git("rev-parse", "HEAD"),
        uncommitted_changes=bool(_git("status", "--porcelain")),
    )


def _git(*arguments: str) -> str | None:
    try:
        git = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    except OSError:
        return None
    return git.stdout.strip() if git.returncode == 0 else None
