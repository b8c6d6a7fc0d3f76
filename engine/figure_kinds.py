"""The kinds of figures: engine/figures/<kind>.py, found by name. Validates figures that stages
report; engine/figure_page.py draws a figure for a page.
"""

import json
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal, Protocol, cast

from pydantic import AfterValidator, ConfigDict, TypeAdapter, ValidationError
from typing_extensions import TypedDict  # pydantic takes no other before Python 3.12

from engine import extensions
from engine.jsontypes import Name

MOST_CHARACTERS = (
    4_000_000  # of a figure as JSON: journal, store, report and MLflow each hold all of it
)
Figure = Mapping[str, Any]  # kind, name, and the fields of its kind


class FigureKind(Protocol):
    """A kind of figure: one module in engine/figures/, found by its name.

    It may also have `draw_alike(figures)`, which draws the same figure of several runs with common axes.
    """

    HEADING: str  # of the report's section with figures of this kind
    STYLE: str  # CSS in addition to engine/svg/style.py; "" if it needs none
    EXAMPLE: Mapping[str, Any]  # a small figure of this kind, for tests and docs
    Fields: type  # a TypedDict: the figure's own fields, with the types and limits of their values

    @staticmethod
    def check(figure: Any) -> None:
        """Raise ValueError, with a sentence, if the figure's fields do not fit together."""

    @staticmethod
    def draw(figure: Any) -> str:
        """Return the checked figure as well-formed SVG or HTML that needs only the style.

        It is inserted into a page unchanged, so all text of the figure must be escaped here.
        """


def names() -> tuple[str, ...]:
    """Return the names of all kinds."""
    return extensions.names("figures")


def of(name: str) -> FigureKind:
    """Return the kind with this name, which must be one of `names`."""
    return cast(FigureKind, extensions.module("figures", name))


def fields(name: str) -> tuple[str, ...]:
    """Return the fields that figures of this kind have in addition to `kind` and `name`."""
    return tuple(of(name).Fields.__annotations__)


def checked(figure: Figure) -> dict[str, Any]:
    """Return the figure, reduced to the fields of its kind.

    Raise ValueError, with a sentence, if the kind is unknown or the figure does not fit it.
    """
    kind = figure.get("kind")
    if kind not in names():
        raise ValueError(f"kind: {str(kind)[:80]!r} is not one of {', '.join(names())}")
    try:
        found = _form(kind).validate_python(dict(figure))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(map(str, (kind, *first["loc"])))
        raise ValueError(f"{where}: {first['msg']}") from None
    own = {key: found[key] for key in ("kind", "name", *fields(kind)) if key in found}
    if len(json.dumps(own)) > MOST_CHARACTERS:
        raise ValueError(f"{kind}: it has more than {MOST_CHARACTERS:,} characters of JSON")
    return own


@cache
def _form(name: str) -> "TypeAdapter[dict[str, Any]]":
    kind = of(name)

    def fits(figure: dict[str, Any]) -> dict[str, Any]:
        kind.check(figure)
        return figure

    make: Any = TypedDict  # the fields are known only at run time
    form = make(name, {"kind": Literal[name], "name": Name, **kind.Fields.__annotations__})
    form.__pydantic_config__ = ConfigDict(extra="allow", strict=True)
    whole: Any = Annotated[form, AfterValidator(fits)]
    return TypeAdapter(whole)
