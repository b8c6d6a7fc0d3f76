"""Runs Sony's converter, imxconv-tf, in a private temporary folder.

Its wrapper joins paths into a shell command without quoting them, so that it only gets plain names.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from engine.stage import StageError, progress
from stages.imx500._toolkit import CONVERTER

DNN_PARAMS = "dnnParams.xml"
PACKED = "packerOut.zip"
_NAME = "network"
_MOMENTS = (  # lines of the converter's log -> share of the work, as measured with MobileNetV2
    ("Wrote outputs", 0.2, "read the network"),
    ("ConvFe conversion finished", 0.5, "place it in the memory"),
    ("LogicModel generated", 0.65, "schedule it"),
    ("Backend successfully completed", 0.95, "generate instructions"),
)
# without the line of Sony's code at its end; the first names the cause
_ERROR = re.compile(r"^\S+ \S+ ERROR\s*: (.+?)(?: \[\S+:\d+\])?$", re.MULTILINE)
_SIGNALS = range(128 + 1, 128 + 65)  # a shell's exit status if a signal ended its program
_PLAIN = re.compile(r"[\w./-]+")
_OTHER_FOLDERS = ("/tmp", "/var/tmp")  # if the path of the outputs is not plain


@dataclass(frozen=True)
class Made:
    """What the converter wrote and printed."""

    folder: Path
    status: int
    log: str

    @property
    def memory_report(self) -> Path:
        """Return the path of its memory report."""
        return self.folder / f"{_NAME}_MemoryReport.json"


@contextmanager
def made(
    network: Path, *, only_memory: bool, input_persistency: bool, timeout_s: float
) -> Iterator[Made]:
    """Convert a quantised network, or only report on its memory; the folder is removed afterwards.

    StageError: it took too long.
    """
    with tempfile.TemporaryDirectory(prefix="imx500-", dir=_plain_folder()) as name:
        folder = Path(name)
        shutil.copyfile(network, folder / f"{_NAME}.keras")
        (folder / "tmp").mkdir()
        command = [CONVERTER, "-i", f"{_NAME}.keras", "-o", "out", "--report-size-unit", "B"]
        command += ["--memory-report"] if only_memory else []
        command += [] if input_persistency else ["--no-input-persistency"]
        status, log = _run(command, folder, timeout_s)
        yield Made(folder / "out", status, log)


def failure(made: Made) -> str:
    """Return the converter's reason for a failure, as a sentence."""
    if made.status < 0 or made.status in _SIGNALS:
        number = -made.status if made.status < 0 else made.status - 128
        return (
            f"{CONVERTER} was killed by signal {number}: if nobody did that, the machine has too "
            "little memory for it"
        )
    if made.status == 0:
        return f"{CONVERTER} ended without an error, but its result is missing: see its log"
    found = _ERROR.findall(made.log)
    reason = found[0] if found else "its log says no reason"
    return f"{CONVERTER} failed with exit status {made.status}: {reason[:400]}"


def _plain_folder() -> str:
    """Return a folder for temporary files whose path no shell misreads: the job's own, which the engine
    removes even after a kill, if that is one.
    """
    places = [tempfile.gettempdir(), *_OTHER_FOLDERS]
    for place in places:
        if _PLAIN.fullmatch(place) and os.access(place, os.W_OK | os.X_OK):
            return place
    raise StageError(
        f"the converter can work neither in '{places[0]}', whose path has other characters than "
        f"letters, digits, '-', '_' and '.', nor in {' or '.join(_OTHER_FOLDERS)}: choose other "
        "outputs, such as outputs=/home/pi/outputs"
    )


def _run(command: list[str], folder: Path, timeout_s: float) -> tuple[int, str]:
    """Return the exit status and the output; after the timeout, kill the converter and its children."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder / "tmp"), "TF_CPP_MIN_LOG_LEVEL": "2"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    late = threading.Event()

    def kill() -> None:
        late.set()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    timer = threading.Timer(timeout_s, kill)
    timer.start()
    lines = []
    try:
        for raw in process.stdout or ():
            lines.append(raw.decode("utf-8", "replace"))
            sys.stderr.write(lines[-1])
            _report(lines[-1])
        process.wait()
    finally:
        timer.cancel()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    if late.is_set():
        raise StageError(
            f"{CONVERTER} did not end within {timeout_s:g} s: increase timeout_s, or make the model "
            "smaller"
        )
    return process.returncode, "".join(lines)


def _report(line: str) -> None:
    for mark, share, what in _MOMENTS:
        if mark in line:
            progress(share, 1.0, what)
