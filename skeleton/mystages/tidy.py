"""Removes outliers from the readings of a sensor."""

import csv
from statistics import median
from typing import Annotated, TypedDict

from engine.stage import In, Out
from engine.stage.suffix import Suffix


class Tidied(TypedDict):
    """The share of the readings that is kept."""

    kept_share: float


def tidy(readings: In, kept: Annotated[Out, Suffix(".csv")], *, limit: float = 3.0) -> Tidied:
    """Keep the readings within `limit` median deviations of the median.

    `readings` is a folder of CSV files with the columns hour and celsius; `kept` is one such file.
    """
    rows = [row for path in sorted(readings.glob("*.csv")) for row in _rows(path)]
    centre = median(celsius for _, celsius in rows)
    deviation = median(abs(celsius - centre) for _, celsius in rows)
    good = [row for row in rows if abs(row[1] - centre) <= limit * deviation]
    with open(kept, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("hour", "celsius"), *good])
    return {"kept_share": len(good) / len(rows)}


def _rows(path: In) -> list[tuple[float, float]]:
    with open(path, newline="", encoding="utf-8") as file:
        return [(float(row["hour"]), float(row["celsius"])) for row in csv.DictReader(file)]
