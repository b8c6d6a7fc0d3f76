"""The stages of a `foreach` side by side: each metric with its mean and spread, as in cross-validation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine import units
from engine.events import RunState, StageState
from engine.foreach import base_of, value_of
from engine.numerals import number

MOST_VALUES = 12  # columns; with more values, the table has only mean, spread and range
MOST_METRICS = 30


@dataclass(frozen=True, slots=True)
class Folds:
    """The stages that one `foreach` makes."""

    stage: str
    values: Sequence[str]  # their values; empty if there are too many to list
    count: int
    rows: Sequence["Row"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A metric over all values."""

    metric: str
    is_objective: bool
    mean: str
    spread: str  # the sample standard deviation
    lowest: str
    highest: str
    each: Sequence[str]


def of_run(state: RunState) -> list[Folds]:
    """Return every `foreach` whose stages have all measured something, in the plan's order."""
    bases = dict.fromkeys(base_of(name) for name in state.stages if value_of(name))
    return [found for base in bases if (found := _folds(state, base))]


def _folds(state: RunState, base: str) -> Folds | None:
    together = state.over_values(base)
    here = [
        one for one in state.stages.values() if value_of(one.name) and base_of(one.name) == base
    ]
    rows = list(_rows(state, base, here))[:MOST_METRICS] if together else []
    if len(here) < 2 or not rows:
        return None
    values = [value_of(one.name) for one in here] if len(here) <= MOST_VALUES else []
    return Folds(base, values, len(here), rows)


def _rows(state: RunState, base: str, here: Sequence[StageState]) -> Iterator[Row]:
    together = state.over_values(base)
    wanted = str(state.start.get("objective") or "")
    for name in here[0].metrics:
        mean, spread = together.get(f"{name}.mean"), together.get(f"{name}.sd")
        if mean is None or spread is None:
            continue
        found = [stage.metrics[name] for stage in here]
        yield Row(
            metric=name,
            is_objective=wanted.startswith(f"{base}.{name}.") or wanted == f"{base}.{name}",
            mean=units.exact(name, _short(mean)),
            spread=units.exact(name, _short(spread)),
            lowest=units.exact(name, min(found)),
            highest=units.exact(name, max(found)),
            each=[units.exact(name, value) for value in found] if len(here) <= MOST_VALUES else [],
        )


def _short(value: float) -> float:
    return float(number(value)) if abs(value) < 1e3 else value
