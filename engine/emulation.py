"""Finds the platforms whose programs this machine's kernel runs, including other architectures
through QEMU's handlers. It registers nothing.
"""

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.stage.platforms import PLATFORMS

BINFMT = Path("/proc/sys/fs/binfmt_misc")
HOW_TO_REGISTER = (
    "sudo apt-get install qemu-user-static binfmt-support && sudo update-binfmts --enable"
)
BY_CONTAINER = (
    "docker run --privileged --rm tonistiigi/binfmt --install all"  # for systems without apt-get
)

_LITTLE_ENDIAN = 1  # e_ident[EI_DATA] of elf(5)
_PER_LINUX32, _ASK = 8, 0xFFFFFFFF  # linux/personality.h


@dataclass(frozen=True, slots=True)
class Handler:
    """The interpreter that the kernel starts for programs of another platform."""

    name: str
    interpreter: str
    is_enabled: bool
    # flag F: opened at registration, so it also works where its file does not exist, as in a container
    is_fixed: bool


@dataclass(frozen=True, slots=True)
class Emulation:
    """The result of `look`: whether containers of a platform run here through a handler.

    If not, the reason and the command that fixes it.
    """

    platform: str
    handler: Handler | None
    is_registered: bool
    what: str
    fix: str


def look(platform: str, binfmt: Path = BINFMT) -> Emulation:
    """Return how programs of the platform are handled."""
    if not (binfmt / "register").exists():
        fix = f"sudo mount -t binfmt_misc binfmt_misc {binfmt}, then: {HOW_TO_REGISTER}"
        return Emulation(
            platform,
            None,
            False,
            f"no handler found for {platform}: binfmt_misc is not mounted",
            fix,
        )
    found = sorted(
        _handlers(platform, binfmt),
        key=lambda handler: (not handler.is_enabled, not handler.is_fixed, handler.name),
    )
    if not found:
        return Emulation(
            platform,
            None,
            False,
            f"no handler is registered for {platform}",
            f"{HOW_TO_REGISTER}, or: {BY_CONTAINER}",
        )
    best = found[0]
    if not best.is_enabled or _is_off(binfmt):
        return Emulation(
            platform,
            best,
            False,
            f"the handler {best.name} for {platform} is disabled",
            "sudo update-binfmts --enable",
        )
    if not best.is_fixed:
        what = (
            f"the handler {best.name} for {platform} lacks the flag F, so it is not found inside a "
            "container"
        )
        return Emulation(platform, best, False, what, f"{HOW_TO_REGISTER}, or: {BY_CONTAINER}")
    return Emulation(platform, best, True, f"{platform} through {best.name}", "")


def is_native(platform: str, here: str) -> bool:
    """Return whether a machine of the platform `here` runs programs of the platform without a handler."""
    return platform == here or (
        (platform, here) == ("linux/arm/v7", "linux/arm64") and runs_32_bit()
    )


def runs_32_bit() -> bool:
    """Return whether this machine's processor runs 32-bit programs: if it cannot, an arm64 kernel
    refuses the personality (arch/arm64/kernel/sys.c).
    """
    try:
        personality = ctypes.CDLL(None).personality
    except (OSError, AttributeError):
        return False
    before = personality(ctypes.c_ulong(_ASK))
    if before < 0 or personality(ctypes.c_ulong(_PER_LINUX32)) < 0:
        return False
    personality(ctypes.c_ulong(before))
    return True


def _handlers(platform: str, binfmt: Path) -> Iterator[Handler]:
    wanted = PLATFORMS.get(platform)
    if wanted is None:
        return
    header = (wanted.elf_class, _LITTLE_ENDIAN, wanted.elf_machine)
    for path in sorted(binfmt.iterdir()):
        if path.name in ("register", "status"):
            continue
        try:
            lines = path.read_text(encoding="ascii", errors="replace").splitlines()
        except OSError:
            continue  # removed meanwhile
        facts = {
            key.rstrip(":"): value.strip()
            for key, _, value in (line.partition(" ") for line in lines)
        }
        if _header(facts.get("magic", ""), facts.get("offset", "0")) == header:
            yield Handler(
                path.name,
                facts.get("interpreter", ""),
                "enabled" in facts,
                "F" in facts.get("flags", ""),
            )


def _header(magic: str, offset: str) -> tuple[int, int, int] | None:
    """Return bits, byte order and machine of the programs with this header.

    None if it is not an ELF header.
    """
    try:
        begin = bytes.fromhex(magic)
    except ValueError:
        return None
    if offset != "0" or len(begin) < 20 or not begin.startswith(b"\x7fELF"):
        return None
    return begin[4], begin[5], int.from_bytes(begin[18:20], "little" if begin[5] == 1 else "big")


def _is_off(binfmt: Path) -> bool:
    try:
        return (binfmt / "status").read_text(encoding="ascii").strip() == "disabled"
    except (OSError, UnicodeDecodeError):
        return False
