"""The suffix of an output's file, declared in a stage's signature:

    report: Annotated[Out, Suffix(".json")]

The engine parses it. The stage's output path ends in it, and so does the path in the run's folder:
`artifacts/<stage>/report.json`.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Suffix:
    """The end of a file name, such as `.json`."""

    text: str
