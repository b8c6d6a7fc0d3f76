"""Removes a name from the record of a sweep: its command, the changes of its jobs, and its report."""

import json
from pathlib import Path
from typing import Any

from engine.durable import write_whole
from engine.forgetting.words import Words
from engine.report import sweep as report
from engine.sweeps import record
from engine.sweeps.record import Sweep

_STAGES = ("message",)  # texts of stages; all others are words of the program, with names of files


def of_usecase(outputs: Path, usecase: str) -> list[Sweep]:
    """Return the sweeps that may have jobs of the use case: not those with runs of others only."""
    found = []
    for sweep in record.sweeps(outputs):
        runs = [Path(job.facts.run) for job in sweep.jobs if job.facts.run]
        if not runs or any(usecase in run.parts for run in runs):
            found.append(sweep)
    return found


def clean(sweep: Sweep, words: Words) -> bool:
    """Remove the name from the sweep's files, as from those of a run; return whether anything changed."""
    folder = sweep.path
    files = [folder / record.SWEEP_FILE, *sorted((folder / record.JOBS).glob("*.jsonl"))]
    changed = [path for path in files if _clean_lines(path, words)]
    page = folder / "report.html"
    if page.is_file() and (changed or words.are_in_bytes(page.read_bytes())):
        found = record.read(folder)
        if found:
            report.write(found)
            return True
    return bool(changed)


def _clean_lines(path: Path, words: Words) -> bool:
    """Write a JSON file, or a file with JSON lines, again without the name, if it has any."""
    text = path.read_text(encoding="utf-8", errors="replace")
    is_whole = path.name == record.SWEEP_FILE
    after = "".join(
        _clean_line(one, words, 2 if is_whole else None)
        for one in ([text] if is_whole else text.splitlines(True))
    )
    if after == text:
        return False
    write_whole(path, after.encode())
    return True


def _clean_line(line: str, words: Words, indent: int | None) -> str:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):  # a crash cut it off
        return line
    made = _without(data, words) if isinstance(data, dict) else data
    if made == data:
        return line
    end = "\n" if line.endswith("\n") else ""
    return json.dumps(made, ensure_ascii=False, indent=indent) + end


def _without(data: dict[str, Any], words: Words) -> dict[str, Any]:
    of_pictures = words.of_pictures
    return {
        key: (words if key in _STAGES else of_pictures).replaced(one) for key, one in data.items()
    }
