"""The model card of a run: the card in its package, with the run's provenance.

The same inputs give a package with the same bytes, so its own card names no run. This one is
written beside the report.
"""

from collections.abc import Iterator
from pathlib import Path

from engine import layout
from engine.events import RunState
from engine.report import data
from engine.report.data import Data
from engine.wording import command_line, moment, stand_ins

FILE = "model_card.md"
PACKED = "card.md"  # in a package
MOST_BYTES = 1_000_000


def card(run_dir: Path, state: RunState) -> str | None:
    """Return the card as Markdown, or None if no stage of the run made a package with one."""
    for stage in state.stages.values():
        for output in stage.outputs:
            packed = layout.artifact(run_dir, stage.name, output) / PACKED
            if packed.is_file() and packed.stat().st_size <= MOST_BYTES:
                text = packed.read_text(encoding="utf-8", errors="replace")
                return _with_provenance(text, state)
    return None


def commit(state: RunState) -> str:
    """Return the commit of the run's code, and whether the code was modified."""
    name = state.start.get("git_commit")
    if not name:
        return "none: the code is not in a Git repository"
    return f"{name[:40]}, modified" if state.start.get("git_modified") else str(name[:40])


def _with_provenance(text: str, state: RunState) -> str:
    """Replace the package's section of that name, or else insert one before its first section."""
    head, *sections = text.split("\n## ")
    others = [f"\n## {section}" for section in sections if not section.startswith("Provenance\n")]
    lines = "\n".join(_provenance(state))
    return f"{head.rstrip()}\n\n## Provenance\n\n{lines}\n{''.join(others)}"


def _provenance(state: RunState) -> Iterator[str]:
    start, assets = state.start, data.of_run(state)
    yield f"- Run: {start['run_id']}, {moment(start.get('time', 0.0))}, {state.status}"
    yield f"- Commit: {commit(state)}"
    yield f"- Command: `{command_line(state)}`"
    yield from map(_asset, assets)
    if any(one.is_sample for one in assets):
        yield "- **Sample data:** the figures do not say how good the model is on real data"
    for where, names in stand_ins(state).items():
        yield (
            f"- **Not measured on {start['target']}:** the figures of {', '.join(names)} were {where}"
        )


def _asset(one: Data) -> str:
    facts = [
        f"version {one.version}" if one.version else "",
        f"date {one.date}" if one.date else "",
        f"licence: {one.licence}",
        f"source: {one.source}",
    ]
    sample = " (sample data)" if one.is_sample else ""
    return f"- Data `{one.key}`: {one.name}{sample}; {'; '.join(filter(None, facts))}"
