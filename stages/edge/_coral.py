"""Looks for an Edge TPU and says what keeps it from being used: reads /sys, /dev and /proc, whose roots are
arguments.

Opens no device and loads no library; standard library only, since it runs in the child process that may
crash.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

USB_IDS = {("1a6e", "089a"): "before its first use", ("18d1", "9302"): "with its firmware"}
PCI_ID = ("0x1ac1", "0x089a")
LOOKED_FOR = "USB 1a6e:089a or 18d1:9302, PCIe 1ac1:089a with /dev/apex_N"


@dataclass(frozen=True, slots=True)
class Roots:
    """Where the kernel tells of devices and processes."""

    sys: Path = Path("/sys")
    dev: Path = Path("/dev")
    proc: Path = Path("/proc")


HERE = Roots()


@dataclass(frozen=True, slots=True)
class Device:
    """An Edge TPU: how it is connected, and the node that a process has to open."""

    bus: str  # usb or pci, as libedgetpu's option `device` has it
    node: Path


def devices(roots: Roots) -> "list[Device]":
    """Return the Edge TPUs that the kernel knows, those on USB first."""
    return [*_on_usb(roots), *_on_pci(roots)]


def obstacle(roots: Roots) -> "tuple[str, str] | None":
    """Return why no Edge TPU can be used, as cause and sentence.

    Null where one can be, as far as can be seen from outside.
    """
    found = devices(roots)
    if not found:
        return "device", _absent(roots)
    reasons = [_against(device, roots) for device in found]
    return None if None in reasons else reasons[0]


def _against(device: Device, roots: Roots) -> "tuple[str, str] | None":
    if not device.node.exists():
        return (
            "device",
            f"the Edge TPU is on {_called(device)}, but its node {device.node} is not here: a "
            "container has to be given it",
        )
    if not os.access(device.node, os.R_OK | os.W_OK):
        group = "plugdev" if device.bus == "usb" else "apex"
        return (
            "permission",
            f"this user may not open {device.node}: join the group {group} and give it the device by a "
            "udev rule",
        )
    holder = next(_holders(device.node, roots), None)
    if holder:
        return (
            "busy",
            f"the Edge TPU is in use by {holder}, and serves one process at a time: end that one, or "
            "wait for it",
        )
    return None


def _absent(roots: Roots) -> str:
    if any(_pci_folders(roots)):
        return (
            "the Edge TPU on PCIe has no driver, since there is no /dev/apex_0: install gasket-dkms "
            "(on a Pi 5 with the kernel of 4 kB pages)"
        )
    return "none is connected"


def _called(device: Device) -> str:
    return "USB" if device.bus == "usb" else "PCIe"


def _on_usb(roots: Roots) -> Iterator[Device]:
    for folder in sorted((roots.sys / "bus/usb/devices").glob("*")):
        if (_said(folder / "idVendor"), _said(folder / "idProduct")) in USB_IDS:
            bus, number = _said(folder / "busnum"), _said(folder / "devnum")
            yield Device("usb", roots.dev / "bus/usb" / bus.zfill(3) / number.zfill(3))


def _on_pci(roots: Roots) -> Iterator[Device]:
    for node in sorted(roots.dev.glob("apex_*")):
        yield Device("pci", node)


def _pci_folders(roots: Roots) -> Iterator[Path]:
    for folder in sorted((roots.sys / "bus/pci/devices").glob("*")):
        if (_said(folder / "vendor"), _said(folder / "device")) == PCI_ID:
            yield folder


def _holders(node: Path, roots: Roots) -> Iterator[str]:
    """Yield the other processes that have the node open, as far as this user may see them."""
    for process in roots.proc.glob("[0-9]*"):
        if process.name == str(os.getpid()):
            continue
        try:
            if any(opened.readlink() == node for opened in (process / "fd").iterdir()):
                yield f"process {process.name} ({_said(process / 'comm')})"
        except OSError:  # it has ended, or is another user's
            continue


def _said(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
