"""What a stage wrote, on its way to Kubeflow Pipelines: folders as one packed file, and the report."""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any, Dict, Mapping

from engine.stage import packing
from engine.stage.kubeflow.paths import Paths

REPORT, METRICS = "report.json", "stage-metrics"  # a kept report; the output with the metrics
_CHUNK = 1 << 20


def missing(job: Mapping[str, Any], folder: Path, result: Mapping[str, Any]) -> str:
    """Return what a stage that ended with status 0 lacks, as a sentence; empty if nothing."""
    for name, file in job["outputs"].items():
        path = folder / "out" / file
        if not os.path.lexists(str(path)):
            early = "module" in job["invoke"] and "metrics" not in result
            why = "; its process ended before the stage returned" if early else ""
            return "the stage did not write its output '{}'{}".format(name, why)
        link = _link_in(path)
        if link:
            return "its output '{}' contains a link, {}; write files instead".format(name, link)
    absent = [name for name in job["metrics"] if name not in result.get("metrics", {})]
    return "the stage did not return its metric '{}'".format(absent[0]) if absent else ""


def hand_over(job: Mapping[str, Any], paths: Paths, folder: Path) -> Dict[str, Any]:
    """Write each output where KFP expects it; return its digest, URI and size, and whether it is packed."""
    written: Dict[str, Any] = {}
    for name, path in paths.outputs.items():
        source = folder / "out" / job["outputs"][name]
        path.parent.mkdir(parents=True, exist_ok=True)
        is_packed = packing.needs_packing(source)
        with path.open("wb") as out:
            digest = packing.pack(source, out) if is_packed else _copy(source, out)
        written[name] = {
            "digest": digest,
            "packed": is_packed,
            "uri": paths.uri(name),
            "size_bytes": path.stat().st_size,
        }
        _keep(paths, name, path)
    return written


def write_report(paths: Paths, report: Mapping[str, Any]) -> None:
    """Write the report, the metrics, and the metadata that KFP shows beside the outputs."""
    metrics = report["result"].get("metrics", {})
    _write(paths.report, report)
    _write(paths.metrics, metrics)
    if paths.executor_output:
        outputs = {name: {"digest": one["digest"]} for name, one in report["outputs"].items()}
        _write(paths.executor_output, paths.with_metadata({**outputs, METRICS: metrics}))
    _keep(paths, REPORT, paths.report)


def _write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def _keep(paths: Paths, name: str, path: Path) -> None:
    """Copy a file to the folder that is kept; it gets its name when it is complete."""
    if paths.keep is None:
        return
    paths.keep.mkdir(parents=True, exist_ok=True)
    partial = paths.keep / ".{}.{}.part".format(name, os.getpid())
    shutil.copyfile(str(path), str(partial))
    partial.replace(paths.keep / name)


def _copy(source: Path, out: Any) -> str:
    """Copy a file, and return its digest."""
    sha256 = hashlib.sha256()
    with source.open("rb") as file:
        for data in iter(lambda: file.read(_CHUNK), b""):
            sha256.update(data)
            out.write(data)
    return "file:" + sha256.hexdigest()


def _link_in(path: Path) -> str:
    """Return a symbolic link at the path or below it; empty if there is none."""
    if path.is_symlink():
        return path.name
    for folder, folders, files in os.walk(str(path)):
        for name in (*folders, *files):
            found = Path(folder) / name
            if found.is_symlink():
                return found.relative_to(path.parent).as_posix()
    return ""
