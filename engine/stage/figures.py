"""A function for each built-in kind of figure.

For any other kind, use `engine.stage.figure(kind, name, **fields)`; engine/figures/<kind>.py validates
and draws it. Axes have names and units. The report shows the figures, and MLflow gets them with the
stage's run.
"""

import base64
import math
from pathlib import Path
from typing import Any, Iterable, List, Mapping, Optional, Sequence, Tuple, Union

from engine.stage import figure, note
from engine.stage.convert import as_number, as_plain, as_text

CURVE_POINTS = 2_000  # points of one series; a longer one is thinned, but keeps its ends
PICTURE_BYTES = 150_000  # of one picture
PICTURES_BYTES = 1_500_000  # of all pictures in a grid, which are stored in the run's journal
PICTURES = 100
_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")  # of PNG and JPEG


def confusion_matrix(
    name: str, labels: Sequence[object], matrix: Sequence[Sequence[object]]
) -> None:
    """Record a confusion matrix: rows are true classes, columns predicted ones, in the labels' order."""
    rows = [[int(cell) for cell in row] for row in as_plain(matrix)]
    names = [as_text(label) for label in labels]
    figure("confusion_matrix", name, labels=names, matrix=rows)


def op_graph(
    name: str,
    nodes: Iterable[Mapping[str, object]],
    edges: Iterable[Sequence[int]],
    accelerator: Optional[str] = None,
) -> None:
    """Record a model's operators and their mapping: each node has `type`, `mapped` (on the accelerator) and
    `reason` (why not, or None).

    An edge is a pair of node indexes: the one that writes a tensor, and the one that reads it.
    accelerator: what users call it
    """
    rows = []
    for node in nodes:
        reason = None if node["reason"] is None else as_text(node["reason"])
        rows.append(
            {"type": as_text(node["type"]), "mapped": bool(node["mapped"]), "reason": reason}
        )
    pairs = [[int(source), int(target)] for source, target in edges]
    named = {} if accelerator is None else {"accelerator": as_text(accelerator)}
    figure("op_graph", name, nodes=rows, edges=pairs, **named)


def curves(
    name: str,
    series: Mapping[str, Tuple[object, object]],
    *,
    x: str,
    y: str,
    x_unit: Optional[str] = None,
    y_unit: Optional[str] = None,
) -> None:
    """Record curves over a common axis, such as precision over recall.

    series: name -> (x values, y values) of the same length; a y that is NaN, infinite or None is a
    gap. x, y: the axes' names; x_unit, y_unit: their units, such as "ms".

    Raise ValueError if a series does not have as many values of x as of y.
    """
    drawn = [_series(title, *map(_numbers, points)) for title, points in series.items()]
    figure("curves", name, series=drawn, x=x, y=y, x_unit=x_unit, y_unit=y_unit)


def histogram(
    name: str,
    edges: Sequence[object],
    series: Mapping[str, Sequence[object]],
    *,
    x: str,
    y: str = "count",
    x_unit: Optional[str] = None,
) -> None:
    """Record a histogram in the form of numpy.histogram.

    edges: of the bins, ascending, one more than there are bins; series: name -> count of each bin.
    x, y: the axes' names; x_unit: the unit, such as "ms".
    """
    drawn = [{"name": title, "counts": counts} for title, counts in series.items()]
    figure("histogram", name, edges=edges, series=drawn, x=x, y=y, x_unit=x_unit)


def bars(
    name: str,
    rows: Iterable[Tuple[object, object, object, object]],
    *,
    x: str,
    x_unit: Optional[str] = None,
) -> None:
    """Record a horizontal bar for each item, from the top.

    rows: name, value, and low and high end of the value's range; x, x_unit: the quantity and its unit
    """
    drawn = [
        {"name": as_text(title), "value": value, "low": low, "high": high}
        for title, value, low, high in rows
    ]
    figure("bars", name, bars=drawn, x=x, x_unit=x_unit)


def table(
    name: str,
    columns: Sequence[Union[str, Tuple[str, Optional[str]]]],
    rows: Iterable[Sequence[object]],
) -> None:
    """Record a table of text, numbers, booleans and None.

    columns: the name of each, or (name, unit); rows: a value for each column.
    """
    heads = [one if isinstance(one, (tuple, list)) else (one, None) for one in columns]
    named = [{"name": as_text(title), "unit": unit} for title, unit in heads]
    cells = [[_cell(value) for value in as_plain(row)] for row in rows]
    figure("table", name, columns=named, rows=cells)


def picture_grid(
    name: str, pictures: Iterable[Tuple[Union[Path, str, bytes], str]], large: bool = False
) -> None:
    """Record small pictures with their captions.

    large: they have details, such as drawn boxes, and are shown larger
    pictures: (path or content of a PNG or JPEG file, caption). Pictures larger than PICTURE_BYTES are
    left out, and so are those beyond PICTURES_BYTES in total or PICTURES; a note says how many.
    """
    kept: List[Mapping[str, str]] = []
    size = count = 0
    for picture, caption in pictures:
        count += 1
        content = _content(picture)
        if content is None or len(kept) == PICTURES or size + len(content) > PICTURES_BYTES:
            continue
        size += len(content)
        data = base64.b64encode(content).decode()
        kept.append({"caption": as_text(caption), "data": data})
    if len(kept) < count:
        note(
            f"{name}: {count - len(kept)} of {count} pictures are not shown: a grid has at "
            f"most {PICTURES} PNG or JPEG files of at most {PICTURE_BYTES // 1000} kB "
            f"each, {PICTURES_BYTES / 1000000.0:.1f} MB in total"
        )
    figure("picture_grid", name, pictures=kept, large=large)


def _content(picture: Union[Path, str, bytes]) -> Optional[bytes]:
    """Return the file's content, or None if it is too large or neither PNG nor JPEG."""
    if isinstance(picture, (bytes, bytearray, memoryview)):
        content = bytes(picture)
    else:
        with Path(picture).open("rb") as file:
            content = file.read(PICTURE_BYTES + 1)
    is_picture = content.startswith(_SIGNATURES) and len(content) <= PICTURE_BYTES
    return content if is_picture else None


def _series(title: str, across: List[Any], up: List[Any]) -> Mapping[str, object]:
    if len(across) != len(up):
        raise ValueError(f"{title}: {len(across)} values of x, {len(up)} of y")
    points = _thinned([at for at in range(len(across)) if across[at] is not None])
    return {
        "name": as_text(title),
        "x": [across[at] for at in points],
        "y": [up[at] for at in points],
    }


def _numbers(values: object) -> List[Optional[float]]:
    """Return the values as numbers, with None for those that are not finite."""
    found = [None if value is None else as_number(value) for value in as_plain(values)]
    return [value if value is not None and math.isfinite(value) else None for value in found]


def _thinned(points: Sequence[object]) -> Sequence[Any]:
    stride = math.ceil(len(points) / CURVE_POINTS)
    return points if stride < 2 else [*points[::stride], points[-1]]


def _cell(value: object) -> object:
    """Return a value for a table's cell; JSON has neither NaN nor infinity."""
    is_plain = value is None or isinstance(value, (str, bool, int))
    is_plain = is_plain or (isinstance(value, float) and math.isfinite(value))
    return value if is_plain else as_text(value)
