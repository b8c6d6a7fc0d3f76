"""Connects to a device's Docker engine: OpenSSH forwards a local socket to it, with the user's own keys
and known host keys.
"""

import shlex
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from engine import ordinary
from engine.containers import daemon
from engine.errors import UserError
from engine.target import Address, address

CONNECT_S = 10
OPEN_S = 15.0
ALIVE_S, ALIVE_TIMES = 5, 3  # a connection that is silent for 15 s counts as lost

_OPTIONS = {
    "BatchMode": "yes",
    "ConnectTimeout": CONNECT_S,
    "ConnectionAttempts": 1,
    "ServerAliveInterval": ALIVE_S,
    "ServerAliveCountMax": ALIVE_TIMES,
    "StrictHostKeyChecking": "yes",
    "ControlMaster": "no",
    "ControlPath": "none",
    "ExitOnForwardFailure": "yes",
    "LogLevel": "INFO",
}

# ssh's message, what it means, and the fix; the first match counts
_CAUSES = (
    (
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        "its host key differs from the one known to this machine",
        "find out why; if the device was reinstalled: ssh-keygen -R {known}, then ssh "
        "{login} once, and compare the fingerprint",
    ),
    (
        "Host key verification failed",
        "its host key is unknown",
        "ssh {login} once, and compare the fingerprint with the device's own",
    ),
    ("Permission denied", "it refuses this user", "ssh-copy-id {login}"),
    (
        "Could not resolve hostname",
        "its host name cannot be resolved",
        "use its address, or add it to ~/.ssh/config",
    ),
    (
        "Connection refused",
        "no SSH server is running there",
        "enable SSH there: sudo systemctl enable --now ssh",
    ),
    ("timed out", "it does not answer", "is it switched on and in this network? ping {host}"),
    (
        "No route to host",
        "it cannot be reached",
        "is it switched on and in this network? ping {host}",
    ),
    ("unreachable", "it cannot be reached", "is it switched on and in this network? ping {host}"),
    ("Bad owner or permissions", "ssh refuses its configuration", "chmod 600 ~/.ssh/config"),
)

_REFUSED = "open failed"  # ssh's message if nothing listens at the other end, or not for this user


class Tunnel:
    """A tunnel that opens on first use, and again after it broke."""

    def __init__(self, device: str, where: str, config: str | None) -> None:
        self._address: Address = address(device)
        self._where, self._config = where, config
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._is_closed = False

    def connect(self) -> Any:
        """Return a docker.DockerClient for the device; raise UserError if it is unreachable."""
        with self._lock:
            if self._is_closed:
                raise UserError(self._where, "the connection to it is closed", "repeat the command")
            if self._process is None or self._process.poll() is not None:
                self._open()
        try:
            return daemon.connect(self._url)
        except UserError as error:
            self._look_for_the_end()
            if _REFUSED in self._output():
                what = f"the device answers, but has no Docker engine at {self._address.socket}"
                fix = "there: sudo apt-get install docker.io && sudo usermod -aG docker $USER"
            else:
                what, fix = error.what, f"try: ssh {self._typed} docker version"
            raise UserError(self._where, what, fix) from None

    def close(self) -> None:
        """Close the tunnel."""
        with self._lock:
            self._is_closed = True
        if self._process is not None:
            assert self._process.stdin
            self._process.stdin.close()
            try:
                self._process.wait(2)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    @property
    def _url(self) -> str:
        return f"unix://{self._socket}"

    @property
    def _socket(self) -> Path:
        if self._folder is None:
            self._folder = Path(
                tempfile.mkdtemp(prefix="rpi-ssh-")
            )  # short, because a socket's path has at most 107 bytes
        return self._folder / "docker.sock"

    def _open(self) -> None:
        """Start ssh. Its remote command reads until our end closes, so it ends with this process, however
        that happens.
        """
        if shutil.which("ssh") is None:
            raise UserError(
                self._where, "this machine has no ssh", "sudo apt-get install openssh-client"
            )
        if self._config and Path(self._config).exists():
            ordinary.check(f"ssh_config={self._config}", Path(self._config).stat())
        if self._process is not None and self._process.stdin:
            self._process.stdin.close()
        self._socket.unlink(missing_ok=True)
        options = [f"-o{key}={value}" for key, value in _OPTIONS.items()]
        config = ["-F", self._config] if self._config else []
        port = ["-p", str(self._address.port)] if self._address.port else []
        argv = [
            "ssh",
            "-T",
            *config,
            *options,
            *port,
            "-L",
            f"{self._socket}:{self._address.socket}",
            self._login,
            "cat",
        ]
        with (self._socket.parent / "log").open("wb") as log:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=log
            )
        deadline_s = time.monotonic() + OPEN_S
        while not _listens(self._socket):
            self._look_for_the_end()
            if time.monotonic() > deadline_s:
                self._process.kill()
                raise UserError(
                    self._where,
                    f"it does not answer within {OPEN_S:.0f} s",
                    f"try: ssh {self._typed}",
                )
            time.sleep(0.02)

    def _look_for_the_end(self) -> None:
        """Raise UserError with ssh's message if it has ended."""
        if self._process is None or self._process.poll() is None:
            return
        output = self._output()
        words = {"host": self._address.host, "known": self._known, "login": self._typed}
        for text, what, fix in _CAUSES:
            if text in output:
                raise UserError(self._where, what, fix.format(**words))
        last = (
            output.splitlines()[-1]
            if output
            else f"ssh ended with status {self._process.returncode}"
        )
        raise UserError(self._where, last, f"try: ssh {self._typed}")

    def _output(self) -> str:
        return (self._socket.parent / "log").read_text(errors="replace").strip()

    @property
    def _known(self) -> str:
        """Return the device's name in known_hosts."""
        return (
            shlex.quote(f"[{self._address.host}]:{self._address.port}")
            if self._address.port
            else self._address.host
        )

    @property
    def _typed(self) -> str:
        """Return the arguments of ssh that lead to the device."""
        port = f"-p {self._address.port} " if self._address.port else ""
        return port + shlex.quote(self._login)

    @property
    def _login(self) -> str:
        return (
            f"{self._address.user}@{self._address.host}"
            if self._address.user
            else self._address.host
        )


def _listens(path: Path) -> bool:
    """Return whether connections to the socket succeed; it exists a moment earlier."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(path))
        except OSError:
            return False
    return True
