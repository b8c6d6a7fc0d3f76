"""Removes a name from the files of a run: its journal, run.json, report, model card and logs."""

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from engine import composed, journal, run_annotations, run_files, run_names
from engine.durable import write_whole
from engine.events import RunState
from engine.forgetting.words import REMOVED, Words

GONE = "a figure was removed, because it named a person who was removed"
_TEXTS = ("text", "message", "log_tail", "notes")
_PATHS = ("because", "command", "assets")  # words of the program, with names of files among them
_PAGES = ("report.html", "model_card.md")
Render = Callable[[RunState, Path], None]  # writes the pages of a run again


def clean(
    run_dir: Path, words: Words, digests: Mapping[str, str], render: Render, has_lost: bool
) -> bool:
    """Remove the name from the run's files, and return whether anything changed.

    digests: of artifacts that were replaced, old -> new; has_lost: whether the run lost artifacts, so that
    its report is out of date. A damaged journal stays as it is.
    """
    path = run_dir / journal.FILE_NAME
    name = run_names.of(run_dir)
    is_annotated = _clean_annotations(run_dir / run_annotations.FILE_NAME, words.anywhere)
    is_changed = _clean_journal(path, words, digests)
    is_changed |= _clean_request(run_dir / composed.FILE_NAME, words.of_pictures)
    if name and not run_names.of(run_dir):
        run_names.release(run_dir.parents[2], name)
    state = run_files.state(run_dir)
    if (run_dir / run_files.RUN_FILE).exists() and not state.damage:
        if is_changed or _is_stale(run_dir, state):
            run_files.write_contract(run_dir, state)
            is_changed = True
        run_files.seal(run_dir)
    pages = [run_dir / name for name in _PAGES if (run_dir / name).exists()]
    is_stale = has_lost or is_annotated
    if pages and not state.damage and (is_stale or any(_is_in(one, words) for one in pages)):
        render(state, run_dir)
        is_changed = True
    for log in sorted(run_dir.glob("logs/**/*")):
        if log.is_file() and _is_in(log, words):
            text = log.read_text(encoding="utf-8", errors="replace")
            write_whole(log, words.replaced(text).encode())
            is_changed = True
    return is_changed or is_annotated


def _clean_annotations(path: Path, words: Words) -> bool:
    """Remove the name from people's notes and tags, wherever it is in them."""
    if not path.is_file() or not _is_in(path, words):
        return False
    text = path.read_text(encoding="utf-8", errors="replace")
    write_whole(path, words.replaced(text).encode())
    return True


def _clean_request(path: Path, words: Words) -> bool:
    """Remove the name from the recorded request, whose paths may name the person's pictures."""
    if not path.is_file() or not _is_in(path, words):
        return False
    data = json.loads(path.read_text(encoding="utf-8"))
    write_whole(path, json.dumps(words.replaced(data), indent=1, ensure_ascii=False).encode())
    return True


def _clean_journal(path: Path, words: Words, digests: Mapping[str, str]) -> bool:
    """Write the journal again without the name, event by event, if it has any."""
    follower = journal.Follower(path)
    follower.poll()
    if follower.damage:
        return False
    data = path.read_bytes()
    before = [json.loads(line) for line in data[: data.rfind(b"\n") + 1].splitlines()]
    after = [_clean_event(event, words, digests) for event in before]
    if before == after:
        return False
    lines = "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in after)
    times = path.stat()
    write_whole(path, lines.encode())
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # `clean` goes by the age of a run
    return True


def _clean_event(event: dict[str, Any], words: Words, digests: Mapping[str, str]) -> dict[str, Any]:
    if event["event"] == "figure" and _shows(event, words):
        stamp = {key: event[key] for key in ("v", "seq", "time")}
        return {**stamp, "event": "note", "stage": event["stage"], "text": GONE}
    if event["event"] == "run_started" and _is_called_so(event, words):
        event = {key: value for key, value in event.items() if key != "name"}
    of_pictures = words.of_pictures
    made = {key: _without(one, words) if key in _TEXTS else one for key, one in event.items()}
    made |= {key: of_pictures.replaced(made[key]) for key in _PATHS if key in made}
    if "figures" in made:
        made["figures"] = [one for one in made["figures"] if not _shows(one, words)]
    if "outputs" in made and isinstance(made["outputs"], dict):
        made["outputs"] = {name: digests.get(one, one) for name, one in made["outputs"].items()}
    return made


def _is_called_so(event: Mapping[str, Any], words: Words) -> bool:
    """Return whether a part of the run's name is the name: `faces-ann-2`."""
    return any(map(words.are, re.split(r"[-+._]", str(event.get("name") or ""))))


def _without(text: Any, words: Words) -> Any:
    """Return a text of a stage, or a list of them, without the name, which may be all of a text."""
    if isinstance(text, list):
        return [_without(one, words) for one in text]
    return REMOVED if words.are(text) else words.replaced(text)


def _shows(figure: Mapping[str, Any], words: Words) -> bool:
    """Return whether a figure has a picture's name anywhere, or the person in its labels or captions."""
    captions = [one.get("caption") for one in figure.get("pictures") or () if isinstance(one, dict)]
    labels = [*captions, *(figure.get("labels") or ())]
    if any(words.are(one) or words.are_in(one) for one in labels):
        return True
    return words.of_pictures.are_in(dict(figure))


def _is_stale(run_dir: Path, state: RunState) -> bool:
    """Return whether run.json differs from the journal, as after a kill between the two."""
    try:
        found = json.loads((run_dir / run_files.RUN_FILE).read_text(encoding="utf-8"))
    except ValueError:
        return True
    return bool(found != json.loads(json.dumps(run_files.run_json(state))))


def _is_in(path: Path, words: Words) -> bool:
    return words.are_in_bytes(path.read_bytes())
