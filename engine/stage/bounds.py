"""The bounds of a stage's numeric parameters, as its signature declares them:

    epochs: Annotated[int, Range(ge=1)] = 30

The engine reads them by syntax and checks them when it plans; at run time they do nothing.
"""

from dataclasses import dataclass
from typing import Optional


@dataclass(frozen=True)
class Range:
    """The range of a number: `ge` and `le` include the bound, `gt` and `lt` exclude it."""

    ge: Optional[float] = None
    gt: Optional[float] = None
    le: Optional[float] = None
    lt: Optional[float] = None
