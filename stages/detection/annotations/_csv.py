"""Reads a CSV with a row for each box: filename,width,height,class,xmin,ymin,xmax,ymax.

This is the form of the TensorFlow Object Detection tutorials. Columns may be in any order and under the
names that other tools use. A row with a file name only says that the picture shows no object. Several
files are joined; train, val or test in a file's name, or a column `split`, is the split. Also read:
Google AutoML's rows without a header. Source: https://cloud.google.com/vertex-ai/docs, "Prepare image
training data for object detection", CSV.
"""

import csv
from collections import defaultdict
from pathlib import Path
from typing import Any

from engine.stage import StageError
from stages.detection.annotations._fields import Broken, flag, label, number, side
from stages.detection.annotations._files import Files, part_in_name
from stages.detection.annotations._findings import Findings
from stages.detection.annotations._joined import Joined
from stages.detection.annotations._source import Box, Source
from stages.media import splits

MOST_BYTES = 200_000_000  # of a CSV file
EXPECTED = "filename,width,height,class,xmin,ymin,xmax,ymax"
_COLUMNS = {
    "filename": ("filename", "file", "image", "imageid", "imagename", "imagepath", "path"),
    "width": ("width", "imagewidth"),
    "height": ("height", "imageheight"),
    "class": ("class", "label", "labelname", "classname", "category", "name"),
    "xmin": ("xmin", "x1", "left"),
    "ymin": ("ymin", "y1", "top"),
    "xmax": ("xmax", "x2", "right"),
    "ymax": ("ymax", "y2", "bottom"),
    "ignored": ("isgroupof", "iscrowd", "difficult"),
    "split": ("split", "set", "subset"),
}
_NEEDED = ("filename", "class", "xmin", "ymin", "xmax", "ymax")
_AUTOML = ("split", "filename", "class", "xmin", "ymin", "", "", "xmax", "ymax")
_AUTOML_PARTS = {"TRAIN": "train", "VALIDATE": "val", "VALIDATION": "val", "TEST": "test"}
Row = dict[str, str]


def read(files: Files, findings: Findings) -> list[Source] | None:
    """Return the annotated pictures; None if there is no CSV.

    StageError: no CSV has the columns of one.
    """
    paths = files.ending(".csv")
    tables = {path: rows for path in paths if (rows := _rows(path)) is not None}
    if not paths:
        return None
    if not tables:
        raise StageError(
            f"{files.name(paths[0])} has the columns {_first_line(paths[0])}: write {EXPECTED} in its "
            "first line"
        )
    joined = Joined(files, in_shares=all(map(_is_in_shares, tables.values())))
    for path, rows in tables.items():
        files.used.add(path)
        _Reader(path, files, findings).read(rows, joined)
    return joined.sources()


def _rows(path: Path) -> list[tuple[int, Row]] | None:
    """Return each row by the names of _COLUMNS, with its line; None if columns are missing."""
    if path.stat().st_size > MOST_BYTES:
        raise StageError(f"{path.name} is larger than {MOST_BYTES // 1_000_000} MB: split it")
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        first = file.readline()
        file.seek(0)
        delimiter = max(",;\t", key=first.count)
        lines = csv.reader((line.replace("\0", "") for line in file), delimiter=delimiter)
        try:
            return _named(lines)
        except csv.Error:
            return None


def _named(lines: Any) -> list[tuple[int, Row]] | None:
    header: list[str] = next(lines, [])
    names = _names(header)
    found: list[tuple[int, Row]] = []
    if header and header[0].strip() in (*_AUTOML_PARTS, "UNASSIGNED"):
        names = list(_AUTOML)
        found.append((1, _row(names, header)))
    elif not set(_NEEDED) <= set(names):
        return None
    for line in lines:
        if any(map(str.strip, line)):
            found.append((lines.line_num, _row(names, line)))
    return found


def _names(header: list[str]) -> list[str]:
    """Return the name in _COLUMNS of each column, empty if it is unknown."""
    known = {alias: name for name, aliases in _COLUMNS.items() for alias in aliases}
    words = ["".join(filter(str.isalnum, column.casefold())) for column in header]
    return [known.get(word, "") for word in words]


def _row(names: list[str], line: list[str]) -> Row:
    row = {name: value.strip() for name, value in zip(names, line, strict=False) if name}
    return {name: row.get(name, "") for name in _COLUMNS}


def _first_line(path: Path) -> str:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return file.readline().strip()[:200] or "none"


def _is_in_shares(rows: list[tuple[int, Row]]) -> bool:
    """Return whether no coordinate is above 1: pixels would make boxes of a single pixel."""
    largest = 0.0
    for _, row in rows:
        for name in ("xmax", "ymax"):
            try:
                largest = max(largest, number(row[name], name))
            except Broken:
                continue
    return 0 < largest <= 1


class _Reader:
    """Reads one table."""

    def __init__(self, path: Path, files: Files, findings: Findings) -> None:
        self._path, self._files, self._findings = path, files, findings
        self._name = files.name(path)
        self._split = part_in_name(path) or files.split(path)

    def read(self, rows: list[tuple[int, Row]], joined: Joined) -> None:
        by_name: dict[str, list[tuple[int, Row]]] = defaultdict(list)
        for at, row in rows:
            if row["filename"]:
                by_name[row["filename"]].append((at, row))
            else:
                self._findings.add(
                    "broken_boxes", f"{self._name}, line {at}", "it has no file name"
                )
        for name, own in by_name.items():
            picture = self._files.picture_named(name, self._path)
            if picture is None:
                self._findings.add("orphaned", name, f"{self._name}, line {own[0][0]}")
            else:
                self._add(picture, own, joined)

    def _add(self, picture: Path, rows: list[tuple[int, Row]], joined: Joined) -> None:
        """Add a picture with its boxes; two equal rows are two boxes, which are reported later."""
        boxes, lost = [], 0
        for at, row in rows:
            if not any(row[name] for name in _NEEDED[1:]):
                continue  # no object
            try:
                boxes.append(_box(row))
            except Broken as error:
                self._findings.add("broken_boxes", f"{self._name}, line {at}", error)
                lost += 1
        height, width = side(rows[0][1]["height"]), side(rows[0][1]["width"])
        size = (height, width) if height and width else None
        joined.add(picture, boxes, size=size, split=self._part(rows[0][1]["split"]), lost=lost)

    def _part(self, word: str) -> str | None:
        return _AUTOML_PARTS.get(word.upper()) or splits.named(word) or self._split


def _box(row: Row) -> Box:
    return Box(
        label=label(row["class"]),
        top=number(row["ymin"], "ymin"),
        left=number(row["xmin"], "xmin"),
        bottom=number(row["ymax"], "ymax"),
        right=number(row["xmax"], "xmax"),
        is_ignored=flag(row["ignored"]),
    )
