"""`doctor`: what this machine has for the work, and for each thing missing the command that brings it."""

import json
from dataclasses import asdict
from functools import partial

from engine.commands import _doctor_containers, _doctor_edgetpu, _doctor_machine, _doctor_tracking
from engine.commands._finding import Check, gather
from engine.compose import Request

WITHIN_S = 1.0  # a Docker engine, an MLflow server: one that answers does so within milliseconds


def main(request: Request) -> tuple[int, None]:
    """Print a line for each thing looked for; the exit status is 0, since none is needed for planning."""
    checks: dict[str, Check] = {
        "Python": _doctor_machine.python,
        "packages": _doctor_machine.packages,
        "disk": partial(_doctor_machine.disk, request.outputs),
        "MLflow": partial(_doctor_tracking.mlflow, request.outputs, request.settings.tracking.model_dump()),
        "Docker engine": _doctor_containers.engine,
        "QEMU": _doctor_containers.foreign_platforms,
        "ssh": _doctor_containers.ssh,
        "Edge TPU": _doctor_edgetpu.devices,
        "libedgetpu": _doctor_edgetpu.software,
    }
    findings = gather(checks, WITHIN_S)
    if request.settings.format != "table":
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
        return 0, None
    for finding in findings:
        print(f"{'ok     ' if finding.is_there else 'missing'}  {finding.what}")
        if not finding.is_there and finding.fix:
            print(f"         {finding.fix}")
    return 0, None
