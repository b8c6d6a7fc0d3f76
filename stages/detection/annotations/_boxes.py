"""Turns annotated boxes into shares of the upright picture, and fixes or drops the faulty ones."""

from collections.abc import Iterable
from typing import NamedTuple

from stages.detection.annotations._findings import Findings
from stages.detection.annotations._source import Box, Source
from stages.media.header import Header
from stages.media.orientation import UPRIGHT, Orientation

_ASPECT = 0.01  # maximum relative difference between the aspect ratios of one picture's two sizes
Size = tuple[float, float]  # height and width


class Frame(NamedTuple):
    """What the coordinates of an annotation refer to: its size, and how it becomes upright."""

    size: Size
    orientation: Orientation = UPRIGHT


def normalised(source: Source, header: Header, shown: Size, findings: Findings) -> list[Box] | None:
    """Return the usable boxes as shares of the upright picture, or None if the picture is unusable.

    shown: height and width of the picture as it is read: upright, with square pixels

    A picture is unusable if its annotated size contradicts its own, or if it has lost all its boxes:
    it shows objects, and would be trained on as background.
    """
    frame = _frame(source, header, shown, findings)
    if frame is None:
        return None
    found = _usable(source, frame, shown, findings)
    if not found and (source.boxes or source.lost):
        findings.add("unusable", source.name)
        return None
    return found


def agree(one: Size, other: Size) -> bool:
    """Return whether two sizes have the same aspect ratio, apart from rounding to whole pixels."""
    ratio = one[1] * other[0] / (one[0] * other[1])
    allowed = max(_ASPECT, 1.5 / min(*one, *other))
    return abs(ratio - 1) <= allowed


def iou(one: Box, other: Box) -> float:
    """Return the intersection of two boxes over their union, 0 to 1."""
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    width = min(one.right, other.right) - max(one.left, other.left)
    both = max(0.0, height) * max(0.0, width)
    union = _area(one) + _area(other) - both
    return both / union if union else 0.0


def _area(box: Box) -> float:
    return (box.bottom - box.top) * (box.right - box.left)


def _frame(source: Source, header: Header, shown: Size, findings: Findings) -> Frame | None:
    """Return what the boxes refer to, or None if the annotated size fits neither form of the picture.

    Tools differ in whether they apply the EXIF orientation, and the annotated size shows what a tool
    did. Without a size, the boxes are on the upright picture unless they fit only the stored one.
    """
    if source.in_shares:
        return Frame((1, 1))
    upright = [Frame(shown), Frame(header.upright)]  # they differ if pixels are not square
    frames = [*upright, Frame(header.stored, header.orientation)]
    if source.size is None:
        return next((one for one in frames if _holds(one.size, source.boxes)), frames[0])
    for one in frames:
        if one.size == source.size:
            return _reported(one, source, findings)
    for one in frames:
        if agree(one.size, source.size):
            findings.add("scaled", source.name)
            return _reported(one._replace(size=source.size), source, findings)
    height, width = source.size
    reason = f"{width} x {height} annotated, {shown[1]:.0f} x {shown[0]:.0f} in the file"
    findings.add("mismatched", source.name, reason)
    return None


def _reported(frame: Frame, source: Source, findings: Findings) -> Frame:
    if frame.orientation != UPRIGHT:
        findings.add("rotated", source.name)
    return frame


def _holds(size: Size, boxes: Iterable[Box]) -> bool:
    """Return whether all boxes are inside a frame, apart from a pixel."""
    height, width = size
    return all(
        max(box.top, box.bottom) <= height + 1 and max(box.left, box.right) <= width + 1
        for box in boxes
    )


def _usable(source: Source, frame: Frame, shown: Size, findings: Findings) -> list[Box]:
    found: list[Box] = []
    for box in source.boxes:
        shares = _in_shares(box, frame.size)
        if shares.top > shares.bottom or shares.left > shares.right:
            findings.add("swapped_boxes", source.name)
            shares = _ordered(shares)
        kept = _inside(shares, source.name, shown, findings)
        if kept is None:
            continue
        kept = _upright(kept, frame.orientation)
        if kept in found:
            findings.add("repeated_boxes", source.name)
        else:
            found.append(kept)
    return found


def _inside(box: Box, name: str, shown: Size, findings: Findings) -> Box | None:
    """Return the part of a box that is in the picture, or None if there is none.

    A pixel more is not reported: Pascal VOC counts pixels from 1, other tools count from 0.
    """
    if box.top == box.bottom or box.left == box.right:
        findings.add("empty_boxes", name)
        return None
    top, left, bottom, right = (
        min(max(side, 0.0), 1.0) for side in (box.top, box.left, box.bottom, box.right)
    )
    if top == bottom or left == right:
        findings.add("outside_boxes", name)
        return None
    over_y = max(top - box.top, box.bottom - bottom) * shown[0]
    over_x = max(left - box.left, box.right - right) * shown[1]
    if max(over_y, over_x) > 1.01:
        findings.add("clipped_boxes", name)
    return _moved(box, top, left, bottom, right)


def _in_shares(box: Box, size: Size) -> Box:
    height, width = size
    return _moved(box, box.top / height, box.left / width, box.bottom / height, box.right / width)


def _ordered(box: Box) -> Box:
    top, bottom = sorted((box.top, box.bottom))
    left, right = sorted((box.left, box.right))
    return _moved(box, top, left, bottom, right)


def _upright(box: Box, orientation: Orientation) -> Box:
    """Return a box in shares of the stored picture as shares of the upright one."""
    top, left, bottom, right = box.top, box.left, box.bottom, box.right
    if orientation.transposed:
        top, left, bottom, right = left, top, right, bottom
    if orientation.mirrored_x:
        left, right = 1 - right, 1 - left
    if orientation.mirrored_y:
        top, bottom = 1 - bottom, 1 - top
    return _moved(box, top, left, bottom, right)


def _moved(box: Box, top: float, left: float, bottom: float, right: float) -> Box:
    return Box(
        label=box.label,
        top=top,
        left=left,
        bottom=bottom,
        right=right,
        is_ignored=box.is_ignored,
    )
