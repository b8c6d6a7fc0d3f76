"""Draws the DAG: as SVG (light and dark), as PNG, and as lines of text for the terminal.

Pure: returns strings and bytes, reads and writes nothing. engine/drawing/geometry.py provides the
layout.
"""

import io
import textwrap
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from engine.drawing.geometry import (
    Arrangement,
    Box,
    Edge,
    Node,
    Point,
    Route,
    arrange,
    bend,
    layers,
)
from engine.errors import UserError
from engine.events import RunState, StageState
from engine.foreach import ALL, base_of
from engine.wording import duration

# each state's accent colour, light and dark; the PNG uses the light one
ACCENTS = {
    "waiting": ("#8b95a5", "#7d8797"),
    "running": ("#2563eb", "#60a5fa"),
    "finished": ("#15803d", "#4ade80"),
    "failed": ("#b91c1c", "#f87171"),
    "rejected": ("#b45309", "#fbbf24"),
    "skipped": ("#a3a9b3", "#5b6472"),
    "asset": ("#6d5bd0", "#a99cf5"),
}
PALETTE = {  # light, dark
    "ink": ("#1b2430", "#e6eaf0"),
    "soft": ("#5b6676", "#9aa5b5"),
    "card": ("#ffffff", "#1c232d"),
    "line": ("#d5dae2", "#39424f"),
    "edge": ("#9aa4b2", "#667182"),
    "paper": ("#ffffff", "#12171e"),
    "tint": ("#f3f1fd", "#252238"),
}
PNG_SCALE = 2
LINE_CHARS = 32  # characters of a description, in the widest box


def of_run(state: RunState) -> tuple[list[Node], list[Edge]]:
    """Return the nodes and edges of a run: its stages in their current state, and the assets they read."""
    stages = state.stages.values()
    refs = [(s.name, ref) for s in stages for ref in s.job.get("inputs", {}).values()]
    names = [s.name for s in stages]
    edges = list(dict.fromkeys(edge for name, ref in refs for edge in _edges(name, ref, names)))
    read = {edge.source for edge in edges}
    assets = [(f"asset:{asset['key']}", asset["name"]) for asset in state.start.get("assets", ())]
    nodes = [Node(key, (name,), "asset", is_asset=True) for key, name in assets if key in read]
    nodes += map(_stage_node, stages)
    drawn = {node.name for node in nodes}
    return nodes, [edge for edge in edges if edge.source in drawn]


def svg(nodes: Sequence[Node], edges: Sequence[Edge]) -> str:
    """Return one self-contained `<svg>` element."""
    plan = arrange(nodes, edges)
    width, height = f"{plan.width:.0f}", f"{plan.height:.0f}"
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="dag" role="img" aria-label="The stages" {size}>',
            f"<style>{_css()}</style>",
            '<defs><marker id="dag-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"'
            ' orient="auto"><path class="tip" d="M0 0.5 L8 4 L0 7.5 z"/></marker></defs>',
            *(_svg_line(route) for route in plan.routes),
            *(_svg_box(node, plan.boxes[node.name]) for node in nodes),
            *(_svg_label(route) for route in plan.routes),
            "</svg>",
        ]
    )


