"""Generates a sample table, so that a first run needs no data and no download."""

from typing import TYPE_CHECKING, Annotated, TypedDict

from engine.stage import Out
from engine.stage.bounds import Range

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

HEADER = (
    *("reading", "measured", "model", "speed [rpm]", "temperature [C]", "vibration [mm/s]"),
    *("pressure [bar]", "current [A]", "oil", "state"),
)
MODELS = {"P100": 0.0, "P200": 0.4, "P300": 0.9}  # vibration of a new pump of this model, mm/s
LOST = 0.03  # share of the readings of a sensor that are missing
MISJUDGED = 0.01  # share of the pumps whose state was written down wrongly


class TableSampleMetrics(TypedDict):
    """The number of generated rows."""

    rows: float


def table_sample(
    table: Out,
    *,
    rows: Annotated[int, Range(ge=100, le=100_000)] = 1500,
    seed: Annotated[int, Range(ge=0)] = 7,
) -> TableSampleMetrics:
    """Write readings of pumps as CSV: numbers, categories, a date and missing values, and the state of the
    pump: ok, worn or blocked.

    table: a folder with pumps.csv

    rows: number of readings
    seed: determines the readings

    The same seed gives the same bytes. Source: synthetic; only for trying out the pipeline.
    """
    import csv
    from random import Random

    table.mkdir()
    with (table / "pumps.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(_readings(rows, Random(seed)))
    return TableSampleMetrics(rows=float(rows))


def _readings(rows: int, random: "Random") -> "Iterator[list[object]]":
    """Yield the cells of each reading; a worn pump vibrates, a blocked one has pressure but little flow."""
    from datetime import datetime, timedelta

    start = datetime(2024, 1, 1, 6)
    for at in range(rows):
        measured = start + timedelta(hours=7 * at)
        warm_season = 1 - abs(measured.month - 7) / 6  # 0 in January, 1 in July
        model = random.choice(sorted(MODELS))
        load, wear = random.uniform(0.3, 1), random.random()
        is_blocked = random.random() < 0.2
        state = "blocked" if is_blocked else "worn" if wear > 0.7 else "ok"
        if random.random() < MISJUDGED:
            state = random.choice(("ok", "worn", "blocked"))
        readings = (
            f"{900 + 1800 * load + random.gauss(0, 20):.0f}",
            f"{30 + 22 * load + 6 * wear + 9 * is_blocked + 8 * warm_season + random.gauss(0, 2):.1f}",
            f"{1 + 2 * load + MODELS[model] + 5 * wear**2 + random.gauss(0, 0.25):.2f}",
            f"{6 - 2 * load + 1.5 * is_blocked + random.gauss(0, 0.25):.2f}",
            f"{4 + 6 * load + 0.8 * is_blocked + random.gauss(0, 0.3):.1f}",
            "dark" if random.random() < wear else "clear",
        )
        shown = ["" if random.random() < LOST else one for one in readings]
        yield [1000 + at, measured.isoformat(" ", "minutes"), model, *shown, state]
