"""Bounds of a stage's numeric parameters, declared in its signature:

    epochs: Annotated[int, Range(ge=1)] = 30

The engine parses and checks them when it plans; they have no effect at run time.
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