def png(nodes: Sequence[Node], edges: Sequence[Edge]) -> bytes:
    """Return the picture as PNG, in the light colours and at twice the size."""
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError:
        fix = "install the extra 'runtime', or ask for SVG"
        raise UserError("graph", "a PNG needs Pillow, which is not installed", fix) from None
    plan = arrange(nodes, edges)
    image = Image.new(
        "RGB", (int(plan.width * PNG_SCALE), int(plan.height * PNG_SCALE)), PALETTE["paper"][0]
    )
    fonts = {size: ImageFont.load_default(size * PNG_SCALE) for size in (10, 11, 13)}
    _paint(ImageDraw.Draw(image), fonts, nodes, plan)
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def text(nodes: Sequence[Node], edges: Sequence[Edge]) -> str:
    """Return a line for each node, top to bottom, each on its own rail, joined to the rails it reads.

    A rail ends at its last reader, which may take over the rail.
    """
    by_name = {node.name: node for node in nodes}
    order = [name for row in layers(nodes, edges) for name in row]
    sources = {
        name: list(dict.fromkeys(e.source for e in edges if e.target == name)) for name in order
    }
    unread = {name: {e.target for e in edges if e.source == name} for name in order}
    rails: list[str | None] = []
    drawn = []
    for name in order:
        drawn.append((_rail_row(name, sources[name], unread, rails), by_name[name]))
    breadth = max((len(row) for row, _ in drawn), default=0)
    title = max((len(_title(node)) for node in nodes), default=0)
    return "\n".join(
        f"{row:<{breadth}}  {_title(node):<{title}}  {_remark(node, edges)}".rstrip()
        for row, node in drawn
    )


# A run's nodes


def _edges(stage: str, reference: str, stages: Sequence[str]) -> Iterator[Edge]:
    """Yield an edge for each stage or asset that the reference names; `train@*.model` names all values."""
    if reference.startswith("asset:"):
        yield Edge(reference, stage)
        return
    source, _, output = reference.rpartition(".")  # a value of foreach may contain dots
    is_of_all = source.endswith(ALL)
    for name in (
        [one for one in stages if base_of(one) == base_of(source)] if is_of_all else [source]
    ):
        yield Edge(name, stage, output)


def _stage_node(stage: StageState) -> Node:
    outcome = stage.state if stage.seconds is None else f"{stage.state}, {duration(stage.seconds)}"
    doc = str(stage.job.get("doc") or "").replace("`", "")
    lines = (*textwrap.wrap(doc, LINE_CHARS), outcome)
    return Node(stage.name, lines, stage.state, stage.job.get("runs_on", "build"), stage.cached)


def _title(node: Node) -> str:
    return node.name.removeprefix("asset:") if node.is_asset else node.name


def _tip(node: Node) -> str:
    """Return the full content of the box, in one line."""
    parts = (_title(node), " ".join(node.lines[:-1]), *node.lines[-1:])
    return " · ".join(part for part in parts if part)


def _badges(node: Node) -> list[str]:
    return ["target"] * (node.runs_on == "target") + ["store"] * node.cached


def _clip(line: str, width: float, size: float) -> str:
    """Return the line, cut to the estimated width; SVG text cannot be measured without a browser."""
    room = int((width - 24) / (size * 0.53))
    return line if len(line) <= room else line[: room - 1].rstrip() + "…"


# SVG


def _css() -> str:
    def rules(which: int) -> str:
        names = {**PALETTE, **{f"s-{state}": pair for state, pair in ACCENTS.items()}}
        return ".dag{" + "".join(f"--{name}:{pair[which]};" for name, pair in names.items()) + "}"

    states = "".join(f".dag .s-{state}{{--accent:var(--s-{state})}}" for state in ACCENTS)
    return (
        rules(0)
        + "@media screen and (prefers-color-scheme:dark){"
        + rules(1)
        + "}"
        + states
        + ".dag{max-width:100%;height:auto;font:12px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}"
        ".dag .box{fill:var(--card);stroke:var(--line)}.dag .bar{fill:var(--accent)}"
        ".dag .asset .box{fill:var(--tint);stroke:var(--accent);stroke-opacity:.45}"
        ".dag .cached .box{stroke-dasharray:4 3;stroke:var(--edge)}"
        ".dag .name{font-weight:600;font-size:13px;fill:var(--ink)}"
        ".dag .more{font-size:11px;fill:var(--soft)}"
        ".dag .s-skipped .name{fill:var(--soft)}"
        ".dag .edge{fill:none;stroke:var(--edge);stroke-width:1.4}.dag .tip{fill:var(--edge)}"
        ".dag .label{font-size:10px;fill:var(--soft);text-anchor:middle;"
        "stroke:var(--paper);stroke-width:4px;paint-order:stroke;stroke-linejoin:round}"
        ".dag .pill{fill:var(--card);stroke:var(--edge)}"
        ".dag .pill-text{font-size:9px;fill:var(--soft);text-anchor:middle}"
    )


