"""The kinds of accelerators: `accelerator: <name>` in a target selects engine/accelerators/<name>.py.

The rest of the engine refers to none of them by name. `none` means no accelerator.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol, cast

from engine import extensions
from engine.finding import Finding

NONE = "none"
NAMES = (NONE, *extensions.names("accelerators"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What a container needs to open an accelerator, beyond what every stage's container gets."""

    devices: tuple[str, ...] = ()  # device nodes, opened for reading and writing
    binds: tuple[Path, ...] = ()  # folders of the engine's machine, writable
    cgroup_rules: tuple[str, ...] = ()  # in the form of Docker's --device-cgroup-rule
    groups: tuple[int, ...] = ()  # supplementary group ids of the stage's user


NO_ACCESS = Access()


class Accelerator(Protocol):
    """A kind of accelerator: one module in engine/accelerators/, found by its name."""

    TITLE: str  # what users call it
    BUSES: tuple[str, ...]  # how it can be connected, the usual way first; empty: only one way
    RUNTIME: str | None  # default runtime of targets with it; None: any runtime works
    # bytes that a network and its tensors may take in it; 0: what exceeds its memory stays outside
    MEMORY: int

    @staticmethod
    def seen() -> str:
        """Return this machine's part of the fingerprint of a stage that asks for the accelerator.

        A figure measured without an accelerator must not stay cached once there is one. Empty if
        nothing on the machine affects figures.
        """

    @staticmethod
    def is_usable(bus: str | None) -> bool:
        """Return whether a process on this machine can now open a device on that bus."""

    @staticmethod
    def access(bus: str | None) -> Access:
        """Return what a container needs to open one on that bus, without looking for one."""

    @staticmethod
    def findings() -> list[Finding]:
        """Return the lines of `doctor`: each device and library, or what prevents its use."""


@cache
def of(name: str) -> Accelerator | None:
    """Return the accelerator of that name; None for `none`.

    Raise ModuleNotFoundError if it is not in NAMES.
    """
    if name == NONE:
        return None
    return cast(Accelerator, extensions.module("accelerators", name))


def installed() -> dict[str, Accelerator]:
    """Return all accelerators that the engine knows, by name."""
    found = {name: of(name) for name in NAMES}
    return {name: one for name, one in found.items() if one is not None}


def buses(name: str) -> tuple[str, ...]:
    """Return the buses that the accelerator can be connected to, the default first."""
    found = of(name)
    return found.BUSES if found else ()


def all_buses() -> tuple[str, ...]:
    """Return the buses of all accelerators."""
    return tuple(dict.fromkeys(bus for one in installed().values() for bus in one.BUSES))


def runtime(name: object) -> str | None:
    """Return the runtime that the accelerator needs; None if it needs none or there is no such
    accelerator.
    """
    found = of(name) if name in NAMES else None
    return found.RUNTIME if found else None


def memory(name: object) -> int:
    """Return the bytes that the accelerator has for a network; 0 if they are not limited, or if there is
    no such accelerator.
    """
    found = of(name) if name in NAMES else None
    return found.MEMORY if found else 0


def counted(name: str) -> dict[str, str]:
    """Return this machine's part of a fingerprint, under the accelerator's name."""
    found = of(name)
    seen = found.seen() if found else ""
    return {name: seen} if seen else {}


def access_to(name: str, bus: str | None) -> Access:
    """Return what a container needs to open the accelerator, wherever it runs."""
    found = of(name)
    return found.access(bus) if found else NO_ACCESS


def access_here(name: str, bus: str | None) -> Access:
    """Return the same for a container on this machine; no access if the machine has no such device."""
    found = of(name)
    return found.access(bus) if found and found.is_usable(bus) else NO_ACCESS
