"""The Edge TPUs of this machine, as the kernel lists them in /sys: bus, device node and state. It
opens none.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Literal, Optional

SYS, DEV = Path("/sys"), Path("/dev")

Bus = Literal["usb", "pcie"]
State = Literal["ready", "not used yet", "driver missing", "node missing", "no permission"]

# A USB Accelerator begins as Global Unichip's 1a6e:089a; at first use it loads its firmware, leaves the bus
# and comes back as Google's
# 18d1:9302 with another device node (google-coral/libedgetpu, driver/usb). So neither the id nor the node may
# be written down.
USB_IDS = {"1a6e:089a": False, "18d1:9302": True}  # id -> was it used since it was plugged in?
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
    node: Optional[Path]  # what the runtime opens, and where it should be; None without a driver
    state: State
    mbit_s: int = 0  # of its USB link: 480 is USB 2, 5000 USB 3; 0: unknown

    @property
    def is_usable(self) -> bool:
        """Whether the runtime can open it."""
        return self.state in ("ready", "not used yet")


def find(sys: Path = SYS, dev: Path = DEV) -> List[Coral]:
    """Return the Edge TPUs, those on USB first."""
    return [*_on_usb(sys, dev), *_on_pcie(sys, dev)]


def library(root: Path = Path("/")) -> Optional[Path]:
    """Return the Edge TPU's library, looked for where the loader does.

    It is not loaded: one that does not fit ends the process.
    """
    named = [Path(folder) for folder in os.environ.get("LD_LIBRARY_PATH", "").split(":") if folder]
    usual = [
        root / "usr/local/lib",
        *sorted((root / "usr/lib").glob("*-linux-gnu*")),
        root / "usr/lib",
    ]
    return next((folder / LIBRARY for folder in named + usual if (folder / LIBRARY).exists()), None)


def seen(sys: Path = SYS, dev: Path = DEV, root: Path = Path("/")) -> str:
    """Return its part of a fingerprint: a figure that was measured without an Edge TPU must not be
    reused once there is one.
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
    """Return what the kernel says there; empty if it says nothing, as while a device leaves."""
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _number(path: Path) -> int:
    text = _line(path)
    return int(text) if text.isascii() and text.isdigit() else 0
