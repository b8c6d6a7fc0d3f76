"""The API that a stage may import, and `python -m engine.stage JOB_FOLDER [LOG]`, which runs a job.

Standard library only, and no syntax newer than Python 3.9: this package also runs in small ARM images,
which contain no other part of the engine. It does not depend on plans, stores, MLflow or containers.

A job folder contains `job.json` (module and function, or a command; inputs, outputs, parameters, and
the path of checkpoints), `project/` if the stage has files of its own, `out/` for the outputs,
`events.jsonl`, to which the stage appends while it runs, and at the end `result.json` with its
metrics, its error or its chosen exit status.
"""

import errno
import importlib
import json
import math
import os
import sys
import time
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Dict, Iterator, List, Optional, Union

from engine.stage.convert import as_number, as_plain, as_text

In = Path
"An input: a file or a folder that the stage reads and must not change."

Out = Path
"An output: a path that does not exist yet; the stage writes a file or creates a folder there."

JOB_VERSION = 1
PROGRESS_INTERVAL_S = 0.2
# exit status if the disk is so full that the failure cannot be written: EX_IOERR of sysexits.h
NO_SPACE = 74

_events: Optional[int] = (
    None  # file descriptor of events.jsonl; None in a plain call, such as a unit test
)
_last_progress_s = 0.0
_measuring_on = ""
_measured_on: Optional[str] = None
_checkpoint: Optional[Path] = None  # None in a plain call


class StageError(Exception):
    """An error in a stage's data or parameters, as a sentence for the user; shown without a
    traceback.
    """


def progress(done: float, total: float, message: str = "") -> None:
    """Report progress; the run gets at most five reports per second, and always the last one."""
    global _last_progress_s
    now = time.monotonic()
    if now - _last_progress_s < PROGRESS_INTERVAL_S and done < total:
        return
    _last_progress_s = now
    _send(
        {
            "event": "progress",
            "done": as_number(done),
            "total": as_number(total),
            "message": as_text(message),
        }
    )


def metric(name: str, value: float, step: int, time_s: Optional[float] = None) -> None:
    """Record one point of a curve, such as the loss of an epoch; time_s: when, if not now."""
    _send(
        {
            **({} if time_s is None else {"time": float(time_s)}),
            "event": "metric",
            "name": as_text(name),
            "value": float(as_number(value)),
            "step": int(as_number(step)),
        }
    )


def note(text: str) -> None:
    """Record a message for the user, about something skipped, chosen or assumed."""
    _send({"event": "note", "text": as_text(text)})


def figure(kind: str, name: str, /, **fields: Any) -> None:
    """Record a figure of any kind: engine/figures/<kind>.py declares its fields.

    Fields may contain NumPy arrays and scalars, and paths. A figure that does not fit its kind is left
    out of the run, and a note says why. engine.stage.figures has a function for each built-in kind.
    """
    own = {key: as_plain(value) for key, value in fields.items() if key != "time"}
    _send({**own, "event": "figure", "kind": as_text(kind), "name": as_text(name)})


def measuring_on() -> str:
    """Return where this stage's figures are measured, as the run labels them: `device`, `emulated
    (qemu)`, `simulated on x86_64`.

    Use it in stages with `runs_on: target`, whose fingerprint includes it. In a plain call it is the
    machine's architecture.
    """
    return _measuring_on or os.uname().machine


def measured_on(where: str) -> None:
    """Declare that this stage's figures come from outputs that were measured elsewhere; `where` is
    what `measuring_on` returned there.
    """
    global _measured_on
    _measured_on = as_text(where)


