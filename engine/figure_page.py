"""A figure as part of a page, and as its own page: the report and MLflow show the same drawing."""

from collections.abc import Iterable, Sequence
from html import escape

from engine import figure_kinds
from engine.figure_kinds import Figure
from engine.svg.style import STYLE

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""The page's Content-Security-Policy: the browser loads nothing from elsewhere."""
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{name}</title>
<style>{style}
body {{ margin: 16px; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif; }}
</style>
</head>
<body>
<figure><figcaption>{name}</figcaption>{fragment}</figure>
</body>
</html>
"""


def fragment(figure: Figure) -> str:
    """Return the figure's drawing, or a sentence if it cannot be drawn.

    The figure may come from another version of its kind, and the kind may be a user's: a failure must
    not affect other figures.
    """
    try:
        own = figure_kinds.checked(figure)
        return figure_kinds.of(own["kind"]).draw(own)
    except Exception as error:
        why = escape(f"{type(error).__name__}: {error}"[:300])
        return f'<p class="undrawn">This figure cannot be drawn ({why}).</p>'


def alike(figures: Sequence[Figure]) -> list[str]:
    """Return the drawings of the same figure of several runs, with common axes if its kind has them."""
    try:
        own = [figure_kinds.checked(figure) for figure in figures]
        (kind,) = {figure["kind"] for figure in own}
        together = getattr(figure_kinds.of(kind), "draw_alike", None)
        if together:
            drawings: list[str] = together(own)
            return drawings
    except Exception:  # `fragment` says why, in the place of the figure that cannot be drawn
        pass
    return [fragment(figure) for figure in figures]


def page(figure: Figure) -> str:
    """Return a self-contained HTML page with only this figure."""
    return _PAGE.format(
        policy=POLICY,
        name=escape(str(figure["name"])),
        style=style([figure["kind"]]),
        fragment=fragment(figure),
    )


def style(kinds: Iterable[str]) -> str:
    """Return the style that figures of these kinds need."""
    return "\n".join([STYLE, *(figure_kinds.of(kind).STYLE for kind in kinds)])
