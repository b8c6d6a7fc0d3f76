"""Reads the files of a data set, in whichever format they are.

docs/usecases/chatbot.md describes the formats. If a folder has sentences in several of them, the first one
of JSON, YAML, CSV and text files is used, and the others are named. So are files about something else that
cannot be parsed, if others are usable; a faulty file of the data set is an error.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.stage import StageError
from stages.text.formats import (
    _answers,
    _clinc,
    _csv,
    _folder,
    _intents_json,
    _json,
    _rasa,
    _yaml,
)
from stages.text.formats._corpus import Corpus
from stages.text.formats._files import Files
from stages.text.formats._findings import Findings

# what only a file of the data set says, also one that cannot be parsed
_OUR_JSON = re.compile(rb'"(?:intents?|patterns|oos_\w+)"\s*:')
_OUR_YAML = re.compile(rb"^[{\"']*(?:nlu|responses|contexts|entities)[\"']?\s*:", re.MULTILINE)
_HOW = (
    "give an intents.json, Rasa's nlu.yml, a CSV with the columns text,intent, CLINC150's JSON, or a folder "
    "with a text file for each intent, such as greet.txt"
)


def read(root: Path, findings: Findings) -> Corpus:
    """Return what the file or folder says; StageError: there is no sentence in it."""
    files, corpus = Files(root, findings), Corpus()
    for reader in (_read_json, _read_yaml, _read_csv, _read_folder):
        reader(files, corpus, findings)
    if not corpus.sentences:
        for error in files.foreign.values():
            raise error
        raise StageError(f"{root.name} has no sentences with their intents: {_HOW}")
    for path in files.paths:
        if path not in files.used:
            name = files.name(path)
            why = str(files.foreign.get(path, "")).removeprefix(name).lstrip(":, ")
            findings.add("ignored_files", name, why)
    return corpus


def _read_json(files: Files, corpus: Corpus, findings: Findings) -> None:
    for path in files.ending(".json"):
        data = _parsed(_json.parsed, _OUR_JSON, files, path)
        if _intents_json.is_form(data):
            _intents_json.read(data, path, files, corpus, findings)
        elif _clinc.is_form(data):
            _clinc.read(data, path, files, corpus, findings)
        else:
            files.used.discard(path)


def _read_yaml(files: Files, corpus: Corpus, findings: Findings) -> None:
    """Read Rasa's sentences unless there are others, and the responses in any case."""
    is_first = not corpus.sentences
    for path in files.ending(".yml", ".yaml"):
        data = _parsed(_yaml.parsed, _OUR_YAML, files, path)
        is_rasa, has_answers = _rasa.is_form(data), _answers.is_form(data)
        if is_rasa and is_first:
            _rasa.read(data, path, files, corpus, findings)
        if has_answers:
            _answers.read(data, files.name(path), corpus)
        if not has_answers and not (is_rasa and is_first):
            files.used.discard(path)


def _read_csv(files: Files, corpus: Corpus, findings: Findings) -> None:
    if not corpus.sentences:
        for path in files.ending(".csv", ".tsv"):
            _csv.read(path, files, corpus, findings)


def _read_folder(files: Files, corpus: Corpus, findings: Findings) -> None:
    if not corpus.sentences and not files.is_single:
        for path in _folder.find(files):
            _folder.read(path, files, corpus, findings)


def _parsed(
    parse: Callable[[Files, Path], Any], ours: "re.Pattern[bytes]", files: Files, path: Path
) -> Any:
    """Return a file's data, or None if it cannot be parsed and is about something else."""
    try:
        return parse(files, path)
    except StageError as error:
        if files.contains(path, ours):
            raise
        files.foreign[path] = error
        return None
