"""`doctor`'s checks of the machine itself: its kind, Python and packages, memory and disk."""

import importlib.metadata
import os
import platform
import shutil
import sys
from pathlib import Path

from engine import gpus as found_gpus
from engine.finding import Finding

_CORE = ("hydra-core", "omegaconf", "pydantic", "networkx")  # nothing starts without them
_EXTRAS = {
    "runtime": (
        "numpy",
        "pillow",
        "av",
        "opencv-python-headless",
        "ai-edge-litert",
        "tflite-runtime",
    ),
    "train": ("tensorflow",),
    "tracking": ("mlflow",),
    "search": ("optuna",),
    "containers": ("docker", "cyclonedx-python-lib"),
}
_LEAST_DISK = 2e9  # bytes: enough for a run of the largest use case, including its store


def python(proc: Path = Path("/proc")) -> list[Finding]:
    """Return the machine and its Python."""
    what = (
        f"Python {platform.python_version()} on {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} processors"
    )
    return [Finding(True, what + _memory(proc) + _model(proc))]


def gpus() -> list[Finding]:
    """Return the GPUs that stages may ask for; nothing if there are none."""
    models = [gpu.model for gpu in found_gpus.here()]
    return [
        Finding(True, f"{model} (stages get it with resources: {{gpu: 1}})") for model in models
    ]


def packages(
    machine: str | None = None, version: tuple[int, int] = sys.version_info[:2]
) -> list[Finding]:
    """Return the versions of installed packages; leave out packages that this kind of machine cannot have."""
    not_to_be_had = (
        {"ai-edge-litert", "av"} if (machine or platform.machine()) == "armv7l" else set()
    )  # no wheels exist for it
    not_to_be_had |= {"tflite-runtime"} if version >= (3, 12) else set()
    found = [Finding(True, ", ".join(filter(None, map(_installed, _CORE))))]
    for extra, names in _EXTRAS.items():
        found += [_package(name, extra) for name in names if name not in not_to_be_had]
    return found


def disk(outputs: Path) -> list[Finding]:
    """Return the free space for runs."""
    there = next(folder for folder in (outputs, *outputs.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    return [
        Finding(
            free > _LEAST_DISK,
            f"{free / 1e9:.1f} GB free for {outputs}",
            "free space: python run.py clean",
        )
    ]


def _package(name: str, extra: str) -> Finding:
    found = _installed(name) or _installed(f"{name}-cpu")
    return Finding(bool(found), found or name, f"uv sync --extra {extra}")


def _installed(name: str) -> str:
    try:
        return f"{name} {importlib.metadata.version(name)}"
    except importlib.metadata.PackageNotFoundError:
        return ""


def _memory(proc: Path) -> str:
    try:
        words = (proc / "meminfo").read_text(encoding="ascii", errors="replace").split()
        return f", {int(words[words.index('MemTotal:') + 1]) * 1024 / 1e9:.1f} GB of memory"
    except (OSError, ValueError, IndexError):
        return ""


def _model(proc: Path) -> str:
    """Return the board's model, such as "Raspberry Pi 5 Model B Rev 1.0"; empty on a PC."""
    try:
        model = (proc / "device-tree/model").read_text(encoding="utf-8", errors="replace")
        return f", {model.rstrip(chr(0))}"
    except OSError:
        return ""
