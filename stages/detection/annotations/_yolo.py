"""Reads YOLO: one text file per picture, with a line `class x y width height` for each object.

The class is a number; data.yaml, classes.txt or a .names file has the names. Coordinates are shares of
the picture, x and y those of the box's centre. A line with more coordinates is a polygon. An empty file
says that the picture shows no object. The folders train, val and test of data.yaml are the split.
Source: https://docs.ultralytics.com/datasets/detect and /datasets/segment.
"""

import dataclasses
from pathlib import Path

from engine.stage import StageError
from stages.detection.annotations._fields import Broken, number
from stages.detection.annotations._files import Files
from stages.detection.annotations._findings import Findings
from stages.detection.annotations._joined import Joined
from stages.detection.annotations._source import Box, Source
from stages.detection.annotations._yolo_names import Description, describe

MOST_BYTES = 5_000_000  # of a text file
_LABELS = "labels"  # the usual folder


def read(files: Files, findings: Findings) -> list[Source] | None:
    """Return the annotated pictures; None if there is no annotation of this format.

    StageError: the classes have no names.
    """
    if not any(files.picture_of(path) for path in files.ending(".txt")):
        return None
    about = describe(files)
    if not about.names:
        raise StageError(
            "the YOLO annotations have no class names: add classes.txt with one name per line, or "
            "data.yaml with `names:`"
        )
    files.used |= about.files
    joined = Joined(files, in_shares=True)
    for path in files.ending(".txt"):
        picture = files.picture_of(path)
        if path in about.files:
            continue
        if picture is not None:
            files.used |= {path, picture}
            _add(joined, path, picture, about, findings, files)
        elif _LABELS in path.relative_to(files.root).parts:
            files.used.add(path)
            findings.add("orphaned", files.name(path))
    return [dataclasses.replace(one, split=about.part(one.path)) for one in joined.sources()]


def _add(
    joined: Joined,
    path: Path,
    picture: Path,
    about: Description,
    findings: Findings,
    files: Files,
) -> None:
    name = files.name(path)
    try:
        lines = _lines(path)
    except Broken as error:
        findings.add("broken_annotations", name, error)
        return
    boxes, lost = [], 0
    for at, line in lines:
        where = f"{name}, line {at}"
        try:
            class_, box = _box(line)
        except Broken as error:
            findings.add("broken_boxes", where, error)
            lost += 1
            continue
        if class_ not in about.names:
            findings.add("unknown_classes", where, f"class {class_}")
            lost += 1
            continue
        boxes.append(dataclasses.replace(box, label=about.names[class_]))
    joined.add(picture, boxes, lost=lost)


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    """Return the number and the words of each line that is not empty."""
    if path.stat().st_size > MOST_BYTES:
        raise Broken(f"it is larger than {MOST_BYTES // 1_000_000} MB")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise Broken("it is not text") from None
    words = (line.replace(",", " ").split() for line in text.splitlines())
    return [(at, line) for at, line in enumerate(words, 1) if line]


def _box(words: list[str]) -> tuple[int, Box]:
    """Return the class and the box of a line; the box has no label yet."""
    class_ = number(words[0], "class")
    if class_ != int(class_):
        raise Broken(f"class is {words[0]}")
    values = [number(word, "coordinate") for word in words[1:]]
    if len(values) in (4, 5):  # the fifth is the confidence of a prediction
        x, y, width, height = values[:4]
        left, right, top, bottom = x - width / 2, x + width / 2, y - height / 2, y + height / 2
    elif len(values) >= 6 and len(values) % 2 == 0:
        left, right = min(values[::2]), max(values[::2])
        top, bottom = min(values[1::2]), max(values[1::2])
    else:
        raise Broken(f"{len(values)} coordinates, but a box has 4")
    return int(class_), Box(label="", top=top, left=left, bottom=bottom, right=right)
