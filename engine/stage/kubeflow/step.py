"""Runs one stage of a pipeline: lays out its job folder, runs it, and hands its outputs over."""

import errno
import hashlib
import json
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Dict, Mapping, Optional

from engine.stage import NO_SPACE, packing
from engine.stage.kubeflow import child, outputs
from engine.stage.kubeflow.paths import Paths
from engine.stage.placeholders import filled

VERSION = 1  # of the job and of the report
EVENTS_BYTES = 64_000_000  # of the stage's reports; the rest is left out
_CHUNK = 1 << 20

Job = Mapping[str, Any]


def run(job: Job, paths: Paths) -> int:
    """Run the stage, and return the exit status of the pod: 0 if everything that it declares exists."""
    folder = Path(tempfile.mkdtemp(prefix="job-"))
    try:
        return _run(job, paths, folder)
    except packing.Damaged as error:
        return _refuse(job, paths, str(error))
    except OSError as error:
        if error.errno == errno.ENOSPC:
            return _refuse(job, paths, "the disk of the pod is full", NO_SPACE)
        return _refuse(job, paths, str(error))
    finally:
        shutil.rmtree(str(folder), ignore_errors=True)


def _run(job: Job, paths: Paths, folder: Path) -> int:
    digests = _lay_out(job, paths, folder)
    _provide(job["files"])
    ended = child.run(folder, job["env"], job["timeout_s"])
    result = _read(folder / "result.json")
    written: Dict[str, Any] = {}
    status, error = ended.status, ""
    if status == 0 and not ended.why:
        error = outputs.missing(job, folder, result)
        written = {} if error else outputs.hand_over(job, paths, folder)
    if error:
        status, result = 1, {**result, "error": error}
    elif ended.why:
        status, result = status or 1, {**result, "error": ended.why}
    report = {
        **_identity(job),
        "status": status,
        "seconds": ended.seconds,
        "measured_on": result.get("measured_on") or job["measured_on"],
        "result": result,
        "events": _events(folder / "events.jsonl"),
        "log": ended.log,
        "inputs": digests,
        "outputs": written,
    }
    outputs.write_report(paths, report)
    _say(status, result)
    return status


def _provide(files: Mapping[str, str]) -> None:
    """Write files into a folder that the pod has for them, such as the CPUs of an emulated stage."""
    for path, text in files.items():
        try:
            Path(path).write_text(text, encoding="ascii")
        except OSError as error:
            print("warning: {}: {}".format(path, error.strerror), flush=True)


def _lay_out(job: Job, paths: Paths, folder: Path) -> Dict[str, str]:
    """Make the job folder, and return the digest of each input as it was received."""
    (folder / "out").mkdir()
    inputs: Dict[str, Optional[str]] = dict.fromkeys(job["without"])
    digests: Dict[str, str] = {}
    for name, path in paths.inputs.items():
        place = folder / "in" / name / job["names"].get(name, "input")
        digests[name] = _received(name, path, place)
        inputs[name] = str(place)
    for (name, value), path in paths.entries.items():
        place = folder / "in" / name / value
        digests["{}/{}".format(name, value)] = _received(name, path, place)
        inputs[name] = str(place.parent)
    if paths.project:
        _received("project", paths.project, folder / "project")
    made = {name: str(folder / "out" / file) for name, file in job["outputs"].items()}
    description = _described(job, inputs, made)
    (folder / "job.json").write_text(json.dumps(description), encoding="utf-8")
    return digests


def _described(
    job: Job, inputs: Mapping[str, Optional[str]], made: Mapping[str, str]
) -> Dict[str, Any]:
    """Return what `engine.stage` reads: job.json."""
    groups = {"inputs": inputs, "outputs": made, "params": job["params"]}
    invoke = dict(job["invoke"])
    if "command" in invoke:
        invoke["command"] = [filled(word, groups) for word in invoke["command"]]
    return {**invoke, "measured_on": job["measured_on"], **groups}


def _received(name: str, path: Path, place: Path) -> str:
    """Provide what KFP put at the path, unpacked if it is packed, and return its digest."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with path.open("rb") as file:
        head = file.read(packing.HEAD_BYTES)
        file.seek(0)
        if packing.is_packed(head):
            try:
                return packing.unpack(file, place)
            except packing.Damaged as error:
                raise packing.Damaged("its input '{}' is damaged: {}".format(name, error)) from None
        sha256 = hashlib.sha256()
        for data in iter(lambda: file.read(_CHUNK), b""):
            sha256.update(data)
    place.symlink_to(path.absolute())
    return "file:" + sha256.hexdigest()


def _read(path: Path) -> Dict[str, Any]:
    """Return the stage's result; empty if it left none, or not a valid one."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _events(path: Path) -> "list[str]":
    """Return the complete lines that the stage reported."""
    try:
        with path.open("rb") as file:
            data = file.read(EVENTS_BYTES)
    except OSError:
        return []
    return data[: data.rfind(b"\n") + 1].decode("utf-8", "replace").splitlines()


def _identity(job: Job) -> Dict[str, Any]:
    return {"version": VERSION, "stage": job["stage"], "key": job["key"]}


def _refuse(job: Job, paths: Paths, error: str, status: int = 1) -> int:
    """Report a failure that is not the stage's own, and return the exit status."""
    result = {"error": error}
    empty: Dict[str, Any] = {"events": [], "log": "", "inputs": {}, "outputs": {}, "seconds": 0.0}
    report = {**_identity(job), **empty, "status": status, "result": result}
    with suppress(OSError):  # no space for it either
        outputs.write_report(paths, {**report, "measured_on": job["measured_on"]})
    _say(status, result)
    return status


def _say(status: int, result: Mapping[str, Any]) -> None:
    """Print how the stage ended as the last line of the pod's log, if it failed.

    The report of a failed task may be lost: older versions of Kubeflow Pipelines do not upload it.
    """
    if status:
        told = {key: result[key] for key in ("error", "exit_status") if result.get(key)}
        print("stage failed: {}".format(json.dumps({"status": status, **told})), flush=True)
