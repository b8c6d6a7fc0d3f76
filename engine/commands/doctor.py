"""`doctor`: check this machine, and show how to install what is missing."""

import json
from dataclasses import asdict
from functools import partial
from typing import Literal

from pydantic import Field

from engine import accelerator, layout
from engine.doctor import containers, environments, machine, tracking
from engine.doctor.checks import Check, gather
from engine.options import CommandOptions
from engine.request import Request
from engine.wording import as_called

WITHIN_S = 1.0  # a Docker engine or an MLflow server normally responds within milliseconds


class Options(CommandOptions):
    """The options of `doctor`."""

    format: Literal["table", "json"] = Field("table", description="table or json")


def main(request: Request[Options]) -> tuple[int, None]:
    """Print a line for each check. The exit status is always 0, because planning needs none of the
    things that are checked.
    """
    checks: dict[str, Check] = {
        "Python": machine.python,
        "packages": machine.packages,
        "GPUs": machine.gpus,
        "disk": partial(machine.disk, request.outputs),
        "MLflow": partial(tracking.mlflow, request.outputs, request.settings.tracking.model_dump()),
        "environments": partial(
            environments.environments, request.roots, layout.store_dir(request.outputs)
        ),
        "Docker engine": containers.engine,
        "QEMU": containers.foreign_platforms,
        "ssh": containers.ssh,
        **{one.TITLE: one.findings for one in accelerator.installed().values()},
    }
    findings = gather(checks, WITHIN_S)
    if request.options.format != "table":
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
        return 0, None
    for finding in findings:
        print(f"{'ok     ' if finding.is_there else 'missing'}  {finding.what}")
        if not finding.is_there and finding.fix:
            print(f"         {as_called(finding.fix, request.program)}")
    return 0, None
