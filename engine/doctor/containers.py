"""`doctor`'s checks of containers: the Docker engine, the platforms that it can run, and the
connection to an engine on a device.

The engine is queried over plain HTTP, which is fast, can be timed out, and needs no package.
"""

import http.client
import json
import os
import platform
import shutil
import socket
from pathlib import Path
from typing import Any

from engine import emulation
from engine.containers import daemon
from engine.finding import Finding, first_line
from engine.stage.platforms import PLATFORMS
from engine.target import DOCKER_SOCKET, platform_of

_TIMEOUT_S = 0.8
_LEAST_ROOM = 4e9  # bytes: enough for the images of the three platforms, including TensorFlow's


def engine() -> list[Finding]:
    """Return the engine with its version, its platform and the free space for its images."""
    where = _where()
    if not where.startswith(("unix://", "tcp://")) or os.environ.get("DOCKER_TLS_VERIFY"):
        return [
            Finding(
                True,
                f"Docker engine ({where}): not checked, because that may take a while; to check "
                "it: docker version",
            )
        ]
    try:
        info = _asked(where, "/info")
    except PermissionError:
        fix = "sudo usermod -aG docker $USER, and log in again"
        return [Finding(False, f"Docker engine ({where}): this user has no access to it", fix)]
    except OSError:
        fix = (
            "not needed: stages run as local processes; to install one: sudo apt-get "
            "install docker.io && sudo systemctl start docker"
        )
        return [Finding(False, f"Docker engine ({where}): not found", fix)]
    except (http.client.HTTPException, ValueError, AttributeError) as error:
        what = (
            f"Docker engine ({where}): the program at this address is not a Docker engine "
            f"({type(error).__name__})"
        )
        return [
            Finding(False, what, "set the engine's socket: DOCKER_HOST=unix:///var/run/docker.sock")
        ]
    if daemon.is_rootless(info.get("SecurityOptions") or ()):
        return [
            Finding(
                False,
                f"Docker engine ({where}): rootless, so stages could not write here",
                daemon.ROOTFUL,
            )
        ]
    kind = platform_of(str(info.get("Architecture")))
    return [
        Finding(True, f"Docker engine {info.get('ServerVersion')} ({where}), {kind}"),
        *_room(Path(str(info.get("DockerRootDir")))),
    ]


def foreign_platforms(binfmt: Path = emulation.BINFMT, machine: str | None = None) -> list[Finding]:
    """Return for each platform whether its containers run here."""
    if platform.system() != "Linux":
        return [Finding(True, "foreign platforms: Docker Desktop includes QEMU's handlers")]
    here = platform_of(machine or platform.machine())
    return [_platform(wanted, here, binfmt) for wanted in PLATFORMS]


def ssh() -> list[Finding]:
    """Return the SSH client, which targets with a `device:` need."""
    found = shutil.which("ssh")
    if not found:
        return [
            Finding(False, "ssh, for targets with a device", "sudo apt-get install openssh-client")
        ]
    return [Finding(True, f"ssh: {first_line([found, '-V']).partition(',')[0] or found}")]


def _platform(wanted: str, here: str, binfmt: Path) -> Finding:
    if emulation.is_native(wanted, here):
        return Finding(True, f"{wanted} natively")
    found = emulation.look(wanted, binfmt)
    return Finding(found.is_registered, found.what, found.fix)


def _where() -> str:
    try:
        return daemon.address()
    except ImportError:  # the package that reads Docker's contexts is missing
        return f"unix://{DOCKER_SOCKET}"


def _asked(where: str, path: str) -> dict[str, Any]:
    """Return the engine's response; raise OSError, HTTPException or ValueError if there is none.

    Raise AttributeError if it is not a mapping.
    """
    connection = (
        _Unix(where)
        if where.startswith("unix://")
        else http.client.HTTPConnection(where.removeprefix("tcp://"), timeout=_TIMEOUT_S)
    )
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        found = json.loads(answer.read(10_000_000))
        if answer.status != 200:
            raise ValueError(answer.status)
        return dict(found.items())
    finally:
        connection.close()


class _Unix(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, where: str) -> None:
        super().__init__("docker", timeout=_TIMEOUT_S)
        self._path = where.removeprefix("unix://")

    def connect(self) -> None:
        """Open the connection, which is closed with this object."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_TIMEOUT_S)
        self.sock.connect(self._path)


def _room(folder: Path) -> list[Finding]:
    """Return the free space for images if the engine runs on this machine."""
    try:
        free = shutil.disk_usage(folder).free if folder.is_absolute() else None
    except OSError:  # on another machine, or not accessible to this user
        return []
    fix = "free space: python run.py images prune"
    return (
        []
        if free is None
        else [Finding(free > _LEAST_ROOM, f"{free / 1e9:.1f} GB free for images ({folder})", fix)]
    )
