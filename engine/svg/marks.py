"""The elements of charts, as SVG text, with all labels escaped.

Pure, and without colours: classes and variables are those of engine/svg/style.py.
"""

from collections.abc import Sequence
from html import escape

COLOURS = 8
# series also differ by their dashes, for greyscale prints and colour-blind readers
_DASHES = ("none", "7 4", "2 3", "9 3 2 3")


def chart(label: str, width: float, height: float, parts: Sequence[str], more: str = "") -> str:
    """Return a complete `<svg>`; more: classes in addition to `chart`."""
    kind = f"chart {more}".strip()
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
    if "own-size" in more:
        size += f' style="--width:{width:.0f}px"'
    return (
        f'<svg class="{kind}" role="img" aria-label="{escape(label)}" {size}>{"".join(parts)}</svg>'
    )


def text(x: float, y: float, words: str, kind: str = "") -> str:
    """Return text at a point, by default the left end of its baseline; a class may change that."""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>'


def turned(x: float, y: float, words: str, kind: str, degrees: float) -> str:
    """Return text that is rotated clockwise about its point."""
    transform = f'transform="translate({x:.1f} {y:.1f}) rotate({degrees:g})"'
    return f'<text class="{kind}" {transform}>{escape(words)}</text>'


def width_of(words: str, size: float = 11) -> float:
    """Return the estimated width of the text; only a browser could measure it."""
    return len(words) * size * 0.56


def clipped(words: str, most: int) -> str:
    """Return the text, cut to at most `most` characters."""
    return words if len(words) <= most else f"{words[: most - 1].rstrip()}…"


def series(index: int) -> str:
    """Return the style of a series: its colour and its dashes."""
    dash = _DASHES[index % len(_DASHES)]
    return f"--colour:var(--series-{index % COLOURS});--dash:{dash}"


def legend(names: Sequence[str]) -> str:
    """Return the names of the series, each after a sample of its line; nothing if there are no names."""
    if not any(names):
        return ""
    return f'<div class="legend">{"".join(map(_entry, range(len(names)), names))}</div>'


def _entry(index: int, name: str) -> str:
    line = f'<line class="curve" style="{series(index)}" x1="1" x2="25" y1="5" y2="5"/>'
    mark = f'<svg class="key" width="26" height="10" aria-hidden="true">{line}</svg>'
    return f"<span>{mark} {escape(name)}</span>"
