"""Reads CLINC150's JSON: lists train, val, test, oos_train, oos_val, oos_test of [sentence, intent].

Source: https://github.com/clinc/oos-eval (Larson et al. 2019).
"""

from pathlib import Path
from typing import Any

from stages.media import splits
from stages.text.formats._corpus import Corpus
from stages.text.formats._fields import short
from stages.text.formats._files import Files
from stages.text.formats._findings import Findings

_OUTSIDE = "oos"


def is_form(data: Any) -> bool:
    """Return whether the data of a JSON file has this form."""
    return isinstance(data, dict) and any(
        _split(key) and isinstance(rows, list) and rows for key, rows in data.items()
    )


def read(data: Any, path: Path, files: Files, corpus: Corpus, findings: Findings) -> None:
    """Add the sentences to the corpus; other lists are ignored."""
    for key, rows in data.items():
        split = _split(key)
        for at, row in enumerate(rows if split and isinstance(rows, list) else (), 1):
            where = f"{files.name(path)}, {key}, entry {at}"
            if not _is_row(row):
                findings.add("broken_rows", where, f"not [sentence, intent] but {short(row)}")
            elif not row[0].strip():
                findings.add("blank", where)
            else:
                corpus.add(row[0], row[1], where, split)


def _split(key: str) -> str | None:
    """Return the part that a list belongs to."""
    return splits.named(key.casefold().removeprefix(f"{_OUTSIDE}_"))


def _is_row(row: Any) -> bool:
    is_pair = isinstance(row, list) and len(row) == 2
    return is_pair and all(isinstance(one, str) for one in row) and bool(row[1].strip())
