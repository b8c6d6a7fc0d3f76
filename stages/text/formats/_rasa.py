"""Reads Rasa's training data in YAML: intents with marked entities, synonyms, lookup tables and patterns.

Source: https://rasa.com/docs/rasa/nlu-training-data. Stories, rules and slots are not used.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from engine.stage import StageError
from stages.text.formats._answers import check_name
from stages.text.formats._corpus import Corpus
from stages.text.formats._fields import entries, field, short
from stages.text.formats._files import Files
from stages.text.formats._findings import Findings
from stages.text.formats._yaml import Text

_MARKED = re.compile(
    r"\[([^\[\]]+)\](?:\(([^()]*)\)|(\{[^{}]*\}))"
)  # [Rome](city), [Rome]{"entity": "city"}
# it begins with a whole word: otherwise a long word would be read once from each of its characters
_PAIR = re.compile(r"(?<!\w)(\w+)[\"']?\s*:\s*[\"']([^\"']*)[\"']")
_KINDS = ("intent", "synonym", "lookup", "regex")
_EXAMPLE = "'- intent: greet' with 'examples: |' and '- hello' on the lines below"


def is_form(data: Any) -> bool:
    """Return whether the data of a YAML file has this form."""
    return isinstance(data, Mapping) and "nlu" in data


def read(
    data: Mapping[str, Any], path: Path, files: Files, corpus: Corpus, findings: Findings
) -> None:
    """Add what a file says to the corpus; StageError: it cannot be used."""
    name = files.name(path)
    for at, entry in enumerate(entries(data["nlu"] or [], f"{name}: nlu"), 1):
        kind = next((one for one in _KINDS if entry.get(one)), None)
        if kind is None:
            raise StageError(f"{name}: nlu, entry {at}, is not an intent: write {_EXAMPLE}")
        if not isinstance(entry[kind], str):
            raise StageError(
                f"{name}: nlu, entry {at}: {kind} is {short(entry[kind])}: write its name"
            )
        key, examples = str(entry[kind]).strip(), list(_examples(entry, name, findings))
        if kind in ("lookup", "regex"):
            check_name(key, f"{name}: {kind}")
        if kind == "intent":
            corpus.name(key, name)
            for text, where in examples:
                corpus.add(_unmarked(text, corpus, where, findings), key, where, files.split(path))
            continue
        values = [text for text, _ in examples]
        if kind == "synonym":
            corpus.synonyms[key] += values
        elif kind == "regex":
            corpus.patterns[key] += values
        else:
            for value in values:
                corpus.lookups[key].setdefault(value, [])


def _examples(entry: Mapping[str, Any], name: str, findings: Findings) -> Iterator[tuple[str, str]]:
    """Yield each example, and where it is written: the lines of a block, or a list."""
    found = entry.get("examples") or ""
    for text, line in _lines(found, name):
        where = f"{name}, line {line}"
        if text:
            yield text, where
        else:
            findings.add("blank", where)


def _lines(found: Any, name: str) -> Iterator[tuple[str, int]]:
    if isinstance(found, list):
        for one in found:
            text = field(one, "text") if isinstance(one, Mapping) else one
            if not isinstance(text, Text):
                raise StageError(f"{name}: an example has no text: write {_EXAMPLE}")
            yield str(text).strip().removeprefix("- "), text.line
        return
    if not isinstance(found, str):
        raise StageError(f"{name}: examples are {short(found)}: write {_EXAMPLE}")
    first = getattr(found, "line", 1) + getattr(found, "is_block", False)
    for at, line in enumerate(found.splitlines(), first):
        if line.strip():
            yield line.strip().removeprefix("-").strip(), at


def _unmarked(text: str, corpus: Corpus, where: str, findings: Findings) -> str:
    """Return a sentence without the marks of its entities, whose values are kept as lookup lists."""

    def plain(match: re.Match[str]) -> str:
        said, name, described = match.groups()
        entity, value = _entity(said, name, described)
        if entity.isidentifier():
            forms = corpus.lookups[entity].setdefault(value, [])
            if said != value and said not in forms:
                forms.append(said)
        else:
            findings.add("broken_marks", where, match.group())
        return said

    return _MARKED.sub(plain, text)


def _entity(said: str, name: str | None, described: str | None) -> tuple[str, str]:
    """Return the entity and the value of a mark; an older form is [said](entity:value)."""
    if described is not None:
        pairs = dict(_PAIR.findall(described))
        return pairs.get("entity", ""), pairs.get("value", said).strip()
    entity, _, value = (name or "").partition(":")
    return entity.strip(), (value or said).strip()
