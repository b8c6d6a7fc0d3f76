"""Makes the environments of images: virtual environments below the store, from the images' locks.

Every package is checked by its sha256. One is complete when its last file is written; after a kill it is
made again, from what the installer has kept of its downloads.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from engine import durable, handles, locks
from engine.errors import UserError
from engine.stage import virtualenv
from engine.stage.virtualenv import find_python
from engine.tools import installer_log
from engine.tools.definition import FOLDER, Environment
from engine.wording import as_typed, duration, plural

POLL_S = 0.5
SHOW_S = 30.0  # how often progress is shown if the output is not a terminal
_SECONDS_PER_LINE = 1.0  # on a terminal


def make(environment: Environment, store: Path) -> None:
    """Make the environment below the store, unless it exists; show the size first, then the progress.

    Raise UserError with the reason if it cannot be made; a failed installation is remembered.
    """
    if environment.is_made(store):
        return
    if why := environment.obstacle(store):
        raise _failed(environment, why, "see what the environment needs: python run.py doctor")
    show_licence(environment.name, environment.licence, store)
    folder, start = environment.folder(store), time.monotonic()
    python = virtualenv.python_of(folder)
    install = virtualenv.installer(python, os.environ)
    _say(
        f"environment {environment.name}: installing {contents(environment)}, into "
        f"{as_typed(folder)}, once, because some stages need other versions of packages"
    )
    about = {"name": environment.name, "python": environment.python, "digest": environment.digest}
    progress = _Progress(environment, folder)
    try:
        virtualenv.ensure(folder, _steps(environment, folder, install), about, progress.call)
    except UserError as error:
        environment.remember(store, error.what, error.fix)
        raise
    environment.forget(store)
    seconds = time.monotonic() - start
    _say(f"environment {environment.name}: made in {seconds:.0f} s, {_size(size_bytes(folder))}")


def contents(environment: Environment) -> str:
    """Return how much the environment is: 80 packages, 2.3 GB."""
    return f"{plural(environment.packages, 'package')}, {_size(environment.size_bytes)}"


def show_licence(name: str, licence: str | None, store: Path) -> None:
    """Show the note on the licence of an environment, once for each store."""
    shown = store / FOLDER / f"{name}.licence"
    if licence and not shown.is_file():
        _say(f"note: {licence}")
        shown.parent.mkdir(parents=True, exist_ok=True)
        durable.write_whole(shown, f"{licence}\n".encode())


def remove_outdated(
    store: Path, current: Iterable[Environment], names: Iterable[str], *, dry_run: bool
) -> Iterator[tuple[Path, int]]:
    """Remove environments of these images whose locks have changed since; yield each with its size.

    No run may use the store meanwhile. names: of all images that are environments.
    """
    kept = {one.identity for one in current}
    for name in names:
        for folder in sorted((store / FOLDER).glob(f"{name}-*")):
            is_ours = folder.is_dir() and len(folder.name) == len(name) + 21
            if not is_ours or folder.name in kept:
                continue
            size = size_bytes(folder)
            lock = folder.with_name(f"{folder.name}.lock")
            if dry_run:
                yield folder, size
            elif locks.is_unlocked(lock) and handles.remove(folder):
                for suffix in (".lock", ".log", ".failed"):
                    folder.with_name(f"{folder.name}{suffix}").unlink(missing_ok=True)
                yield folder, size


def kept_bytes(store: Path, removed: Collection[Path]) -> int:
    """Return the size of all environments below the store, without the removed ones."""
    folders = (path for path in (store / FOLDER).glob("*") if path.is_dir())
    return sum(size_bytes(folder) for folder in folders if folder not in removed)


def size_bytes(folder: Path) -> int:
    """Return the size of the folder's files; links count nothing."""
    return sum(
        (Path(where) / name).lstat().st_size
        for where, _, names in os.walk(folder)
        for name in names
    )


def _steps(environment: Environment, folder: Path, install: list[str]) -> list[list[str]]:
    """Return the commands that make the environment, in order.

    Packages without a wheel come last, because they are built with the locked setuptools.
    """
    program = find_python(environment.python)
    assert program is not None
    is_uv = install[1:2] == ["pip"]
    venv = [program, "-m", "venv", *(["--without-pip"] if is_uv else []), str(folder)]
    options = ["--no-deps", "--require-hashes", *(["--compile-bytecode"] if is_uv else [])]
    wheels, *sources = (["-r", str(lock)] for lock in environment.locks)
    steps = [venv, [*install, *options, "--only-binary", ":all:", *wheels]]
    return [*steps, *([*install, *options, "--no-build-isolation", *one] for one in sources)]


class _Progress:
    """Runs the commands that make one environment, and shows how far they are."""

    def __init__(self, environment: Environment, folder: Path) -> None:
        self._environment, self._folder = environment, folder
        self._log = folder.with_name(f"{folder.name}.log")
        self._has_begun = False
        self._from = 0  # where the output of the current command begins
        self._start = self._shown = time.monotonic()

    def call(self, argv: list[str], lock: int) -> None:
        """Run a command; raise UserError if it fails. It inherits the open file `lock`."""
        with self._log.open("ab" if self._has_begun else "wb") as log:
            self._has_begun = True
            self._from = log.tell()
            process = subprocess.Popen(
                argv,
                env=virtualenv.own_environment(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[lock],
            )
            try:
                while process.poll() is None:
                    self._show()
                    time.sleep(POLL_S)
            except BaseException:
                process.kill()
                process.wait()
                raise
        if sys.stderr.isatty():
            sys.stderr.write("\r\033[K")
        if process.returncode:
            handles.remove(self._folder)  # now, while nobody else makes it
            what, fix = installer_log.failure(self._text())
            if process.returncode < 0:
                what, fix = _killed(-process.returncode), ""
            see = f"see {as_typed(self._log)}; see also: python run.py doctor"
            raise _failed(self._environment, what, fix or see)

    def _show(self) -> None:
        now, is_terminal = time.monotonic(), sys.stderr.isatty()
        if now - self._shown < (_SECONDS_PER_LINE if is_terminal else SHOW_S):
            return
        self._shown = now
        done = sum(1 for _ in self._folder.glob("lib/python3.*/site-packages/*.dist-info"))
        phase = installer_log.phase(self._text(), done, self._environment.packages)
        text = f"{self._environment.name}: {phase}, {duration(now - self._start)} so far"
        if is_terminal:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write(f"\r\033[K{text[:width]}")
            sys.stderr.flush()
        else:
            _say(text)

    def _text(self) -> str:
        """Return what the last command has written."""
        return self._log.read_bytes()[self._from :].decode("utf-8", "replace")


def _failed(environment: Environment, why: str, fix: str) -> UserError:
    return UserError(f"environment {environment.name}", why, fix)


def _killed(by: int) -> str:
    return f"the installer was killed by signal {by}, perhaps because the memory was full"


def _size(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
