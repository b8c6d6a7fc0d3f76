"""What `doctor` says of containers: the Docker engine, the platforms that it can run, and the way to an engine on a device."""

import importlib.util
import platform
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine import emulation
from engine.commands._finding import Finding, first_line
from engine.errors import UserError
from engine.executors import _engine
from engine.target import is_native, platform_of


def engine(connect: Callable[[str], Any] = _engine.connect) -> list[Finding]:
    """Return the engine with its version, its platform and the room for its images."""
    if not importlib.util.find_spec("docker"):
        return [Finding(False, "Docker engine: the package to speak with it", "uv sync --extra containers")]
    where = _engine.address()
    try:
        client = connect(where)
        try:
            info = client.info()
        finally:
            client.close()
    except UserError as error:
        return [Finding(False, f"Docker engine ({where}): {error.what}", error.fix)]
    except Exception as error:  # docker-py has many kinds of them for an engine that answers oddly
        return [
            Finding(
                False, f"Docker engine ({where}): {_engine.said(error)}", "look whether that is a Docker engine; docker version says more"
            )
        ]
    kind = platform_of(str(info.get("Architecture", "")))
    return [
        Finding(True, f"Docker engine {info.get('ServerVersion', '')} ({where}), {kind}"),
        *_room(Path(str(info.get("DockerRootDir", "")))),
    ]


def foreign_platforms(binfmt: Path = emulation.BINFMT, machine: str | None = None) -> list[Finding]:
    """Return for each platform whether its containers run here."""
    if platform.system() != "Linux":
        return [Finding(True, "foreign platforms: Docker Desktop brings QEMU's handlers itself")]
    here = platform_of(machine or platform.machine())
    return [_platform(wanted, here, binfmt) for wanted in emulation.PLATFORMS]


def ssh() -> list[Finding]:
    """Return the SSH client, by which targets with a `device:` are reached."""
    found = shutil.which("ssh")
    if not found:
        return [Finding(False, "ssh, for targets with a device", "sudo apt-get install openssh-client")]
    return [Finding(True, f"ssh: {first_line([found, '-V']).partition(',')[0] or found}")]


def _platform(wanted: str, here: str, binfmt: Path) -> Finding:
    if is_native(wanted, here) and (wanted == here or emulation.runs_32_bit()):
        return Finding(True, f"{wanted} natively")
    found = emulation.look(wanted, binfmt)
    return Finding(found.is_registered, found.what, found.fix)


def _room(folder: Path) -> list[Finding]:
    """Return how much room an engine on this machine has for images."""
    try:
        free = shutil.disk_usage(folder).free if folder.is_absolute() else None
    except OSError:  # on another machine, or hidden from this user
        return []
    return (
        []
        if free is None
        else [Finding(free > 4e9, f"{free / 1e9:.1f} GB free for images ({folder})", "make room: python run.py images prune")]
    )
