"""Fetches single files of published npm packages with the `npm` program, which knows the user's registry.

Nothing of a package is executed.
"""

import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from engine.asset import NpmFile

TIMEOUT_S = 600  # a package may have hundreds of megabytes
_PROGRAM = "npm"


class NpmError(Exception):
    """The file was not fetched; the text is the reason."""


def is_installed() -> bool:
    """Return whether the npm program is on PATH."""
    return shutil.which(_PROGRAM) is not None


def fetch(file: NpmFile, destination: Path, most_bytes: int, timeout_s: float = TIMEOUT_S) -> None:
    """Write a file of a package; of a larger one than `most_bytes`, only the beginning.

    NpmError: there is no npm program, it fails or takes too long, or the package lacks the file.
    """
    if not is_installed():
        raise NpmError("npm is not installed")
    with tempfile.TemporaryDirectory() as folder:
        _pack(file, Path(folder), timeout_s)
        _extract(file, Path(folder), destination, most_bytes)


def _pack(file: NpmFile, folder: Path, timeout_s: float) -> None:
    """Download the package's archive into the folder."""
    command = [_PROGRAM, "pack", "--ignore-scripts", f"{file.package}@{file.version}"]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "npm_config_update_notifier": "false"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired:
        raise NpmError(f"npm did not finish within {timeout_s:g} seconds") from None
    if done.returncode:
        raise NpmError(f"npm: {_reason(done.stderr)}")


def _reason(log: str) -> str:
    """Return the first line of npm's log that explains the error, without its prefix."""
    lines = [line.removeprefix("npm error").strip() for line in log.splitlines()]
    told = [line for line in lines if line and not line.startswith(("code ", "errno ", "syscall "))]
    return told[0] if told else "it failed without a message"


def _extract(file: NpmFile, folder: Path, destination: Path, most_bytes: int) -> None:
    """Copy the file from the only archive in the folder; its first path component has any name."""
    try:
        archive = next(folder.glob("*.tgz"))
        with tarfile.open(archive) as packed:
            for member in packed:
                if member.isfile() and member.name.partition("/")[2] == file.path:
                    content = packed.extractfile(member)
                    assert content is not None  # a regular file has content
                    destination.write_bytes(content.read(most_bytes + 1))
                    return
    except (StopIteration, tarfile.TarError, EOFError) as error:
        raise NpmError(f"npm wrote no readable archive ({type(error).__name__})") from None
    raise NpmError(f"the package has no file {file.path}")
