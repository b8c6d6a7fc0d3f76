"""`serve`: serve the packaged model of the newest complete run live: a page, events, MQTT, metrics.

The server is a process on this machine, with the environment of this program: `python -m stages.serving`,
the same as on a device. Its options are declared in stages/serving/options.py.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine import interrupts, layout, packed, run_names, served
from engine.environment import allowed, passed
from engine.jobfolder import ENVIRONMENT
from engine.options import CommandOptions
from engine.request import Request

PROGRAM = "stages.serving"
PASSED = ("MQTT_PASSWORD",)  # variables of the server that may hold a secret
PARENT = "RPI_MLOPS_PARENT"  # stages/serving/__main__.py: the process without which the server ends
GRACE_S = 15.0  # from Ctrl-C until the server is killed
_PICTURES = {".png", ".jpg", ".jpeg", ".mp4", ".avi", ".mkv", ".mov"}
_INTERRUPTED = 130


def __getattr__(name: str) -> Any:
    """Return `Options`, which need a file to be parsed; importing this module does no work."""
    if name == "Options":
        return served.options()
    raise AttributeError(name)


def main(request: Request[CommandOptions]) -> tuple[int, None]:
    """Serve until Ctrl-C or SIGTERM; print the address of the page.

    Without source=, the pictures that verified the package are shown. Nothing is stored unless an option
    says so.
    """
    given: Any = request.options
    package = packed.package(request, given.run)
    run_dir = package.parents[2]
    print(f"the model of run {run_names.label(run_dir)}, on this machine", file=sys.stderr)
    more: dict[str, Any] = {
        "accelerator": _accelerator(request.target.accelerator),
        "runtime": request.target.runtime,
    }
    if not given.state:
        layout.make_outputs(request.outputs)
        more["state"] = layout.serving_dir(request.outputs, request.usecase.name)
    if not given.source and (sample := _sample(run_dir)):
        print(f"note: no source= given; showing {sample}", file=sys.stderr)
        more["source"] = [sample]
    words = [str(package), *served.words(given, more)]
    return _run([sys.executable, "-m", PROGRAM, *words], request.roots), None


def _accelerator(name: str) -> str:
    """Return the target's accelerator, or none if the server cannot use it."""
    if name in served.accelerators():
        return name
    print(f"note: TFLite cannot use the accelerator '{name}'; serving on the CPU", file=sys.stderr)
    return "none"


def _sample(run_dir: Path) -> Path | None:
    """Return the folder of the pictures with which the package was verified, if it has any."""
    folder = layout.artifact(run_dir, "verify", "golden") / "inputs"
    if not folder.is_dir():
        return None
    is_shown = any(path.suffix.lower() in _PICTURES for path in folder.iterdir())
    return folder if is_shown else None


def _run(command: Sequence[str], roots: Sequence[Path]) -> int:
    """Run the server in the foreground, pass on SIGTERM, and return its exit status."""
    environment = {
        **allowed(os.environ),
        **passed(PASSED, os.environ),
        **ENVIRONMENT,
        PARENT: str(os.getpid()),
        "PYTHONPATH": os.pathsep.join(map(str, roots)),
    }
    with interrupts.terminable():
        process = subprocess.Popen(command, env=environment)
        try:
            return process.wait()
        except KeyboardInterrupt:  # a terminal has sent Ctrl-C to both processes
            _end(process)
            return _INTERRUPTED


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Ask the server to end, and kill it if it does not."""
    process.terminate()
    try:
        process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
