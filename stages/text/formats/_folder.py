"""Reads a folder with a text file for each intent: greet.txt, one sentence on each line."""

import re
from pathlib import Path

from stages.media import splits
from stages.tasks.text import reading
from stages.text.formats._corpus import Corpus
from stages.text.formats._files import Files
from stages.text.formats._findings import Findings

_NOTES = re.compile(r"(?:readme|licen[cs]e|notice|changelog|requirements|labels)\b", re.IGNORECASE)


def find(files: Files) -> list[Path]:
    """Return the files that contain the sentences of an intent."""
    return [path for path in files.ending(*reading.TEXTS) if not _NOTES.match(path.stem)]


def read(path: Path, files: Files, corpus: Corpus, findings: Findings) -> None:
    """Add the lines of a file to the corpus; its name is the intent, its folder may be the split."""
    name, intent = files.name(path), path.stem.strip()
    corpus.name(intent, name)
    split = splits.named(path.relative_to(files.root).parts[0])
    for at, line in enumerate(files.text(path).splitlines(), 1):
        if line.strip():
            corpus.add(line, intent, f"{name}, line {at}", split)
