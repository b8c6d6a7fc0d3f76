"""Fits a straight line to the readings of a sensor."""

import csv
import json
from statistics import linear_regression, mean
from typing import Annotated, TypedDict

from engine.stage import In, Out
from engine.stage.suffix import Suffix


class Fit(TypedDict):
    """Degrees per hour, and the mean distance of a reading from the line in degrees."""

    slope: float
    error: float


def line(readings: In, model: Annotated[Out, Suffix(".json")]) -> Fit:
    """Fit a line and write it to `model`, a JSON file with slope and intercept."""
    with open(readings, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    hours = [float(row["hour"]) for row in rows]
    celsius = [float(row["celsius"]) for row in rows]
    slope, intercept = linear_regression(hours, celsius)
    error = mean(abs(y - slope * x - intercept) for x, y in zip(hours, celsius, strict=True))
    model.write_text(json.dumps({"slope": slope, "intercept": intercept}), encoding="utf-8")
    return {"slope": slope, "error": error}
