"""The layout of a DAG: rows by longest path, few crossings, straight rails for long edges.

Pure geometry in pixels, independent of colours and file formats; engine/drawing/picture.py draws the
result. The steps are Sugiyama's (1981): rows, order within a row by barycentre, then coordinates.
"""

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from engine import graph as graphs

Point = tuple[float, float]
Slot = (
    str | tuple[str, int]
)  # a node, or (source, row): the rail on which that source's long edges pass a row

ROW_GAP, COLUMN_GAP, MARGIN = 46.0, 26.0, 16.0
TITLE_HEIGHT, LINE_HEIGHT, PADDING = 30.0, 15.0, 14.0
NARROWEST, WIDEST, RAIL_WIDTH = 112.0, 216.0, 4.0
CHAR_WIDTH = 6.6  # of a 12 px sans serif, a generous estimate
BADGE_WIDTH = 54.0  # of "target" or "store" next to the name
SWEEPS = 8


@dataclass(frozen=True, slots=True)
class Node:
    """A stage or an asset, and the content of its box."""

    name: str
    lines: tuple[str, ...] = ()
    state: str = "waiting"
    runs_on: str = "build"
    cached: bool = False
    is_asset: bool = False


@dataclass(frozen=True, slots=True)
class Edge:
    """An output of one node that another reads; the label is the output's name."""

    source: str
    target: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Box:
    """A node's position: its upper left corner and its size."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Route:
    """An edge's path: pairs of points, with a curve within each pair and a straight rail between pairs."""

    edge: Edge
    points: tuple[Point, ...]
    label_at: Point | None


@dataclass(frozen=True, slots=True)
class Arrangement:
    """The whole drawing."""

    width: float
    height: float
    boxes: Mapping[str, Box]
    routes: Sequence[Route]


def layers(nodes: Sequence[Node], edges: Sequence[Edge]) -> list[list[str]]:
    """Return the names by row: each node below everything it reads, in an order with few crossings."""
    return [[slot for slot in row if isinstance(slot, str)] for row in _ordered(nodes, edges)[0]]


def arrange(nodes: Sequence[Node], edges: Sequence[Edge]) -> Arrangement:
    """Return the positions of all boxes, lines and labels."""
    edges = _merged(edges)
    rows, chains = _ordered(nodes, edges)
    widths = {node.name: _width(node) for node in nodes}
    heights = _row_heights(nodes, rows)
    middles = _columns(rows, chains, widths)
    tops = [MARGIN + sum(heights[:i]) + ROW_GAP * i for i in range(len(rows))]
    boxes = {
        slot: Box(middles[slot] - widths[slot] / 2, tops[i], widths[slot], heights[i])
        for i, row in enumerate(rows)
        for slot in row
        if isinstance(slot, str)
    }
    ways = _ways(chains, boxes, middles, tops, heights)
    labels = _label_points(edges, ways, boxes)
    rights = [box.x + box.width for box in boxes.values()] + [x for way in ways for x, _ in way]
    width = max(rights, default=0) + MARGIN
    height = (tops[-1] + heights[-1] if rows else 0) + MARGIN
    return Arrangement(
        width, height, boxes, [Route(*found) for found in zip(edges, ways, labels, strict=True)]
    )


def bend(start: Point, end: Point, t: float) -> Point:
    """Return the point at `t` of the curve that leaves `start` and enters `end` vertically."""
    (x0, y0), (x1, y1) = start, end
    ease = t * t * (3 - 2 * t)  # the cubic Bezier whose inner control points are half way down
    y = (1 - t) ** 3 * y0 + 3 * t * (1 - t) * (y0 + y1) / 2 + t**3 * y1
    return x0 + (x1 - x0) * ease, y


def _merged(edges: Sequence[Edge]) -> list[Edge]:
    """Return one edge for each pair of nodes, with all its labels."""
    labels: dict[tuple[str, str], list[str]] = defaultdict(list)
    for edge in edges:
        labels[edge.source, edge.target].append(edge.label)
    return [Edge(*pair, ", ".join(dict.fromkeys(found))) for pair, found in labels.items()]


# Rows and their order


