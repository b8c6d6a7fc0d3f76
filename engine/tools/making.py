"""Makes the environments of images: virtual environments below the store, from the images' locks.

Every package is checked by its sha256. One is complete when its last file is written; after a kill it is
made again, from what the installer has kept of its downloads.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from engine import durable, handles, locks
from engine.errors import UserError
from engine.stage import virtualenv
from engine.stage.virtualenv import find_python
from engine.tools.definition import FOLDER, Environment
from engine.wording import as_typed, plural

POLL_S = 0.5
SHOW_S = 30.0  # how often progress is shown if the output is not a terminal
_SECONDS_PER_LINE = 1.0  # on a terminal
_MOST = 200  # characters of a complaint


def make(environment: Environment, store: Path) -> None:
    """Make the environment below the store, unless it exists; show the size first, then the progress.

    Raise UserError with the reason if it cannot be made.
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
        f"environment {environment.name}: installing {plural(environment.packages, 'package')}, "
        f"{_size(environment.size_bytes)}, into {as_typed(folder)}"
    )
    about = {"name": environment.name, "python": environment.python, "digest": environment.digest}
    progress = _Progress(environment, folder)
    virtualenv.ensure(folder, _steps(environment, folder, install), about, progress.call)
    seconds = time.monotonic() - start
    _say(f"environment {environment.name}: made in {seconds:.0f} s, {_size(size_bytes(folder))}")


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
                lock.unlink(missing_ok=True)
                yield folder, size


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
        self._start = self._shown = time.monotonic()

    def call(self, argv: list[str], lock: int) -> None:
        """Run a command; raise UserError if it fails. It inherits the open file `lock`."""
        with self._log.open("wb") as log:
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
            fix = f"see {as_typed(self._log)}; then repeat the command"
            why = _reason(self._log) if process.returncode > 0 else _killed(-process.returncode)
            raise _failed(self._environment, why, fix)

    def _show(self) -> None:
        now, is_terminal = time.monotonic(), sys.stderr.isatty()
        if now - self._shown < (_SECONDS_PER_LINE if is_terminal else SHOW_S):
            return
        self._shown = now
        done = sum(1 for _ in self._folder.glob("lib/python3.*/site-packages/*.dist-info"))
        text = (
            f"{self._environment.name}: {done} of {self._environment.packages} packages installed"
        )
        text += f" after {now - self._start:.0f} s"
        if is_terminal:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write(f"\r\033[K{f'{text}; {_last_line(self._log)}'[:width]}")
            sys.stderr.flush()
        else:
            _say(text)


def _failed(environment: Environment, why: str, fix: str) -> UserError:
    return UserError(f"environment {environment.name}", why, fix)


def _killed(by: int) -> str:
    return f"the installer was killed by signal {by}, perhaps because the memory was full"


def _reason(log: Path) -> str:
    """Return the installer's complaint, with its last cause, or else its last line."""
    lines = [line.strip() for line in log.read_text("utf-8", "replace").splitlines()]
    errors = [line[len("error:") :].strip() for line in lines if line[:6].lower() == "error:"]
    causes = [line[len("cause:") :].strip() for line in lines if line.startswith("cause:")]
    first = [*errors, *filter(None, reversed(lines)), "the installer gives no reason"][0]
    return f"{first[:_MOST]} ({_shortened(causes[-1])})" if errors and causes else first[:_MOST]


def _shortened(cause: str) -> str:
    """Return a cause without its middle: its end says what the system's error was."""
    half = _MOST // 2
    return cause if len(cause) <= _MOST else f"{cause[:half]} ... {cause[-half:]}"


def _last_line(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 500))
        lines = file.read().decode("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _size(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
