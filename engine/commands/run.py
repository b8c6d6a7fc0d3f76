"""`run` (the default): plan the use case, run the stages that are not cached, record everything."""

import sys

from engine.drawing import downloads
from engine.drive import drive
from engine.request import Request

_STATUS = {"finished": 0, "pruned": 0, "interrupted": 130}


def main(request: Request) -> tuple[int, float | None]:
    """Return the exit status and the objective's value."""
    outcome = drive(request, sys.stdout, downloads.say)
    objective = outcome.state.metrics.get(str(outcome.state.start.get("objective") or ""))
    return _STATUS.get(outcome.status, 1), objective