def _ordered(
    nodes: Sequence[Node], edges: Sequence[Edge]
) -> tuple[list[list[Slot]], list[list[Slot]]]:
    """Return the rows of slots, and each edge's chain of slots from source to target."""
    row_of = _row_of(nodes, edges)
    chains = [_chain(edge, row_of) for edge in edges]
    rows: list[list[Slot]] = [[] for _ in range(max(row_of.values(), default=-1) + 1)]
    for name, row in row_of.items():
        rows[row].append(name)
    for rail in dict.fromkeys(slot for chain in chains for slot in chain[1:-1]):
        rows[int(rail[1])].append(rail)
    return _least_crossed(rows, chains), chains


def _row_of(nodes: Sequence[Node], edges: Sequence[Edge]) -> dict[str, int]:
    """Return each node's row by longest path; a node without inputs goes just above its first reader."""
    names = [node.name for node in nodes]
    graph = graphs.build(names, [(edge.source, edge.target, "") for edge in edges])
    depth = graphs.generations(graph)
    for name in [name for name, row in depth.items() if row == 0 and graph.successors[name]]:
        depth[name] = min(depth[reader] for reader in graph.successors[name]) - 1
    return {node.name: depth[node.name] for node in nodes}


def _chain(edge: Edge, row_of: Mapping[str, int]) -> list[Slot]:
    rails = ((edge.source, row) for row in range(row_of[edge.source] + 1, row_of[edge.target]))
    return [edge.source, *rails, edge.target]


def _least_crossed(rows: list[list[Slot]], chains: Sequence[Sequence[Slot]]) -> list[list[Slot]]:
    above, below = _neighbours(chains)
    best, fewest = rows, _crossings(rows, below)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        rows = _swept(rows, above) if sweep % 2 == 0 else _swept(rows[::-1], below)[::-1]
        crossings = _crossings(rows, below)
        if crossings < fewest:
            best, fewest = rows, crossings
    return best


def _neighbours(
    chains: Iterable[Sequence[Slot]],
) -> tuple[dict[Slot, set[Slot]], dict[Slot, set[Slot]]]:
    above: dict[Slot, set[Slot]] = defaultdict(set)
    below: dict[Slot, set[Slot]] = defaultdict(set)
    for chain in chains:
        for upper, lower in pairwise(chain):
            above[lower].add(upper)
            below[upper].add(lower)
    return above, below


def _swept(rows: Sequence[Sequence[Slot]], towards: Mapping[Slot, set[Slot]]) -> list[list[Slot]]:
    """Return the rows, each sorted by the mean position of its neighbours in the previous row."""
    result = [list(rows[0])]
    for row in rows[1:]:
        position = {slot: float(i) for i, slot in enumerate(result[-1])}
        own = {slot: float(i) for i, slot in enumerate(row)}
        result.append(
            sorted(row, key=lambda slot: _mean(position, towards.get(slot, ()), own[slot]))
        )
    return result


def _crossings(rows: Sequence[Sequence[Slot]], below: Mapping[Slot, set[Slot]]) -> int:
    count = 0
    for upper, lower in pairwise(rows):
        position = {slot: i for i, slot in enumerate(lower)}
        seen: list[int] = []
        for slot in upper:
            ends = [position[end] for end in below.get(slot, ())]
            count += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return count


def _mean(positions: Mapping[Slot, float], slots: Iterable[Slot], otherwise: float) -> float:
    found = [positions[slot] for slot in slots if slot in positions]
    return sum(found) / len(found) if found else otherwise


# Coordinates


def _width(node: Node) -> float:
    badges = BADGE_WIDTH * ((node.runs_on == "target") + node.cached)
    title = len(node.name) * 1.12 * CHAR_WIDTH + badges  # the name is bold
    longest = max(title, *(len(line) * CHAR_WIDTH for line in node.lines), 0)
    return min(max(longest + 2 * PADDING, NARROWEST), WIDEST)


def _row_heights(nodes: Sequence[Node], rows: Sequence[Sequence[Slot]]) -> list[float]:
    count = {node.name: len(node.lines) for node in nodes}
    most = [max(count[slot] for slot in row if isinstance(slot, str)) for row in rows]
    return [TITLE_HEIGHT + LINE_HEIGHT * lines + (6 if lines else 0) for lines in most]