def checkpoint() -> Path:
    """Return a folder for checkpoints, from which the next attempt can resume if this one is killed.

    It belongs to the job's fingerprint: an attempt with the same code, inputs and parameters finds
    the files of the last one, in this run or a later one. It is removed when the stage finishes. In a
    plain call it is a new, empty folder each time, and is removed when the process ends.
    """
    folder = _checkpoint or _temporary_folder()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def durable_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for writing in binary; it replaces `path` when the block ends, and is then on disk.

    After a kill or a power failure the file has the complete old or the complete new content.
    """
    partial = path.with_name(f".{path.name}.part")
    with partial.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def run_job(job_dir: Path) -> int:
    """Run the job of this folder in this process, and return the exit status: 0, the stage's own choice, or
    1 with the cause in result.json.
    """
    global _measuring_on, _checkpoint, _measured_on
    job = json.loads((job_dir / "job.json").read_text(encoding="utf-8"))
    if "command" in job:
        return _become(job["command"], job_dir)
    _open_events(job_dir / "events.jsonl")
    _measuring_on, _measured_on = job.get("measured_on", ""), None
    _checkpoint = Path(job["checkpoint"]) if job.get("checkpoint") else None
    try:
        metrics = _call(job)
        measured: Dict[str, Any] = {} if _measured_on is None else {"measured_on": _measured_on}
        _write_result(job_dir, {"metrics": _checked(metrics), **measured})
    except StageError as error:
        _write_result(job_dir, {"error": as_text(error)})
        _complain(f"error: {error}")
        return 1
    except SystemExit as end:
        return _exited(job_dir, end)
    except BaseException as error:
        inner = (
            error.__traceback__
            and error.__traceback__.tb_next
            and error.__traceback__.tb_next.tb_next
        )
        message = "".join(traceback.format_exception_only(type(error), error)).strip()
        _write_result(job_dir, {"error": as_text(message)})
        _complain(
            "".join(
                traceback.format_exception(type(error), error, inner or error.__traceback__)
            ).rstrip()
        )  # starting at the stage
        return 1
    return 0


def log_to(path: Path) -> None:
    """Append all output of this process and its children to the file, for executors that cannot do so
    themselves.
    """
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)


def speak_utf8() -> None:
    """Allow any text to be printed, such as file names that are not UTF-8; printing must not fail a stage."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def _become(command: List[str], job_dir: Path) -> int:
    """Replace this process with the program; return 1 if it cannot be started."""
    try:
        os.execvp(command[0], command)
    except OSError as error:
        cause = "not found on PATH" if isinstance(error, FileNotFoundError) else error.strerror
        _write_result(job_dir, {"error": as_text(f"{command[0]}: {cause}")})
        _complain(f"error: {command[0]}: {cause}")
        return 1


def _exited(job_dir: Path, end: SystemExit) -> int:
    """Record the exit status that the stage chose, and return it: an executor may see a different one, or a
    signal.
    """
    if end.code is None:
        status = 0
    elif isinstance(end.code, int):
        status = end.code & 0xFF or int(
            end.code != 0
        )  # the system would turn a multiple of 256 into 0
    else:
        status = 1
        _complain(end.code)
    _write_result(job_dir, {"exit_status": status})
    return status


def _complain(text: object) -> None:
    """Print to the log, unless the stage has closed it."""
    try:
        print(as_text(text), file=sys.stderr, flush=True)
    except (OSError, ValueError, AttributeError) as error:
        if getattr(error, "errno", None) == errno.ENOSPC:
            raise


def _call(job: Dict[str, Any]) -> Any:
    function = getattr(importlib.import_module(job["module"]), job["function"])
    paths: Dict[str, Union[Path, None]] = {
        name: Path(path) if path else None for name, path in job["inputs"].items()
    }
    paths.update({name: Path(path) for name, path in job["outputs"].items()})
    return function(*job.get("arguments", ()), **paths, **job["params"])


def _checked(metrics: Any) -> Dict[str, float]:
    """Return the metrics as finite floats; raise StageError for anything else."""
    if metrics is None:
        return {}
    if not isinstance(metrics, dict):
        raise StageError(
            f"the stage returned {type(metrics).__name__}, not a dictionary of metrics"
        )
    found = {as_text(name): _scalar(value) for name, value in metrics.items()}
    bad = [f"{name} = {_short(value)}" for name, value in found.items() if not _is_metric(value)]
    if bad:
        raise StageError("metrics must be finite numbers: " + ", ".join(bad))
    return {name: float(value) for name, value in found.items()}


def _scalar(value: Any) -> Any:
    """Convert a NumPy number, or an array with one element, to a Python number."""
    try:
        return value.item() if hasattr(value, "item") else value
    except ValueError:  # an array of several values
        return value


def _is_metric(value: Any) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and _is_finite(value)


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer with more than 308 digits
        return False


def _short(value: object) -> str:
    try:
        return repr(value)[:80]
    except ValueError:  # an integer with more than 4,300 digits: sys.set_int_max_str_digits
        return "a number of thousands of digits"


def _temporary_folder() -> Path:
    import atexit
    import shutil
    import tempfile

    folder = tempfile.mkdtemp(prefix="checkpoint-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _write_result(job_dir: Path, result: Dict[str, Any]) -> None:
    partial = job_dir / "result.json.part"
    partial.write_text(json.dumps(result), encoding="utf-8")
    partial.replace(job_dir / "result.json")


def _open_events(path: Path) -> None:
    global _events
    _events = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)


def _send(event: Dict[str, Any]) -> None:
    if _events is not None:
        event.setdefault("time", time.time())
        os.write(_events, (json.dumps(event) + "\n").encode())
