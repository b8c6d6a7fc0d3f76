"""The inside of a job: what a stage may import, and `python -m engine.stage JOB_FOLDER [LOG]`, which runs one.

Standard library only, and no newer syntax than Python 3.9: this file also runs inside small ARM images.
It knows nothing of plans, stores, MLflow or containers.

A job folder holds `job.json` (module and function, or a command; inputs, outputs, parameters), `out/` for the outputs,
`events.jsonl` that the stage appends to while it runs, and at the end `result.json` with its metrics.
"""

import errno
import importlib
import json
import math
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Union

In = Path
"""An input: a file or a folder to read and never to change."""

Out = Path
"""An output: a path that does not exist yet, to be written as a file or made as a folder."""

JOB_VERSION = 1
PROGRESS_INTERVAL_S = 0.2
NO_SPACE = 74  # exit status where the disk was so full that not even the failure could be written down: EX_IOERR of sysexits.h

_events: Optional[int] = None  # file descriptor of events.jsonl; None in a bare call, such as a unit test
_last_progress_s = 0.0
_taken = ""


class StageError(Exception):
    """What is wrong with a stage's data or setting, in a sentence for the user; shown without a traceback."""


def progress(done: float, total: float, message: str = "") -> None:
    """Say how far the stage is; at most five times a second reach the run, and always the last."""
    global _last_progress_s
    now = time.monotonic()
    if now - _last_progress_s < PROGRESS_INTERVAL_S and done < total:
        return
    _last_progress_s = now
    _send({"event": "progress", "done": done, "total": total, "message": message})


def metric(name: str, value: float, step: int) -> None:
    """Record one point of a curve, such as the loss of an epoch."""
    _send({"event": "metric", "name": name, "value": float(value), "step": int(step)})


def note(text: str) -> None:
    """Record a sentence that the user should read: something skipped, chosen or assumed."""
    _send({"event": "note", "text": text})


def confusion_matrix(name: str, labels: Sequence[str], matrix: Sequence[Sequence[int]]) -> None:
    """Record a confusion matrix: rows are the true classes, columns the predicted ones, in the labels' order."""
    rows = [[int(cell) for cell in row] for row in matrix]
    _send({"event": "figure", "kind": "confusion_matrix", "name": name, "labels": list(labels), "matrix": rows})


def op_graph(name: str, nodes: Sequence[Mapping[str, Any]], edges: Sequence[Sequence[int]]) -> None:
    """Record a model's graph as it is placed: each node has `type`, `mapped` (on the accelerator) and `reason` (why not, or None).

    An edge is a pair of places in the nodes: who makes a tensor, and who reads it.
    """
    rows = [{"type": str(node["type"]), "mapped": bool(node["mapped"]), "reason": node["reason"]} for node in nodes]
    pairs = [[int(source), int(target)] for source, target in edges]
    _send({"event": "figure", "kind": "op_graph", "name": name, "nodes": rows, "edges": pairs})


def taken() -> str:
    """Return where this stage's figures are taken, as the run labels them: `device`, `emulated (qemu)`, `simulated on x86_64`.

    For stages with `runs_on: target`: theirs are other jobs where it differs. In a bare call it is the machine's architecture.
    """
    return _taken or os.uname().machine


def run_job(job_dir: Path) -> int:
    """Run the job of this folder in this process; the exit status is 0, or 1 with the cause in result.json."""
    global _taken
    job = json.loads((job_dir / "job.json").read_text(encoding="utf-8"))
    if "command" in job:
        os.execvp(job["command"][0], job["command"])
    _open_events(job_dir / "events.jsonl")
    _taken = job.get("taken", "")
    try:
        metrics = _call(job)
        _write_result(job_dir, {"metrics": _checked(metrics)})
    except StageError as error:
        print(f"error: {error}", file=sys.stderr)
        return _failed(job_dir, str(error))
    except Exception as error:
        inner = error.__traceback__ and error.__traceback__.tb_next and error.__traceback__.tb_next.tb_next
        traceback.print_exception(type(error), error, inner or error.__traceback__)  # from the stage on
        return _failed(job_dir, "".join(traceback.format_exception_only(type(error), error)).strip())
    return 0


def log_to(path: Path) -> None:
    """Send all that this process and its children print to the end of the file, as an executor does that cannot do so itself."""
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)


def _failed(job_dir: Path, message: str) -> int:
    _write_result(job_dir, {"error": message})
    return 1


def _call(job: Dict[str, Any]) -> Any:
    function = getattr(importlib.import_module(job["module"]), job["function"])
    paths: Dict[str, Union[Path, None]] = {name: Path(path) if path else None for name, path in job["inputs"].items()}
    paths.update({name: Path(path) for name, path in job["outputs"].items()})
    return function(**paths, **job["params"])


def _checked(metrics: Any) -> Dict[str, float]:
    """Return the metrics as finite floats; a stage that returns anything else has failed."""
    if metrics is None:
        return {}
    if not isinstance(metrics, dict):
        raise StageError(f"the stage returned {type(metrics).__name__}, not a dictionary of metrics")
    bad: List[str] = []
    for name, value in metrics.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            bad.append(f"{name} = {value!r}")
    if bad:
        raise StageError("metrics must be finite numbers: " + ", ".join(bad))
    return {name: float(value) for name, value in metrics.items()}


def _write_result(job_dir: Path, result: Dict[str, Any]) -> None:
    partial = job_dir / "result.json.part"
    partial.write_text(json.dumps(result), encoding="utf-8")
    partial.replace(job_dir / "result.json")


def _open_events(path: Path) -> None:
    global _events
    _events = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)


def _send(event: Dict[str, Any]) -> None:
    if _events is not None:
        event["time"] = time.time()
        os.write(_events, (json.dumps(event) + "\n").encode())


if __name__ == "__main__":
    # Stages import `engine.stage`; run as a script this module is called `__main__`, and there must be one of it.
    from engine import stage

    if len(sys.argv) > 2:
        stage.log_to(Path(sys.argv[2]))
    else:
        os.dup2(1, 2)  # one stream: of two, who reads them cannot tell which said what first
    try:
        status = stage.run_job(Path(sys.argv[1]).absolute())
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        os._exit(NO_SPACE)  # without a word, for which there is no room either
    sys.exit(status)
