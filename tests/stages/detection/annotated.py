"""Writes small data sets in each of the four formats, with whatever is wrong in them."""

import csv
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 60, 80
FORMATS = ("voc", "coco", "yolo", "csv")
CORNERS = (20.0, 10.0, 40.0, 50.0)  # top, left, bottom, right


@dataclass(frozen=True)
class Entry:
    """A picture; boxes: (label, top, left, bottom, right). size: annotated height and width."""

    name: str
    boxes: tuple[tuple[Any, ...], ...] = (("cat", *CORNERS),)
    size: tuple[int, int] = (HEIGHT, WIDTH)

    def with_boxes(self, *boxes: tuple[Any, ...]) -> "Entry":
        return replace(self, boxes=boxes)

    @property
    def stem(self) -> str:
        return Path(self.name).stem


def entries(count: int = 12) -> list[Entry]:
    """Return pictures, every third of which shows a dog, and the others a cat."""
    return [
        Entry(f"{at:02}.png", boxes=(("dog" if at % 3 == 2 else "cat", *CORNERS),))
        for at in range(count)
    ]


def picture(path: Path, seed: int = 0, height: int = HEIGHT, width: int = WIDTH) -> Path:
    """Write a picture of coarse noise, which resembles no other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 255, (height // 10, width // 10, 3), np.uint8)
    Image.fromarray(np.kron(coarse, np.ones((10, 10, 1), np.uint8))).save(path)
    return path


def write(root: Path, form: str, given: list[Entry]) -> Path:
    """Write the annotations in a format, and each picture that is not there yet."""
    for at, entry in enumerate(given):
        path = root / "images" / entry.name
        if not path.exists():
            picture(path, at)
    annotate(root, form, given)
    return root


def annotate(root: Path, form: str, given: list[Entry]) -> None:
    """Write only the annotations."""
    {"voc": _voc, "coco": _coco, "yolo": _yolo, "csv": _csv}[form](root, given)


def _voc(root: Path, given: list[Entry]) -> None:
    for entry in given:
        write_text(root / "annots" / f"{entry.stem}.xml", xml(entry))


def xml(entry: Entry, extra: str = "", filename: str | None = None) -> str:
    """Return a Pascal VOC annotation; extra: XML inside each object."""
    objects = "".join(
        f"<object><name>{escape(str(label))}</name>{extra}<bndbox><xmin>{left}</xmin>"
        f"<ymin>{top}</ymin><xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object>"
        for label, top, left, bottom, right in entry.boxes
    )
    height, width = entry.size
    return (
        f"<annotation><filename>{filename or entry.name}</filename><size><width>{width}</width>"
        f"<height>{height}</height><depth>3</depth></size>{objects}</annotation>"
    )


def _coco(root: Path, given: list[Entry]) -> None:
    write_text(root / "annotations.json", json.dumps(coco(given)))


def coco(given: list[Entry]) -> dict[str, Any]:
    """Return the tables of a COCO file."""
    labels = sorted({box[0] for entry in given for box in entry.boxes})
    images = [
        {"id": at, "file_name": entry.name, "height": entry.size[0], "width": entry.size[1]}
        for at, entry in enumerate(given)
    ]
    boxes = [(at, box) for at, entry in enumerate(given) for box in entry.boxes]
    annotations = [
        {
            "id": number,
            "image_id": at,
            "category_id": labels.index(label) + 1,
            "bbox": [left, top, _minus(right, left), _minus(bottom, top)],
            "iscrowd": 0,
        }
        for number, (at, (label, top, left, bottom, right)) in enumerate(boxes)
    ]
    categories = [{"id": at, "name": label} for at, label in enumerate(labels, 1)]
    return {"images": images, "annotations": annotations, "categories": categories}


def _minus(one: Any, other: Any) -> Any:
    return one - other if isinstance(one, float) and isinstance(other, float) else "abc"


def _yolo(root: Path, given: list[Entry]) -> None:
    labels = sorted({box[0] for entry in given for box in entry.boxes})
    write_text(root / "classes.txt", "".join(f"{label}\n" for label in labels))
    for entry in given:
        lines = [line(labels.index(box[0]), *box[1:], size=entry.size) for box in entry.boxes]
        write_text(root / "labels" / f"{entry.stem}.txt", "".join(f"{one}\n" for one in lines))


def line(class_: int, top: Any, left: Any, bottom: Any, right: Any, size: tuple[int, int]) -> str:
    """Return a line of YOLO."""
    if not all(isinstance(side, float) for side in (top, left, bottom, right)):
        return f"{class_} 0.5 abc 0.1 0.1"
    height, width = size
    values = (
        (left + right) / 2 / width,
        (top + bottom) / 2 / height,
        (right - left) / width,
        (bottom - top) / height,
    )
    return f"{class_} {' '.join(f'{value:.6f}' for value in values)}"


def _csv(root: Path, given: list[Entry]) -> None:
    with (root / "boxes.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["filename", "width", "height", "class", "xmin", "ymin", "xmax", "ymax"])
        for entry in given:
            height, width = entry.size
            for label, top, left, bottom, right in entry.boxes:
                rows.writerow([entry.name, width, height, label, left, top, right, bottom])
            if not entry.boxes:
                rows.writerow([entry.name, width, height, "", "", "", "", ""])


def write_text(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
