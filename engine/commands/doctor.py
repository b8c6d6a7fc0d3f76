"""`doctor`: what this machine has for the work, and for each thing missing the command that brings it."""

import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from engine import layout
from engine.compose import Request

_PACKAGES = (
    ("tensorflow", "train"),
    ("ai-edge-litert", "runtime"),
    ("tflite-runtime", "runtime"),
    ("mlflow", "tracking"),
    ("pillow", "runtime"),
)
_CORAL_USB = {("1a6e", "089a"): "not used yet", ("18d1", "9302"): "ready"}  # Coral's data sheet: it changes its id at first use


def main(request: Request) -> tuple[int, None]:
    """Print a line for each thing looked for; the exit status is 0, since none is needed for planning."""
    checks = (_python(), _packages(), _disk(request.outputs), _store(request), _docker(), _coral(Path("/sys")))
    for found, text, fix in (line for check in checks for line in check):
        print(f"{'ok     ' if found else 'missing'}  {text}")
        if not found and fix:
            print(f"         {fix}")
    return 0, None


Line = tuple[bool, str, str]


def _python() -> Iterator[Line]:
    yield True, f"Python {platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} processors", ""
    pages = os.sysconf("SC_PAGE_SIZE")
    if platform.machine() == "aarch64":
        yield (
            pages == 4096,
            f"memory pages of {pages} bytes",
            "a Coral on PCIe needs 4 kB pages: kernel=kernel8.img in /boot/firmware/config.txt",
        )


def _packages() -> Iterator[Line]:
    for name, extra in _PACKAGES:
        for distribution in (name, f"{name}-cpu"):
            try:
                yield True, f"{distribution} {importlib.metadata.version(distribution)}", ""
                break
            except importlib.metadata.PackageNotFoundError:
                continue
        else:
            if name != "tflite-runtime" or sys.version_info < (3, 12):
                yield False, name, f"uv sync --extra {extra}"


def _disk(outputs: Path) -> Iterator[Line]:
    folder = outputs if outputs.exists() else Path.cwd()
    free = shutil.disk_usage(folder).free
    yield free > 2e9, f"{free / 1e9:.1f} GB free for {folder}", "make room: python run.py clean"


def _store(request: Request) -> Iterator[Line]:
    runs = layout.runs(request.outputs)
    yield True, f"{len(runs)} runs below {request.outputs}", ""
    uri = request.settings.tracking.uri or "sqlite below outputs/"
    yield True, f"MLflow: {_without_password(str(uri))}", ""


def _docker() -> Iterator[Line]:
    where = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    there = Path(where.removeprefix("unix://")).exists() if where.startswith("unix://") else True
    yield there, f"Docker engine ({where})", "not needed: stages run as local processes; sudo apt-get install docker.io brings one"


def _coral(sysfs: Path) -> Iterator[Line]:
    """Look for an Edge TPU on USB and on PCIe, as the kernel lists them."""
    found = False
    for device in sysfs.glob("bus/usb/devices/*/idVendor"):
        ids = (device.read_text().strip(), (device.parent / "idProduct").read_text().strip())
        if ids in _CORAL_USB:
            found = True
            yield True, f"Coral USB Accelerator {':'.join(ids)} ({_CORAL_USB[ids]})", ""
    for device in sysfs.glob("bus/pci/devices/*/vendor"):
        if (device.read_text().strip(), (device.parent / "device").read_text().strip()) == ("0x1ac1", "0x089a"):
            found = True
            driver = any(sysfs.glob("class/apex/apex_*"))
            yield (
                driver,
                "Coral on PCIe 1ac1:089a" + ("" if driver else " without its driver"),
                "install Coral's gasket-dkms; /dev/apex_0 appears",
            )
    if not found:
        yield (
            False,
            "Edge TPU: no Coral on USB (1a6e:089a, 18d1:9302) or PCIe (1ac1:089a)",
            "plug one in; without it models are checked as int8 TFLite on the processor",
        )


def _without_password(uri: str) -> str:
    head, at, tail = uri.rpartition("@")
    return f"{head.split('//')[0]}//...@{tail}" if at and "//" in head else uri
