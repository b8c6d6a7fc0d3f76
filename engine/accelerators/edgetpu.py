"""Google's Coral Edge TPU: its buses, its access from a container, its part of a fingerprint, and
`doctor`'s checks of device, driver, permissions, compiler and libraries. None of these is loaded.
"""

import os
import platform
import shutil
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import PathFinder
from pathlib import Path

from engine.accelerator import Access
from engine.finding import Finding, first_line
from engine.stage import coral
from engine.stage.coral import Coral

TITLE = "Edge TPU"
BUSES = ("usb", "pcie")
RUNTIME = "tflite_runtime"  # libedgetpu is built against it, not against LiteRT
# Weights that exceed its 8 MB are fetched for each inference: coral.ai/docs/edgetpu/compiler
MEMORY = 0

USB = Path("/dev/bus/usb")
USB_MAJOR = 189  # major number of USB character devices in Linux: admin-guide/devices.txt
PLUGDEV = 46  # Debian's group for pluggable devices
NODE = "/dev/apex_0"

_SOURCE = "Coral's package source (coral.ai/docs, Get started)"
_USB_3 = 5000  # Mbit/s
_RULES = {
    "usb": "/etc/udev/rules.d/60-edgetpu-usb.rules",
    "pcie": "/etc/udev/rules.d/65-apex.rules",
}
_GROUPS = {"usb": "plugdev", "pcie": "apex"}


def seen() -> str:
    """Return the buses with a usable Edge TPU, and whether its library is installed."""
    return coral.seen()


def is_usable(bus: str | None) -> bool:
    """Return whether a process on this machine can now open an Edge TPU on that bus."""
    return any(found.bus == bus and found.is_usable for found in coral.find())


def access(bus: str | None) -> Access:
    """Return what a container needs to open it.

    On USB that is a rule for all USB devices, because id and node change at first use.
    """
    if bus == "usb":
        return Access(binds=(USB,), cgroup_rules=(f"c {USB_MAJOR}:* rmw",), groups=(PLUGDEV,))
    return Access(devices=(NODE,))


def findings() -> list[Finding]:
    """Return the machine's Edge TPUs and their software, and what prevents their use."""
    return [*devices(), *software()]


def devices(
    sys_dir: Path = coral.SYS,
    dev: Path = coral.DEV,
    machine: str | None = None,
    page_bytes: int | None = None,
) -> list[Finding]:
    """Return the machine's Edge TPUs, and what prevents the use of each."""
    corals = coral.find(sys_dir, dev)
    return [
        *_pages(machine or platform.machine(), page_bytes or os.sysconf("SC_PAGE_SIZE")),
        *(_absent() if not corals else _present(corals)),
    ]


def software(
    root: Path = Path("/"), search: Sequence[str] | None = None, machine: str | None = None
) -> list[Finding]:
    """Return the compiler, the runtime's library and Google's PyCoral."""
    return [
        _compiler(machine or platform.machine()),
        _library(root),
        _pycoral(sys.path if search is None else search),
    ]


def _pages(machine: str, page_bytes: int) -> Iterator[Finding]:
    """Check the page size: a Raspberry Pi 5 boots with 16 kB pages, which break the PCIe driver."""
    if machine == "aarch64":
        what = f"memory pages of {page_bytes} bytes" + (
            "" if page_bytes == 4096 else ": an Edge TPU on PCIe needs 4096 (one on USB does not)"
        )
        yield Finding(
            page_bytes == 4096,
            what,
            "echo kernel=kernel8.img | sudo tee -a /boot/firmware/config.txt && sudo reboot",
        )


def _absent() -> Iterator[Finding]:
    ids = ", ".join(coral.USB_IDS)
    fix = "plug one in; without it, int8 models run on the CPU"
    yield Finding(False, f"Edge TPU: no Coral on USB ({ids}) or PCIe ({coral.PCIE_ID})", fix)


