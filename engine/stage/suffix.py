"""The suffix of an output's file, as a stage's signature declares it:

    report: Annotated[Out, Suffix(".json")]

The engine reads it by syntax. The stage's output path ends in it, and so does the path in the run's
folder: `artifacts/<stage>/report.json`.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Suffix:
    """How the name of a file ends, as in `.json`."""

    text: str
