"""What an output's file is called, as a stage's signature declares it:

    report: Annotated[Out, Suffix(".json")]

The engine reads it by syntax. The stage writes to a path that ends so, and so does what the run
shows: `artifacts/<stage>/report.json`.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Suffix:
    """How the name of a file ends, as in `.json`."""

    text: str
