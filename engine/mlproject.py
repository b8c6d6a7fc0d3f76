"""The entry point of `mlflow run`: the MLproject file calls it with a use case, a target and overrides.

Its run is nested in the one that `mlflow run` created, in the same MLflow.
"""

import os
import shlex
import sys
from collections.abc import Sequence

from engine.mlflow.backend import is_supported
from engine.provenance import PARENT_RUN
from engine.registration import quoted
from engine.start import main
from engine.wording import PROGRAM


def words(argv: Sequence[str], tracking_uri: str | None) -> list[str]:
    """Return the command line of run.py.

    argv: use case, target, and all overrides in one word; then `--name value` of each parameter that
    MLproject does not declare
    """
    usecase, target, overrides, *more = argv
    given = [*shlex.split(overrides), *_undeclared(more)]
    if tracking_uri and is_supported(tracking_uri) and not _names_tracking(given):
        given.append(f"tracking.uri={quoted(tracking_uri)}")
    return [usecase, target, *given]


def _undeclared(more: Sequence[str]) -> list[str]:
    names, values = more[::2], more[1::2]
    return [f"{name[2:]}={value}" for name, value in zip(names, values, strict=True)]


def _names_tracking(given: Sequence[str]) -> bool:
    return any(word.startswith(("tracking=", "tracking.uri=")) for word in given)


if __name__ == "__main__":
    run_id = os.environ.pop("MLFLOW_RUN_ID", "")
    if run_id:
        os.environ[PARENT_RUN] = run_id
    sys.argv[1:] = words(sys.argv[1:], os.environ.get("MLFLOW_TRACKING_URI"))
    sys.exit(main(PROGRAM))