def _svg_line(route: Route) -> str:
    (x, y), path = route.points[0], ""
    for (x0, y0), (x1, y1) in _pairs(route):
        path += f" L{x0:.1f} {y0:.1f}" if (x0, y0) != (x, y) else ""
        middle = (y0 + y1) / 2
        path += f" C{x0:.1f} {middle:.1f} {x1:.1f} {middle:.1f} {x1:.1f} {y1:.1f}"
    return f'<path class="edge" d="M{x:.1f} {y:.1f}{path}" marker-end="url(#dag-tip)"/>'


def _pairs(route: Route) -> list[tuple[Point, Point]]:
    return list(zip(route.points[::2], route.points[1::2], strict=True))


def _svg_label(route: Route) -> str:
    if route.label_at is None:
        return ""
    x, y = route.label_at
    return f'<text class="label" x="{x:.1f}" y="{y + 3.5:.1f}">{escape(route.edge.label)}</text>'


def _svg_box(node: Node, box: Box) -> str:
    kind = "asset" if node.is_asset else "stage"
    state = node.state if node.state in ACCENTS else "waiting"
    radius = box.height / 2 if node.is_asset else 7
    bounds = f'x="{box.x:.1f}" y="{box.y:.1f}" height="{box.height:.1f}"'
    parts = [
        f'<g class="{kind} s-{state}{" cached" if node.cached else ""}">',
        f"<title>{escape(_tip(node))}</title>",
        f'<rect class="box" {bounds} width="{box.width:.1f}" rx="{radius:.1f}"/>',
    ]
    if not node.is_asset:
        path = f"M{box.x + 5:.1f} {box.y + 7:.1f}v{box.height - 14:.1f}"
        parts.append(
            f'<path d="{path}" style="stroke:var(--accent);stroke-width:3;stroke-linecap:round"/>'
        )
    parts += _svg_words(node, box)
    return "".join([*parts, *_svg_pills(node, box), "</g>"])


def _svg_words(node: Node, box: Box) -> list[str]:
    anchor = "middle" if node.is_asset else "start"
    x = box.x + (box.width / 2 if node.is_asset else 14)
    lines = [(_title(node), "name", 13.0), *((line, "more", 11.0) for line in node.lines)]
    return [
        f'<text class="{kind}" text-anchor="{anchor}" x="{x:.1f}" y="{box.y + 20 + 15 * i:.1f}">'
        f"{escape(_clip(line, box.width, size))}</text>"
        for i, (line, kind, size) in enumerate(lines)
    ]


def _svg_pills(node: Node, box: Box) -> list[str]:
    parts, right = [], box.x + box.width - 8
    for word in reversed(_badges(node)):
        width = len(word) * 5 + 10
        right -= width
        parts.append(
            f'<rect class="pill" x="{right:.1f}" y="{box.y + 7:.1f}" width="{width}" height="14" rx="7"/>'
            f'<text class="pill-text" x="{right + width / 2:.1f}" y="{box.y + 17:.1f}">{word}</text>'
        )
        right -= 4
    return parts


# PNG


def _paint(draw: Any, fonts: dict[int, Any], nodes: Sequence[Node], plan: Arrangement) -> None:
    for route in plan.routes:
        _paint_line(draw, route)
    for node in nodes:
        _paint_box(draw, fonts, node, plan.boxes[node.name])
    for route in plan.routes:
        if route.label_at is not None:
            at = tuple(v * PNG_SCALE for v in route.label_at)
            paper = PALETTE["paper"][0]
            draw.text(
                at,
                route.edge.label,
                PALETTE["soft"][0],
                fonts[10],
                "mm",
                stroke_width=4,
                stroke_fill=paper,
            )


