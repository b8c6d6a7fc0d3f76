"""Reads Weka's ARFF: names and types of the columns, then rows separated by commas.

Source: https://waikato.github.io/weka-wiki/formats_and_processing/arff_stable/
"""

import re

from engine.stage import StageError

SUFFIXES = (".arff",)
_ATTRIBUTE = re.compile(r"@attribute\s+('(?:[^'\\]|\\.)*'|\"[^\"]*\"|\S+)", re.IGNORECASE)
_DATA = re.compile(r"^@data[^\n]*\n", re.IGNORECASE | re.MULTILINE)


def as_csv(text: str, file: str) -> str:
    """Return the rows as CSV with a line of names. StageError: a sparse file, or no names or rows."""
    head, found, body = (
        text.partition(match.group()) if (match := _DATA.search(text)) else ("", "", "")
    )
    names = [one.strip("'\"").replace("\\", "") for one in _ATTRIBUTE.findall(head)]
    if not found or not names:
        raise StageError(f"{file} has no @attribute or no @data: write it again, or save it as CSV")
    if body.lstrip().startswith("{"):
        raise StageError(f"{file} is a sparse ARFF file, which is not supported: save it as CSV")
    rows = [line for line in body.split("\n") if line.strip() and not line.startswith("%")]
    quoted = [re.sub(r"'((?:[^'\\]|\\.)*)'", _quoted, line) for line in rows]
    header = ",".join(f'"{name}"' for name in names)
    return "\n".join([header, *quoted]) + "\n"


def _quoted(match: "re.Match[str]") -> str:
    plain = match.group(1).replace("\\", "").replace('"', '""')
    return f'"{plain}"'
