"""Next steps for the reader of a report: sentences, and commands to type."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine import layout
from engine.events import RunState
from engine.wording import command_line, stand_ins

_WHERE = ("usecase", "target", "outputs")  # what `predict` needs to find the run


@dataclass(frozen=True, slots=True)
class Step:
    """One next step; the command may be empty."""

    words: str
    command: str = ""


def of_run(state: RunState, run_dir: Path | None) -> list[Step]:
    """Return the next steps, the most useful first; none while the run continues."""
    return list(_steps(state, run_dir))


def _steps(state: RunState, run_dir: Path | None) -> Iterator[Step]:
    start = state.start
    if state.status == "interrupted":
        yield Step("Resume the run; finished stages are cached:", command_line(state))
    if state.status == "rejected":
        words = (
            "Improve the data or change parameters, then run again; unchanged stages are cached:"
        )
        yield Step(words, command_line(state))
    if state.status != "finished":
        return
    samples = [str(one["key"]) for one in start.get("assets") or () if one.get("sample")]
    if samples:
        own = " ".join(f"assets.{key}=FOLDER" for key in samples)
        yield Step("Use your own data:", f"{command_line(state)} {own}")
    if run_dir is not None and layout.package(run_dir):
        yield Step("Try the model on a file:", f"{_predict(state)} input=FILE")
    if stand_ins(state) and not _has(state, "target.device"):
        words = f"Measure on a real {start['target']}:"
        yield Step(words, f"{command_line(state)} target.device=ssh://USER@HOST")


def _has(state: RunState, key: str) -> bool:
    return any(word.startswith(f"{key}=") for word in state.start.get("command", ()))


def _predict(state: RunState) -> str:
    """Return the command that opens this run's package, without the overrides that made it."""
    given = {word.partition("=")[0]: word for word in state.start.get("command", ())}
    known = {name: f"{name}={state.start[name]}" for name in _WHERE if name in state.start}
    words = [given.get(name) or known.get(name, "") for name in _WHERE]
    run = f"run={state.start['run_id']}"
    return shlex.join(["python", "run.py", "predict", *filter(None, words), run])
