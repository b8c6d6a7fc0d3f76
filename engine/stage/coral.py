"""Finds the Edge TPUs of this machine in /sys: bus, device node and state. It does not open them."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Literal, Optional

SYS, DEV = Path("/sys"), Path("/dev")

Bus = Literal["usb", "pcie"]
State = Literal["ready", "not used yet", "driver missing", "node missing", "no permission"]

# A USB Accelerator first appears as Global Unichip's 1a6e:089a; at first use it loads its firmware, leaves
# the bus and reappears as Google's 18d1:9302 with another device node (google-coral/libedgetpu, driver/usb).
# So neither the id nor the node may be hard-coded.
USB_IDS = {
    "1a6e:089a": False,
    "18d1:9302": True,
}  # id -> whether it was used since it was plugged in
PCIE_ID = "1ac1:089a"
LIBRARY = "libedgetpu.so.1"
LOOKED_FOR = "USB 1a6e:089a or 18d1:9302, PCIe 1ac1:089a with /dev/apex_N"
UDEV_RULES: Dict[str, str] = {
    "usb": "".join(
        f'SUBSYSTEM=="usb", ATTRS{{idVendor}}=="{vendor}", ATTRS{{idProduct}}=="{product}", '
        'MODE="0664", GROUP="plugdev"\n'
        for vendor, product in (usb_id.split(":") for usb_id in USB_IDS)
    ),
    "pcie": 'SUBSYSTEM=="apex", MODE="0660", GROUP="apex"\n',
}


@dataclass(frozen=True)
class Coral:
    """An Edge TPU."""

    bus: Bus
    id: str  # vendor:device
    node: Optional[
        Path
    ]  # the node that the runtime opens, or its expected path; None without a driver
    state: State
    mbit_s: int = 0  # speed of its USB link: 480 is USB 2, 5000 is USB 3; 0: unknown

    @property
    def is_usable(self) -> bool:
        """Return whether the runtime can open it."""
        return self.state in ("ready", "not used yet")


def find(sys: Path = SYS, dev: Path = DEV) -> List[Coral]:
    """Return the Edge TPUs, those on USB first."""
    return [*_on_usb(sys, dev), *_on_pcie(sys, dev)]


def library(root: Path = Path("/")) -> Optional[Path]:
    """Return the path of the Edge TPU's library, searched for like the dynamic loader does.

    It is not loaded: an incompatible one would crash the process.
    """
    named = [Path(folder) for folder in os.environ.get("LD_LIBRARY_PATH", "").split(":") if folder]
    usual = [
        root / "usr/local/lib",
        *sorted((root / "usr/lib").glob("*-linux-gnu*")),
        root / "usr/lib",
    ]
    return next((folder / LIBRARY for folder in named + usual if (folder / LIBRARY).exists()), None)


def seen(sys: Path = SYS, dev: Path = DEV, root: Path = Path("/")) -> str:
    """Return its part of a fingerprint: a figure measured without an Edge TPU must not be reused once there
    is one.
    """
    ready = sorted({found.bus for found in find(sys, dev) if found.is_usable})
    return f"{', '.join(ready) or 'no device'}, {'with' if library(root) else 'without'} library"


def _on_usb(sys: Path, dev: Path) -> Iterator[Coral]:
    for device in sorted((sys / "bus/usb/devices").glob("*")):
        usb_id = f"{_line(device / 'idVendor')}:{_line(device / 'idProduct')}"
        if usb_id in USB_IDS:
            node = (
                dev / f"bus/usb/{_number(device / 'busnum'):03d}/{_number(device / 'devnum'):03d}"
            )
            yield Coral(
                "usb",
                usb_id,
                node,
                _state(node, USB_IDS[usb_id]),
                _number(device / "speed"),
            )


def _on_pcie(sys: Path, dev: Path) -> Iterator[Coral]:
    for device in sorted((sys / "bus/pci/devices").glob("*")):
        pci_id = f"{_line(device / 'vendor')}:{_line(device / 'device')}".replace("0x", "")
        if pci_id != PCIE_ID:
            continue
        node = next(
            (
                dev / apex.name
                for apex in sorted((sys / "class/apex").glob("apex_*"))
                if _belongs(apex, device)
            ),
            None,
        )
        state: State = _state(node, True) if node else "driver missing"
        yield Coral("pcie", pci_id, node, state)


def _belongs(apex: Path, device: Path) -> bool:
    return (apex / "device").resolve() == device.resolve()


def _state(node: Path, was_used: bool) -> State:
    if not node.exists():
        return "node missing"
    if not os.access(node, os.R_OK | os.W_OK):
        return "no permission"
    return "ready" if was_used else "not used yet"


def _line(path: Path) -> str:
    """Return the content of a file in /sys; empty if it cannot be read, as while a device disconnects."""
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _number(path: Path) -> int:
    text = _line(path)
    return int(text) if text.isascii() and text.isdigit() else 0
