"""Reads intents.json: a list `intents` of tag, patterns, responses and context.

Contexts are read in the forms that tutorials use: `context_set` and `context_filter`, a list `context` of
those that the intent sets, or an object with `requires` and `sets` (Watson and Dialogflow: `in`, `out`).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.stage import StageError
from stages.tasks.text.rules import Context
from stages.text.formats import _answers
from stages.text.formats._corpus import Corpus, intent_name
from stages.text.formats._fields import entries, field, filled, texts
from stages.text.formats._files import Files
from stages.text.formats._findings import Findings

_TAGS = ("tag", "intent")
_PATTERNS = ("patterns", "examples", "text", "texts", "utterances", "sentences")
_EXAMPLE = '{"intents": [{"tag": "greet", "patterns": ["hello"], "responses": ["Hi!"]}]}'


def is_form(data: Any) -> bool:
    """Return whether the data of a JSON file has this form."""
    if isinstance(data, list):
        return bool(data) and all(isinstance(one, dict) and _is_entry(one) for one in data)
    return isinstance(data, dict) and field(data, "intents") is not None


def _is_entry(one: Mapping[str, Any]) -> bool:
    """Return whether an entry of a mere list is an intent: a menu has names and texts, too."""
    if field(one, *_TAGS) is not None:
        return True
    return field(one, "name") is not None and isinstance(field(one, *_PATTERNS), list)


def read(data: Any, path: Path, files: Files, corpus: Corpus, findings: Findings) -> None:
    """Add what a file says to the corpus; StageError: it cannot be used."""
    name, top = files.name(path), data if isinstance(data, dict) else {"intents": data}
    for at, entry in enumerate(entries(field(top, "intents"), f"{name}: intents"), 1):
        tag = field(entry, *_TAGS, "name")
        if isinstance(tag, bool) or not isinstance(tag, str | int | float) or not str(tag).strip():
            raise StageError(f"{name}: intent {at} has no tag: write {_EXAMPLE}")
        _add(intent_name(str(tag), name), entry, name, files.split(path), corpus, findings)
    _answers.add_entities(field(top, "entities"), f"{name}: entities", corpus)


def _add(
    tag: str,
    entry: Mapping[str, Any],
    name: str,
    split: str | None,
    corpus: Corpus,
    findings: Findings,
) -> None:
    where = f"{name}: intent '{tag}'"
    corpus.name(tag, name)
    for at, text in enumerate(texts(field(entry, *_PATTERNS), f"{where}: patterns"), 1):
        if text:
            corpus.add(text, tag, f"{name}, '{tag}', pattern {at}", split)
        else:
            findings.add("blank", f"{name}, '{tag}', pattern {at}")
    said = field(entry, "responses", "response", "answers")
    corpus.responses[tag] += filled(said, f"{where}: responses")
    context = _context(entry, where)
    if context.requires or context.sets:
        corpus.contexts[tag] = context


def _context(entry: Mapping[str, Any], where: str) -> Context:
    found = field(entry, "context")
    if isinstance(found, Mapping):
        return _answers.context(found, f"{where}: context")
    sets = filled(found, f"{where}: context") + filled(
        field(entry, "context_set"), f"{where}: context_set"
    )
    requires = filled(field(entry, "context_filter"), f"{where}: context_filter")
    return Context(requires, list(dict.fromkeys(sets)))
