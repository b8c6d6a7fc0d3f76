"""The model card of a run: the card in its package, and where the model comes from.

A package has the same bytes whenever it is made of the same inputs, so its own card names no run.
This one lies beside the report.
"""

from pathlib import Path
from typing import Any

from engine import layout
from engine.events import RunState
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
    """Say which commit the run's code was, and whether it was changed."""
    name = state.start.get("git_commit")
    if not name:
        return "none: the code is not in a Git repository"
    return f"{name[:40]}, modified" if state.start.get("git_modified") else str(name[:40])


def source(asset: dict[str, Any]) -> str:
    """Say where an asset comes from."""
    return str(asset.get("source") or asset.get("path") or "made by a stage of this run")


def version(asset: dict[str, Any]) -> str:
    """Return the asset's version: the beginning of its digest, which may say its kind first."""
    return str(asset.get("digest") or "").rpartition(":")[2][:12]


def _with_provenance(text: str, state: RunState) -> str:
    """Put the section before the first other one."""
    head, mark, rest = text.partition("\n## ")
    return f"{head.rstrip()}\n\n{_provenance(state)}{mark}{rest}"


def _provenance(state: RunState) -> str:
    start = state.start
    lines = [
        f"- Run: {start['run_id']}, {moment(start.get('time', 0.0))}, {state.status}",
        f"- Commit: {commit(state)}",
        f"- Command: `{command_line(state)}`",
        *map(_asset, start.get("assets") or ()),
    ]
    for taken, names in stand_ins(state).items():
        lines.append(
            f"- Not measured on {start['target']}: the figures of {', '.join(names)} were {taken}"
        )
    if any(asset.get("sample") for asset in start.get("assets") or ()):
        lines.append("- Sample data: these figures say nothing about real data")
    return "## Provenance\n\n" + "\n".join(lines) + "\n"


def _asset(asset: dict[str, Any]) -> str:
    digest = version(asset)
    facts = [
        f"version {digest}" if digest else "",
        f"licence: {asset.get('licence') or 'not stated'}",
        f"source: {source(asset)}",
    ]
    sample = " (sample data)" if asset.get("sample") else ""
    return f"- Asset `{asset['key']}`: {asset['name']}{sample}; {'; '.join(filter(None, facts))}"
