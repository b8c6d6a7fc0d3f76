"""`reproduce RUN`: make the artifacts of a run again from what it recorded, and say what differs and why.

Nothing is taken from the store, and the original run stays as it is. The exit status is 0 if everything
is equal except measured times and memory, and otherwise 1.
"""

import json
import sys
from collections.abc import Sequence
from functools import partial
from typing import Literal, TextIO

from pydantic import Field

from engine import layout, run_names
from engine.errors import UserError
from engine.options import CommandOptions
from engine.reproduction import again
from engine.reproduction.again import Again
from engine.reproduction.verdict import DIFFERS, EQUAL, MEASURED, Verdict
from engine.request import Request
from engine.wording import CHANGES, as_typed, listed, plural, printable


class Options(CommandOptions):
    """The options of `reproduce`."""

    WORD = "run"

    run: str | None = Field(
        None, description="a run's name, its id or the beginning of it, or latest; also as a word"
    )
    keep: bool = Field(
        False,
        description="keep the new artifacts to look at them, in a folder that is printed",
    )
    format: Literal["table", "json"] = Field("table", description="table or json")


def main(request: Request[Options]) -> tuple[int, None]:
    """Run every stage again, and print a line for each; the progress goes to standard error."""
    if not request.options.run:
        fix = "write: python run.py reproduce RUN"
        raise UserError("reproduce", "the run is missing", fix)
    _refuse_changes(request.command)
    run_dir = run_names.find(request.outputs, request.options.run)
    print(f"reproducing run {run_names.label(run_dir)}", file=sys.stderr)
    layout.make_outputs(request.outputs)
    is_json, is_kept = request.options.format == "json", request.options.keep
    tell = partial(_tell_change, sys.stderr if is_json else sys.stdout)
    with again.made(request, run_dir, tell, is_kept=is_kept) as found:
        if is_json:
            print(json.dumps(_plain(found), indent=2))
        else:
            _tell(found)
        if is_kept:
            print(f"kept: {as_typed(found.run_dir)}", file=sys.stderr)
        differs = any(one.kind == DIFFERS for one in found.verdicts)
    return int(differs), None


def _refuse_changes(command: Sequence[str]) -> None:
    """Refuse words that would change the run, which is made again from what it recorded."""
    for word in command:
        if word.lstrip("+~").startswith(CHANGES):
            what = "a run is reproduced as it was recorded"
            raise UserError(word, what, "leave this out, or run the use case with it")


def _tell_change(stream: TextIO, line: str) -> None:
    print(f"changed since: {printable(line)}", file=stream, flush=True)


def _tell(found: Again) -> None:
    for one in found.verdicts:
        for line in _lines(one):
            print(printable(line))
    print(_result(found.verdicts, found.status))


def _lines(one: Verdict) -> list[str]:
    words = {EQUAL: "equal", MEASURED: "equal except what was measured", DIFFERS: "differs"}
    first = f"{one.stage}: {words[one.kind]}"
    return [first, *(f"  {line}" for line in one.what), *(f"  because {line}" for line in one.why)]


def _result(found: list[Verdict], status: str) -> str:
    by_kind = {
        kind: [one.stage for one in found if one.kind == kind] for kind in (MEASURED, DIFFERS)
    }
    if by_kind[DIFFERS]:
        return f"not reproduced: {listed(by_kind[DIFFERS])} of {plural(len(found), 'stage')}"
    if status == "failed":
        return "reproduced: the run failed again, at the same stage"
    if by_kind[MEASURED]:
        return f"reproduced, except times and memory measured by {listed(by_kind[MEASURED])}"
    return f"reproduced: {plural(len(found), 'stage')} gave the same artifacts and metrics"


def _plain(found: Again) -> dict[str, object]:
    return {
        "run": found.original.name,
        "status": found.status,
        "changes": found.changes,
        "stages": [
            {"stage": one.stage, "result": one.kind, "what": one.what, "why": one.why}
            for one in found.verdicts
        ],
    }
