"""Links from the report to existing files in the run's folder."""

from pathlib import Path
from urllib.parse import quote

from engine import layout
from engine.events import RunState, StageState

RUN_FILES = ("model_card.md", "run.json", "metrics.json", "journal.jsonl", "artifacts", "logs")

Link = tuple[str, str]  # text, URL relative to the run's folder


def of_run(run_dir: Path | None, also: tuple[str, ...] = ()) -> list[Link]:
    """Return the run's own files; `also` names those that are written with the report."""
    if run_dir is None:
        return []
    return [(name, name) for name in RUN_FILES if name in also or (run_dir / name).exists()]


def of_stages(run_dir: Path | None, state: RunState) -> dict[str, list[Link]]:
    """Return the outputs of each stage and its log, by the stage's name."""
    if run_dir is None:
        return {}
    return {stage.name: list(_of_stage(run_dir, stage)) for stage in state.stages.values()}


def of_log(run_dir: Path | None, stage: StageState) -> str:
    """Return the address of the stage's log, or "" if it is not in the run's folder."""
    return _address(run_dir, Path(stage.log)) if run_dir and stage.log else ""


def _of_stage(run_dir: Path, stage: StageState) -> list[Link]:
    found = []
    for output in stage.outputs:
        path = layout.artifact(run_dir, stage.name, output)
        found.append((path.name, _address(run_dir, path.relative_to(run_dir))))
    found.append(("log", of_log(run_dir, stage)))
    return [(words, address) for words, address in found if address]


def _address(run_dir: Path, path: Path) -> str:
    """Return the path relative to the run's folder as a URL, or "" if there is no such file in it."""
    if path.is_absolute():  # written by an earlier version
        if not path.is_relative_to(run_dir):
            return ""
        path = path.relative_to(run_dir)
    is_below = ".." not in path.parts and path.parts
    return quote(path.as_posix(), safe="/") if is_below and (run_dir / path).exists() else ""
