"""Finds what prevents the use of the Edge TPU, from /sys, /dev and /proc, whose roots are arguments.

Opens no device and loads no library; standard library only, because it runs in the child process that
may crash.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.stage import coral
from engine.stage.coral import Coral

_GROUPS = {"usb": "plugdev", "pcie": "apex"}
_OPTIONS = {"usb": "usb", "pcie": "pci"}  # values of libedgetpu's option `device`


@dataclass(frozen=True)
class Roots:
    """The root folders of the kernel's device and process files."""

    sys: Path = Path("/sys")
    dev: Path = Path("/dev")
    proc: Path = Path("/proc")


HERE = Roots()


def option(roots: Roots) -> str:
    """Return the value of libedgetpu's option `device` for the bus of the Edge TPU."""
    return _OPTIONS[coral.find(roots.sys, roots.dev)[0].bus]


def obstacle(roots: Roots) -> tuple[str, str] | None:
    """Return why no Edge TPU can be used, as a cause and a sentence.

    None if one seems to be usable.
    """
    reasons = [_obstacle_of(device, roots) for device in coral.find(roots.sys, roots.dev)]
    if not reasons:
        return "device", "none is connected"
    return None if None in reasons else reasons[0]


def _obstacle_of(device: Coral, roots: Roots) -> tuple[str, str] | None:
    if device.node is None:
        return (
            "device",
            "the Edge TPU on PCIe has no driver (there is no /dev/apex_0): install "
            "gasket-dkms (on a Pi 5, with the kernel with 4 kB pages)",
        )
    if device.state == "node missing":
        return (
            "device",
            f"the Edge TPU is on {_called(device)}, but its node {device.node} is missing: "
            "pass the node to the container",
        )
    if device.state == "no permission":
        return (
            "permission",
            f"this user may not open {device.node}: join the group {_GROUPS[device.bus]}, "
            "and give the group access with a udev rule",
        )
    if holder := next(_holders(device.node, roots), None):
        return (
            "busy",
            f"the Edge TPU is in use by {holder}, and serves one process at a time: end that one, or "
            "wait for it",
        )
    return None


def _called(device: Coral) -> str:
    return "USB" if device.bus == "usb" else "PCIe"


def _holders(node: Path, roots: Roots) -> Iterator[str]:
    """Yield the other processes that have the node open, as far as this user may see them."""
    for process in roots.proc.glob("[0-9]*"):
        if process.name == str(os.getpid()):
            continue
        try:
            if any(opened.readlink() == node for opened in (process / "fd").iterdir()):
                yield f"process {process.name} ({_content(process / 'comm')})"
        except OSError:  # it has ended, or belongs to another user
            continue


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
