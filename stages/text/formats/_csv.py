"""Reads CSV: text,intent[,split][,response], separated by commas, semicolons or tabs."""

from pathlib import Path

from engine.stage import StageError
from stages.media import splits
from stages.media.unreadable import Unreadable
from stages.tasks.text import table
from stages.text.formats._corpus import Corpus, intent_name
from stages.text.formats._files import Files
from stages.text.formats._findings import Findings


def read(path: Path, files: Files, corpus: Corpus, findings: Findings) -> None:
    """Add the rows of a file to the corpus, if it has the columns; StageError: it cannot be read."""
    name = files.name(path)
    try:
        for line, row in table.rows(files.text(path), "text", "intent"):
            _add(row, f"{name}, line {line}", files.split(path), corpus, findings)
    except table.Lacking as error:
        files.used.discard(path)
        files.foreign[path] = StageError(f"{name}: {error}")
    except Unreadable as error:
        raise StageError(f"{name}: {error}") from None


def _add(row: table.Row, where: str, part: str | None, corpus: Corpus, findings: Findings) -> None:
    word, intent = row["split"], intent_name(row["intent"], where)
    split = splits.named(word) if word else part
    if not intent:
        findings.add("broken_rows", where, "it has no intent")
    elif word and split is None:
        findings.add("broken_rows", where, f"its split is '{word}', not train, val or test")
    elif row["text"]:
        corpus.add(row["text"], intent, where, split)
    else:
        findings.add("blank", where)
    if intent and row["response"] and row["response"] not in corpus.responses[intent]:
        corpus.responses[intent].append(row["response"])