def _paint_line(draw: Any, route: Route) -> None:
    points = [bend(a, b, i / 24) for a, b in _pairs(route) for i in range(25)]
    draw.line([(x * PNG_SCALE, y * PNG_SCALE) for x, y in points], PALETTE["edge"][0], 3, "curve")
    x, y = (v * PNG_SCALE for v in points[-1])
    draw.polygon([(x, y), (x - 7, y - 13), (x + 7, y - 13)], PALETTE["edge"][0])


def _paint_box(draw: Any, fonts: dict[int, Any], node: Node, box: Box) -> None:
    accent = ACCENTS.get(node.state, ACCENTS["waiting"])[0]
    x, y, width, height = (v * PNG_SCALE for v in (box.x, box.y, box.width, box.height))
    fill, outline = (
        (PALETTE["tint"][0], accent) if node.is_asset else (PALETTE["card"][0], PALETTE["line"][0])
    )
    radius = height / 2 if node.is_asset else 14
    draw.rounded_rectangle((x, y, x + width, y + height), radius, fill, outline, 2)
    if not node.is_asset:
        draw.line((x + 10, y + 14, x + 10, y + height - 14), accent, 6)
    left, anchor = (x + width / 2, "ms") if node.is_asset else (x + 28, "ls")
    lines = [(_title(node), 13, "ink"), *((line, 11, "soft") for line in node.lines)]
    for i, (line, size, colour) in enumerate(lines):
        at = (left, y + (20 + 15 * i) * PNG_SCALE)
        draw.text(at, _clip(line, box.width, size), PALETTE[colour][0], fonts[size], anchor)
    if _badges(node):
        at = (x + width - 16, y + 22)
        draw.text(at, " · ".join(_badges(node)), PALETTE["soft"][0], fonts[10], "rs")


# Text


def _rail_row(
    name: str, sources: Sequence[str], unread: dict[str, set[str]], rails: list[str | None]
) -> str:
    """Return the node's row of rails, and update `rails` to those that continue below it."""
    joined = {i for i, rail in enumerate(rails) if rail in sources}
    for source in sources:
        unread[source].discard(name)
    ending = {i for i in joined if not unread[str(rails[i])]}
    free = [i for i, rail in enumerate(rails) if rail is None]
    own = min(ending or free or [len(rails)])
    if own == len(rails):
        rails.append(None)
    row = _row_marks(own, joined, ending, rails)
    for i in ending:
        rails[i] = None
    rails[own] = name if unread[name] else None
    while rails and rails[-1] is None:
        rails.pop()
    return row


def _row_marks(own: int, joined: set[int], ending: set[int], rails: Sequence[str | None]) -> str:
    first, last = min(joined | {own}), max(joined | {own})
    row = ""
    for i, rail in enumerate(rails):
        left, right = first < i <= last, first <= i < last
        if i == own:
            mark = "●" if joined else "○"
        elif i in joined:
            mark = _JOINTS[i in ending, left, right]
        else:
            mark = "│" if rail is not None else "─" if left else " "
        row += mark + ("─" if right else " ")
    return row.rstrip()


_JOINTS = {  # (ends here, line to the left, line to the right)
    (False, False, True): "├",
    (False, True, False): "┤",
    (False, True, True): "┼",
    (True, False, True): "╰",
    (True, True, False): "╯",
    (True, True, True): "┴",
}


def _remark(node: Node, edges: Sequence[Edge]) -> str:
    read = [
        f"{e.source}.{e.label}" if e.label else e.source for e in edges if e.target == node.name
    ]
    about = " · ".join([*node.lines[-1:], *_badges(node)])
    return "   ".join(part for part in (about, f"← {', '.join(read)}" if read else "") if part)