def _columns(
    rows: Sequence[Sequence[Slot]], chains: Sequence[Sequence[Slot]], widths: Mapping[str, float]
) -> dict[Slot, float]:
    """Return the centre of every slot: near its neighbours' mean, without overlaps in its row."""
    above, below = _neighbours(chains)
    size = {
        slot: widths[slot] if isinstance(slot, str) else RAIL_WIDTH for row in rows for slot in row
    }
    middles: dict[Slot, float] = {}
    for sweep in range(SWEEPS):
        both = (
            sweep >= 2
        )  # first only down and only up, so that the first rows do not constrain the others
        for row in rows if sweep % 2 == 0 else rows[::-1]:
            near = above if sweep % 2 == 0 else below
            ends = [near[slot] | (below[slot] if both else set()) for slot in row]
            wanted = [
                _mean(middles, found, middles.get(slot, 0.0))
                for slot, found in zip(row, ends, strict=True)
            ]
            middles.update(zip(row, _spread(wanted, [size[slot] for slot in row]), strict=True))
    left = min((middles[slot] - size[slot] / 2 for slot in middles), default=0.0)
    return {slot: middle - left + MARGIN for slot, middle in middles.items()}


def _spread(wanted: Sequence[float], sizes: Sequence[float]) -> list[float]:
    """Return positions in the given order, near the wanted ones and with gaps between them.

    Pushing everything right and pushing everything left both keep the gaps, and so does their mean.
    """
    gaps = [(a + b) / 2 + COLUMN_GAP for a, b in pairwise(sizes)]
    rightwards, leftwards = list(wanted), list(wanted)
    for i, gap in enumerate(gaps):
        rightwards[i + 1] = max(rightwards[i + 1], rightwards[i] + gap)
    for i, gap in reversed(list(enumerate(gaps))):
        leftwards[i] = min(leftwards[i], leftwards[i + 1] - gap)
    return [(a + b) / 2 for a, b in zip(rightwards, leftwards, strict=True)]


def _ways(
    chains: Sequence[Sequence[Slot]],
    boxes: Mapping[str, Box],
    middles: Mapping[Slot, float],
    tops: Sequence[float],
    heights: Sequence[float],
) -> list[tuple[Point, ...]]:
    leaving = _ports([(chain[0], chain[1]) for chain in chains], middles, boxes)
    entering = _ports([(chain[-1], chain[-2]) for chain in chains], middles, boxes)
    ways = []
    for chain in chains:
        source, target = boxes[str(chain[0])], boxes[str(chain[-1])]
        points = [(leaving[chain[0], chain[1]], source.y + source.height)]
        for rail in chain[1:-1]:
            row, x = int(rail[1]), middles[rail]
            points += [(x, tops[row]), (x, tops[row] + heights[row])]
        ways.append((*points, (entering[chain[-1], chain[-2]], target.y)))
    return ways


def _ports(
    ends: Iterable[tuple[Slot, Slot]], middles: Mapping[Slot, float], boxes: Mapping[str, Box]
) -> dict[tuple[Slot, Slot], float]:
    """Return where the lines to each neighbour begin on a box's side, in the neighbours' order."""
    others: dict[Slot, set[Slot]] = defaultdict(set)
    for slot, other in ends:
        others[slot].add(other)
    ports = {}
    for slot, found in others.items():
        box, step = boxes[str(slot)], boxes[str(slot)].width / (len(found) + 1)
        for i, other in enumerate(sorted(found, key=lambda other: middles[other]), start=1):
            ports[slot, other] = box.x + step * i
    return ports


def _label_points(
    edges: Sequence[Edge], ways: Sequence[Sequence[Point]], boxes: Mapping[str, Box]
) -> list[Point | None]:
    """Return a free position on each edge's last curve; None if the label is empty or does not fit."""
    occupied = [(box.x, box.y, box.x + box.width, box.y + box.height) for box in boxes.values()]
    return [
        _free_point(edge.label, way[-2], way[-1], occupied) if edge.label else None
        for edge, way in zip(edges, ways, strict=True)
    ]


def _free_point(
    label: str, start: Point, end: Point, occupied: list[tuple[float, float, float, float]]
) -> Point | None:
    half = len(label) * 6 / 2 + 3
    for t in (0.5, 0.34, 0.66, 0.24, 0.76):
        x, y = bend(start, end, t)
        box = (x - half, y - 6, x + half, y + 6)
        if not any(
            box[0] < o[2] and o[0] < box[2] and box[1] < o[3] and o[1] < box[3] for o in occupied
        ):
            occupied.append(box)
            return x, y
    return None
