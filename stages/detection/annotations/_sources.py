"""Finds the annotated pictures in a user's folder, in whichever format they are annotated.

docs/usecases/object_detection.md describes the formats and layouts.
"""

import dataclasses
from pathlib import Path

from engine.stage import StageError
from stages.detection.annotations import _coco, _csv, _voc, _yolo
from stages.detection.annotations._files import Files
from stages.detection.annotations._findings import Findings
from stages.detection.annotations._source import Source
from stages.media import kinds

_READERS = (_voc, _coco, _yolo, _csv)  # if a folder has several formats, the first one is read
_HOW = (
    "annotate the pictures as Pascal VOC (.xml), COCO (.json), YOLO (.txt) or in a CSV with the "
    "columns filename,width,height,class,xmin,ymin,xmax,ymax"
)


def find(root: Path, findings: Findings, needs_annotations: bool = True) -> list[Source]:
    """Return the annotated pictures, each once, in a fixed order; opens none of them.

    root:              a folder, or a .csv or .json file beside the pictures that it describes
    needs_annotations: if not, a folder without annotations has pictures without boxes

    StageError: there are no annotations, or none has a picture.
    """
    files = Files(root.parent, only=root) if root.is_file() else Files(root)
    for reader in _READERS:
        found = reader.read(files, findings)
        if found is not None:
            break
    else:
        reason = findings.sentence("broken_annotations")
        found = [] if needs_annotations or reason else _bare(files)
        if not found:
            raise StageError(f"{root.name} has no annotations{_in_brackets(reason)}: {_HOW}")
    _report_the_rest(files, findings)
    sources = _settled(found, files, findings)
    if not sources:
        reason = findings.sentence("broken_annotations", "orphaned")
        raise StageError(
            f"no annotation in {root.name} belongs to a picture{_in_brackets(reason)}: put pictures and "
            "annotations with the same names into one folder, and set assets.pictures to it"
        )
    return sources


def _bare(files: Files) -> list[Source]:
    """Return all pictures, without boxes."""
    paths = [path for path in files.pictures if kinds.is_picture(path)]
    files.used.update(paths)
    return [Source(path=path, name=files.name(path), boxes=(), in_shares=True) for path in paths]


def _in_brackets(reason: str) -> str:
    return f" ({reason})" if reason else ""


def _report_the_rest(files: Files, findings: Findings) -> None:
    """Name the pictures that have no annotation, and the files that were not read."""
    for path in files.pictures:
        if path not in files.used:
            kind = "unannotated" if kinds.is_picture(path) else "ignored_files"
            findings.add(kind, files.name(path))
    for path in files.others:
        if path not in files.used:
            findings.add("ignored_files", files.name(path))


def _settled(sources: list[Source], files: Files, findings: Findings) -> list[Source]:
    """Return the pictures with the split of the data set: the format's own, or that of the folders.

    A split needs training pictures and others; without a test part, validation is the test part.
    Pictures that it does not mention are left out.
    """
    splits = [source.split for source in sources]
    if not any(splits):
        splits = [files.split(source.path) for source in sources]
    parts = {split for split in splits if split}
    if "train" not in parts or len(parts) == 1:
        return [dataclasses.replace(source, split=None) for source in sources]
    renamed = {"val": "test"} if "test" not in parts else {}
    settled = []
    for source, split in zip(sources, splits, strict=True):
        if split is None:
            findings.add("unassigned", source.name)
        else:
            settled.append(dataclasses.replace(source, split=renamed.get(split, split)))
    return settled
