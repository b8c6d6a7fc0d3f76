"""Reads COCO: JSON files with `images`, `annotations` and `categories`.

Several files are joined; train, val or test in a file's name, or in the name of its folder, is the split.
Source: https://cocodataset.org/#format-data, "Object Detection".
"""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from stages.detection.annotations._fields import Broken, flag, label, number, side
from stages.detection.annotations._files import Files, part_in_name
from stages.detection.annotations._findings import Findings
from stages.detection.annotations._joined import Joined
from stages.detection.annotations._source import Box, Source

MOST_BYTES = 500_000_000  # of a JSON file; COCO's own largest has 450 MB
Row = dict[str, Any]


def read(files: Files, findings: Findings) -> list[Source] | None:
    """Return the annotated pictures; None if there is no annotation of this format."""
    tables = _tables(files, findings)
    joined = Joined(files)
    for path, table in tables.items():
        files.used.add(path)
        _Reader(path, files, findings).read(table, joined)
    return joined.sources() if tables else None


def _tables(files: Files, findings: Findings) -> dict[Path, Row]:
    """Return the JSON files that list objects; of COCO's own files, these are instances_*.json."""
    found: dict[Path, Row] = {}
    for path in files.ending(".json"):
        try:
            table = _parsed(path)
        except Broken as error:
            findings.add("broken_annotations", files.name(path), error)
            files.used.add(path)
            continue
        if _lists_objects(table):
            found[path] = table
    instances = {path: one for path, one in found.items() if path.stem.startswith("instances")}
    return instances or found


def _parsed(path: Path) -> Any:
    if path.stat().st_size > MOST_BYTES:
        raise Broken(f"it is larger than {MOST_BYTES // 1_000_000} MB")
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise Broken(str(error)) from None


def _lists_objects(table: Any) -> bool:
    """Return whether a JSON file has pictures with boxes; captions have none."""
    if not isinstance(table, dict) or not isinstance(table.get("images"), list):
        return False
    annotations = table.get("annotations")
    if not isinstance(annotations, list):
        return False
    return not annotations or any(isinstance(one, dict) and "bbox" in one for one in annotations)


class _Reader:
    """Reads one file; every entry of it may be broken."""

    def __init__(self, path: Path, files: Files, findings: Findings) -> None:
        self._path, self._files, self._findings = path, files, findings
        self._name = files.name(path)
        self._split = part_in_name(path) or files.split(path)

    def read(self, table: Row, joined: Joined) -> None:
        labels = {one["id"]: one.get("name") for one in self._rows(table, "categories")}
        paths: dict[str, Path] = {}
        lacking: set[str] = set()
        for image in self._rows(table, "images"):
            picture = self._picture(image)
            if picture is None:
                lacking.add(image["id"])
                continue
            paths.setdefault(image["id"], picture)
            height, width = side(image.get("height")), side(image.get("width"))
            if not (height and width):
                self._findings.add("unsized", self._files.name(picture))
            size = (height, width) if height and width else None
            joined.add(picture, size=size, split=self._split)
        self._add_boxes(table, labels, paths, lacking, joined)

    def _picture(self, image: Row) -> Path | None:
        """Return the picture that an image entry names, or None if it is not there."""
        name = image.get("file_name")
        if isinstance(name, str) and name.strip():
            picture = self._files.picture_named(name, self._path)
            if picture is None:
                self._findings.add("orphaned", name, self._name)
            return picture
        self._findings.add("orphaned", self._name, f"image {image.get('id')} has no file_name")
        return None

    def _add_boxes(
        self,
        table: Row,
        labels: dict[str, Any],
        paths: dict[str, Path],
        lacking: set[str],
        joined: Joined,
    ) -> None:
        boxes: dict[Path, list[Box]] = defaultdict(list)
        lost: dict[Path, int] = defaultdict(int)
        for one in self._rows(table, "annotations"):
            image = str(one.get("image_id"))
            if image not in paths:
                if image not in lacking:  # else the picture has been reported
                    reason = f"annotation {one.get('id')} of image {image}, which is not listed"
                    self._findings.add("orphaned", self._name, reason)
                continue
            box = self._box(one, labels)
            if box:
                boxes[paths[image]].append(box)
            else:
                lost[paths[image]] += 1
        for path in {**boxes, **lost}:
            joined.add(path, boxes[path], lost=lost[path])

    def _box(self, one: Row, labels: dict[str, Any]) -> Box | None:
        where = f"{self._name}, annotation {one.get('id')}"
        category = str(one.get("category_id"))
        if category not in labels:
            self._findings.add("unknown_classes", where, f"category {category}")
            return None
        try:
            return _box(one.get("bbox"), label(labels[category]), flag(one.get("iscrowd")))
        except Broken as error:
            self._findings.add("broken_boxes", where, error)
            return None

    def _rows(self, table: Row, key: str) -> list[Row]:
        """Return the entries of a list that are objects, with their ids as text; report others.

        Some tools write ids as numbers in one list and as text in another.
        """
        rows = table.get(key)
        rows = rows if isinstance(rows, list) else []
        found = []
        for at, row in enumerate(rows):
            if isinstance(row, dict):
                found.append({**row, "id": str(row.get("id"))})
            else:
                self._findings.add("broken_annotations", self._name, f"{key}[{at}] is {row!r:.20}")
        return found


def _box(values: Any, name: str, is_ignored: bool) -> Box:
    """Return the box of COCO's x, y, width, height."""
    if not isinstance(values, list) or len(values) != 4:
        raise Broken(f"bbox is {values!r:.40}")
    x, y, width, height = (number(value, "bbox") for value in values)
    return Box(label=name, top=y, left=x, bottom=y + height, right=x + width, is_ignored=is_ignored)