def _present(corals: Sequence[Coral]) -> Iterator[Finding]:
    for found in corals:
        name = f"Edge TPU on {'USB' if found.bus == 'usb' else 'PCIe'} {found.id}" + (
            f" ({found.node})" if found.node and found.state != "node missing" else ""
        )
        yield Finding(found.is_usable, f"{name}: {_state(found)}", _fix(found))
        if 0 < found.mbit_s < _USB_3:
            fix = (
                "plug it into a blue port (USB 3): over USB 2, an inference takes two to "
                "six times as long"
            )  # pycoral's benchmark references
            yield Finding(False, f"{name}: its USB link runs at {found.mbit_s} Mbit/s", fix)


def _state(found: Coral) -> str:
    if found.state == "not used yet":
        return (
            "not used yet; at its first use it reappears as 18d1:9302 at another node, and "
            "then draws up to 900 mA"
        )
    return found.state


def _fix(found: Coral) -> str:
    if found.state == "driver missing":
        return (
            f"sudo apt-get install gasket-dkms, from {_SOURCE}; for kernels from 6.5 on build "
            "github.com/google/gasket-driver (google-coral/edgetpu#808)"
        )
    if found.state == "node missing":
        return (
            "plug it in again; inside a container, run it with -v /dev/bus/usb:/dev/bus/usb or "
            "--device /dev/apex_0"
        )
    rules = " ".join(f"'{rule}'" for rule in coral.UDEV_RULES[found.bus].splitlines())
    group = _GROUPS[found.bus]
    return (
        f"printf '%s\\n' {rules} | sudo tee {_RULES[found.bus]} && sudo groupadd -f {group} && sudo "
        f"usermod -aG {group} $USER"
        " && sudo udevadm control --reload-rules && sudo udevadm trigger; then log in again"
    )


def _compiler(machine: str) -> Finding:
    found = shutil.which("edgetpu_compiler")
    if found:
        return Finding(True, f"edgetpu_compiler: {first_line([found, '--version']) or found}")
    if machine != "x86_64":
        return Finding(
            False,
            "edgetpu_compiler",
            "not available for this processor: compile on a PC (x86-64); without it, the "
            "mapping is predicted",
        )
    return Finding(
        False,
        "edgetpu_compiler",
        f"sudo apt-get install edgetpu-compiler, from {_SOURCE}; without it, the mapping "
        "is predicted",
    )


def _library(root: Path) -> Finding:
    found = coral.library(root)
    if not found:
        return Finding(
            False,
            "libedgetpu.so.1, needed only with an Edge TPU",
            f"sudo apt-get install libedgetpu1-std, from {_SOURCE}",
        )
    return Finding(True, f"libedgetpu.so.1 ({found})" + _clash())


def _clash() -> str:
    import importlib.metadata  # slow to import, and not needed for planning

    try:
        version = importlib.metadata.version("tflite-runtime")
    except importlib.metadata.PackageNotFoundError:
        return ""
    if [int(part) for part in version.split(".")[:2] if part.isdigit()] < [2, 12]:
        return ""
    return f"; Google's own build of it crashes with tflite-runtime {version} (google-coral/edgetpu#812)"


def _pycoral(search: Sequence[str]) -> Finding:
    """Distinguish Google's PyCoral from PyPI's package of that name, a coral-reef atlas client, without
    importing either.
    """
    found = PathFinder.find_spec("pycoral", list(search))
    if not found:
        fix = (
            "not needed: libedgetpu is used directly; Google's wheels are for Python 3.6 "
            "to 3.9, and PyPI's pycoral is an unrelated project"
        )
        return Finding(False, "Google's PyCoral", fix)
    if not any(
        (Path(path) / "utils" / "edgetpu.py").exists()
        for path in found.submodule_search_locations or ()
    ):
        return Finding(
            False,
            "Google's PyCoral: the installed pycoral is an unrelated project",
            "python -m pip uninstall pycoral",
        )
    return Finding(True, "Google's PyCoral")
