"""`python3 -m engine.stage.kubeflow run JOB ...` runs a stage; `... gate RULES --report FILE` checks it.

JOB and RULES are JSON: engine/kubeflow/components.py writes them. Values are never read by a shell.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, List, Mapping, Optional

from engine import stage
from engine.stage.kubeflow import gate, step
from engine.stage.kubeflow.paths import Paths


def main(argv: Optional[List[str]] = None) -> int:
    """Return the exit status of the stage, or of its gate."""
    given = _parser().parse_args(argv)
    if given.action == "gate":
        return gate.check(json.loads(given.rules), Path(given.report))
    job = json.loads(given.job)
    return step.run(job, _paths(given, job))


def _paths(given: argparse.Namespace, job: Mapping[str, Any]) -> Paths:
    """Return the paths: those that KFP filled in, and those on a volume, which the job contains."""
    inputs = [(name, "", path) for name, path in given.input]
    read = {
        (name, value): Path(path) for name, value, path in (*inputs, *given.entry, *job["given"])
    }
    project = given.project or job["project"]
    return Paths(
        inputs={name: path for (name, value), path in read.items() if not value},
        entries={key: path for key, path in read.items() if key[1]},
        outputs={name: Path(path) for name, path in given.output},
        project=Path(project) if project else None,
        report=Path(given.report),
        metrics=Path(given.metrics),
        executor=json.loads(given.executor_input),
        keep=Path(job["keep"]) if job["keep"] else None,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m engine.stage.kubeflow", allow_abbrev=False)
    actions = parser.add_subparsers(dest="action", required=True)
    run = actions.add_parser("run", allow_abbrev=False)
    run.add_argument("job")
    run.add_argument("--input", nargs=2, action="append", default=[])
    run.add_argument(
        "--entry", nargs=3, action="append", default=[]
    )  # of an input that is a folder
    run.add_argument("--output", nargs=2, action="append", default=[])
    run.add_argument("--project")  # the packed files of the stage's own project
    run.add_argument("--report", required=True)
    run.add_argument("--metrics", required=True)
    run.add_argument("--executor-input", required=True)
    check = actions.add_parser("gate", allow_abbrev=False)
    check.add_argument("rules")
    check.add_argument("--report", required=True)
    return parser


if __name__ == "__main__":
    stage.speak_utf8()
    sys.exit(main())
