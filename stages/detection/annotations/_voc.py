"""Reads Pascal VOC: one XML file per picture, in annotations/, annots/ or beside the pictures.

ImageSets/Main/train.txt, val.txt, trainval.txt and test.txt, if they exist, are the split.
Source: Everingham et al., "The PASCAL VOC2012 Development Kit", section 3.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat

from stages.detection.annotations._fields import Broken, flag, label, number, side
from stages.detection.annotations._files import Files
from stages.detection.annotations._findings import Findings
from stages.detection.annotations._source import Box, Source

MOST_BYTES = 10_000_000  # of an XML file
_MARK = b"<annotation"
_SETS = "ImageSets"
_HEAD = 4096  # bytes of a file that show whether it is an annotation


@dataclass(frozen=True, slots=True, kw_only=True)
class _Annotation:
    """What an XML file says."""

    filename: str
    size: tuple[int, int] | None
    boxes: tuple[Box, ...]
    lost: int


def read(files: Files, findings: Findings) -> list[Source] | None:
    """Return the annotated pictures; None if there is no annotation of this format."""
    paths = files.ending(".xml")
    if not any(_is_annotation(path) for path in paths):
        return None
    files.used.update(paths)
    splits = _image_sets(files)
    sources = []
    for picture, path in _pairs(files, paths, findings):
        files.used.add(picture)
        try:
            found = _annotation(path, files.name(path), findings)
        except Broken as error:
            findings.add("broken_annotations", files.name(path), error)
            continue
        if found.filename and not _is_called(path, found.filename):
            findings.add("renamed", files.name(path), f"it names {found.filename}")
        if found.size is None:
            findings.add("unsized", files.name(path))
        split = splits.get(path.stem) if splits else None
        sources.append(
            Source(
                path=picture,
                name=files.name(picture),
                boxes=found.boxes,
                size=found.size,
                lost=found.lost,
                split=split,
            )
        )
    return sources


def _is_annotation(path: Path) -> bool:
    with path.open("rb") as file:
        return _MARK in file.read(_HEAD).replace(b"\0", b"")  # UTF-16 has them


def _pairs(files: Files, paths: list[Path], findings: Findings) -> Iterator[tuple[Path, Path]]:
    """Yield each picture with its annotation: by the file's own name, or else by the name in it."""
    pairs: dict[Path, Path] = {}
    left = []
    for path in paths:
        name = _named(path) if len(files.pictures_of(path)) > 1 else ""
        picture = files.picture_of(path, name)
        if picture is None or picture in pairs:
            left.append(path)
        else:
            pairs[picture] = path
    for path in left:
        name = _named(path)
        picture = files.picture_named(name, path) if name else None
        if picture is None:
            findings.add("orphaned", files.name(path), f"it names {name}" if name else "")
        elif picture in pairs:
            other = files.name(pairs[picture])
            findings.add("orphaned", files.name(path), f"{other} describes {picture.name}")
        else:
            pairs[picture] = path
    order = {path: at for at, path in enumerate(files.pictures)}
    yield from sorted(pairs.items(), key=lambda pair: order[pair[0]])


def _named(path: Path) -> str:
    """Return the picture's name in an annotation, empty if there is none."""
    try:
        return _text(_parsed(path), "filename")
    except Broken:
        return ""


def _is_called(path: Path, filename: str) -> bool:
    """Return whether an annotation has the name of the picture in it, apart from the suffixes."""
    named = PureWindowsPath(filename)
    return path.stem.casefold() in (named.name.casefold(), named.stem.casefold())


def _annotation(path: Path, name: str, findings: Findings) -> _Annotation:
    root = _parsed(path)
    if root.tag != "annotation":
        raise Broken(f"its first element is {root.tag}, not annotation")
    objects = root.findall("object")
    boxes = []
    for one in objects:
        try:
            boxes.append(_box(one))
        except Broken as error:
            findings.add("broken_boxes", name, error)
    height, width = (side(_text(root, f"size/{key}")) for key in ("height", "width"))
    return _Annotation(
        filename=_text(root, "filename"),
        size=(height, width) if height and width else None,
        boxes=tuple(boxes),
        lost=len(objects) - len(boxes),
    )


def _box(one: "ElementTree.Element[str]") -> Box:
    """Return an object's box; its own, not that of one of its parts."""
    name = label(_text(one, "name"))
    if one.find("bndbox") is None:
        raise Broken("it has no bndbox")
    sides = {
        end: number(_text(one, f"bndbox/{key}"), key)
        for end, key in (("top", "ymin"), ("left", "xmin"), ("bottom", "ymax"), ("right", "xmax"))
    }
    return Box(label=name, **sides, is_ignored=flag(_text(one, "difficult")))


def _text(element: "ElementTree.Element[str]", path: str) -> str:
    return (element.findtext(path) or "").strip()


def _parsed(path: Path) -> "ElementTree.Element[str]":
    """Parse a file; declarations of entities are refused, because they can expand without limit.

    Source: defusedxml's list of attacks (billion laughs, external entities).
    """
    if path.stat().st_size > MOST_BYTES:
        raise Broken(f"it is larger than {MOST_BYTES // 1_000_000} MB")
    builder, parser = ElementTree.TreeBuilder(), expat.ParserCreate()
    parser.EntityDeclHandler = _refuse
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(path.read_bytes(), True)
    except expat.ExpatError as error:
        raise Broken(str(error)) from None
    except (ValueError, LookupError):  # an encoding that Python does not know
        raise Broken("its encoding is unknown") from None
    return builder.close()


def _refuse(*_: Any) -> None:
    raise Broken("it declares entities")


def _image_sets(files: Files) -> dict[str, str]:
    """Return the part of each picture by its name without suffix; empty without lists."""
    texts = [path for path in files.ending(".txt") if _SETS in path.relative_to(files.root).parts]
    files.used.update(texts)
    lists = {path.stem.lower(): path for path in texts if path.parent.name == "Main"}
    parts = {"train": "train", "val": "val", "test": "test"}
    if "train" not in lists:
        parts = {"trainval": "train", "test": "test"}
    found: dict[str, str] = {}
    for word, part in parts.items():
        if word in lists:
            lines = lists[word].read_text(encoding="utf-8", errors="replace").splitlines()
            names = (re.sub(r"\s+-?[01]$", "", line.strip()) for line in lines)  # 1: has the class
            found |= {name: part for name in names if name}
    return found
