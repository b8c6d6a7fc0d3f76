"""Reads the files of a data set, in whichever format they are.

docs/usecases/chatbot.md describes the formats. If a folder has sentences in several of them, the first one
of JSON, YAML, CSV and text files is used, and the others are named.
"""

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
        raise StageError(f"{root.name} has no sentences with their intents: {_HOW}")
    for path in files.paths:
        if path not in files.used:
            findings.add("ignored_files", files.name(path))
    return corpus


def _read_json(files: Files, corpus: Corpus, findings: Findings) -> None:
    for path in files.ending(".json"):
        data = _json.parsed(files, path)
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
        data: Any = _yaml.parsed(files, path)
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
