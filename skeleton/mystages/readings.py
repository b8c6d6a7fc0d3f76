"""Generates readings of a temperature sensor, so that the use case runs before you have data."""

import csv
import random

from engine.stage import Out


def readings(data: Out, *, hours: int = 240, seed: int = 0) -> None:
    """Write `readings.csv`: hour, temperature in degrees Celsius; one reading in twenty is an outlier."""
    chance = random.Random(seed)
    data.mkdir()
    with open(data / "readings.csv", "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["hour", "celsius"])
        for hour in range(hours):
            outlier = 40.0 if chance.random() < 0.05 else 0.0
            rows.writerow([hour, round(18.0 + 0.02 * hour + chance.gauss(0.0, 0.8) + outlier, 2)])
