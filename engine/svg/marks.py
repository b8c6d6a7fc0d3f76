"""The elements of charts, as text: every word is escaped here.

Pure, and without colours: classes and variables are those of engine/svg/style.py.
"""

from collections.abc import Sequence
from html import escape

COLOURS = 8
# a series is told from others by its line too: in grey print, and by those who see colours otherwise
_DASHES = ("none", "7 4", "2 3", "9 3 2 3")


def chart(label: str, width: float, height: float, parts: Sequence[str], more: str = "") -> str:
    """Return a whole `<svg>`; `more` are further classes beside `chart`."""
    kind = f"chart {more}".strip()
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
    if "own-size" in more:
        size += f' style="--width:{width:.0f}px"'
    return (
        f'<svg class="{kind}" role="img" aria-label="{escape(label)}" {size}>{"".join(parts)}</svg>'
    )


def text(x: float, y: float, words: str, kind: str = "") -> str:
    """Return words at a point, which is the left end of their baseline if the class does not say
    otherwise.
    """
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>'


def turned(x: float, y: float, words: str, kind: str, degrees: float) -> str:
    """Return words that are turned clockwise about their point."""
    transform = f'transform="translate({x:.1f} {y:.1f}) rotate({degrees:g})"'
    return f'<text class="{kind}" {transform}>{escape(words)}</text>'


def width_of(words: str, size: float = 11) -> float:
    """Return about how wide the words are; no browser is here to measure them."""
    return len(words) * size * 0.56


def clipped(words: str, most: int) -> str:
    """Return the words, cut to so many letters."""
    return words if len(words) <= most else f"{words[: most - 1].rstrip()}…"


def series(index: int) -> str:
    """Return the style of a series: its colour, and how its line is dashed."""
    dash = _DASHES[index % len(_DASHES)]
    return f"--colour:var(--series-{index % COLOURS});--dash:{dash}"


def legend(names: Sequence[str]) -> str:
    """Return the names of the series, each behind its line; nothing for a single one without a
    name.
    """
    if not any(names):
        return ""
    return f'<div class="legend">{"".join(map(_entry, range(len(names)), names))}</div>'


def _entry(index: int, name: str) -> str:
    line = f'<line class="curve" style="{series(index)}" x1="1" x2="25" y1="5" y2="5"/>'
    mark = f'<svg class="key" width="26" height="10" aria-hidden="true">{line}</svg>'
    return f"<span>{mark} {escape(name)}</span>"
