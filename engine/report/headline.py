"""What a reader wants to know first: the run's outcome, objective, gates and costs.

All of it follows from the run's data and the names of its metrics, whatever the task.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine import units
from engine.events import RunState, StageState
from engine.foreach import base_of
from engine.numerals import number
from engine.wording import duration, listed, plural

DECIMALS = (3, 4, 5, 6)  # of a share and its interval
COSTS = ("latency_median_ms", "model_size_bytes", "peak_memory_mb")
"""Metrics of the model's costs on its device; each is shown for the first stage that has it."""
LOW, HIGH = "_low", "_high"  # suffixes of a metric's name: the ends of its 95 % interval
# prefix for the same metric of the float model, suffix for that of a trivial prediction
FLOAT, BASELINE = "float_", "_baseline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One headline figure."""

    title: str
    value: str
    more: tuple[str, ...] = ()  # lines below the value
    tone: str = ""  # good, bad, or nothing
    stage: StageState | None = None  # the stage that returned it


@dataclass(frozen=True, slots=True)
class Found:
    """A metric of the run, and its stage."""

    name: str  # without the stage's name
    value: float
    stage: StageState | None
    key: str  # as RunState.metrics has it


def verdict(state: RunState) -> str:
    """Return the run's outcome in a sentence or two."""
    gates = [gate for stage in state.stages.values() for gate in stage.gates]
    took = duration(state.seconds)
    after = f" after {took}" if took else ""
    if state.status == "rejected":
        missed = [
            f"{gate['metric']} is {number(gate['value'])}; its gate requires {gate['rule']}"
            for gate in gates
            if gate["passed"] is False
        ]
        return f"Rejected{after}: {'; '.join(missed)}."
    if state.status == "failed":
        failed = [stage.name for stage in state.stages.values() if stage.state == "failed"]
        return f"Failed{' in ' + listed(failed[:5]) if failed else ''}{after}."
    if state.status == "finished":
        return f"Finished{f' in {took}' if took else ''}.{f' {_of_gates(state)}.' if gates else ''}"
    return f"{state.status.capitalize()}{after}."


def tiles(state: RunState) -> list[Tile]:
    """Return the headline figures: objective, gates, costs."""
    found = [_objective(state), _gates(state), *_costs(state)]
    return [tile for tile in found if tile]


def objective(state: RunState) -> Found | None:
    """Return the run's objective, if it has one and its stage returned it."""
    key = str(state.start.get("objective") or "")
    value = state.metrics.get(key)
    if value is None:
        return None
    stage = _stage_of(state, key)
    name = key[len(stage.name) + 1 :] if stage and key.startswith(f"{stage.name}.") else ""
    return Found(name or key.partition(".")[2], value, stage, key)


def costs(state: RunState) -> Iterator[Found]:
    """Yield the costs of the model: latency, size, memory."""
    for name in COSTS:
        stage = next((one for one in state.stages.values() if name in one.metrics), None)
        if stage:
            yield Found(name, stage.metrics[name], stage, f"{stage.name}.{name}")


def gated(state: RunState) -> Iterator[Found]:
    """Yield the metrics that have gates."""
    for stage in state.stages.values():
        for gate in stage.gates:
            if gate["value"] is not None:
                yield Found(gate["metric"], gate["value"], stage, f"{stage.name}.{gate['metric']}")


def interval(state: RunState, key: str) -> tuple[float, float] | None:
    """Return the ends of the metric's 95 % interval, if its stage returns them."""
    low, high = state.metrics.get(key + LOW), state.metrics.get(key + HIGH)
    return None if low is None or high is None else (low, high)


def together(metric: str, values: Sequence[float]) -> list[str]:
    """Return values of one metric with the same number of digits, enough to distinguish them."""
    if units.unit(metric).name:
        return [units.brief(metric, value) for value in values]
    for decimals in DECIMALS:
        words = [units.share(value, decimals) for value in values]
        if len(set(words)) == len(set(values)):
            break
    return words


def _objective(state: RunState) -> Tile | None:
    found = objective(state)
    if found is None:
        return None
    ends = interval(state, found.key) or ()
    value, *span = together(found.name, [found.value, *ends])
    more = ["95 % CI " + "\N{EN DASH}".join(span)] if span else _spread(state, found)
    more += _beside(found)
    rules = _rules(found)
    more += [f"gate {rule}" for rule, _ in rules]
    tone = "bad" if any(passed is False for _, passed in rules) else "good" if rules else ""
    title = units.title(found.name)
    shown = value if span else units.brief(found.name, found.value)
    return Tile(title=title, value=shown, more=tuple(more), tone=tone, stage=found.stage)


def _spread(state: RunState, found: Found) -> list[str]:
    """Return the standard deviation over the values of a foreach, if the objective is their mean."""
    sd = state.metrics.get(f"{found.key.removesuffix('.mean')}.sd")
    if sd is None or not found.key.endswith(".mean"):
        return []
    return [
        f"\N{PLUS-MINUS SIGN} {units.brief(found.name, sd)} over {state.count_of(found.key)} values"
    ]


def _beside(found: Found) -> list[str]:
    """Return the same metric of the float model and of the baseline, if the stage returns them."""
    metrics = found.stage.metrics if found.stage else {}
    names = {f"{FLOAT}{found.name}": "float model"}
    names |= {name: name.replace("_", " ") for name in metrics if name.endswith(BASELINE)}
    known = [(words, metrics[name]) for name, words in names.items() if name in metrics]
    return [f"{words} {together(found.name, [value])[0]}" for words, value in known]


def _rules(found: Found) -> list[tuple[str, bool | None]]:
    gates = found.stage.gates if found.stage else []
    return [(gate["rule"], gate["passed"]) for gate in gates if gate["metric"] == found.name]


def _gates(state: RunState) -> Tile | None:
    gates = [gate for stage in state.stages.values() for gate in stage.gates]
    if not gates:
        return None
    passed = sum(gate["passed"] is True for gate in gates)
    failed = [gate["metric"] for gate in gates if gate["passed"] is False]
    skipped = sum(gate["passed"] is None for gate in gates)
    more = [f"failed: {listed(failed)}"] if failed else []
    more += [f"{skipped} not evaluated"] if skipped else []
    tone = "bad" if failed else "good"
    value = f"{passed} of {len(gates)}"
    return Tile(title="Gates passed", value=value, more=tuple(more), tone=tone)


def _of_gates(state: RunState) -> str:
    verdicts = [gate["passed"] for stage in state.stages.values() for gate in stage.gates]
    judged = [one for one in verdicts if one is not None]
    if len(judged) == len(verdicts):
        few = {1: "Its gate", 2: "Both gates"}
        return f"{few.get(len(judged), f'All {len(judged)} gates')} passed"
    return f"{plural(len(judged), 'gate')} passed, {len(verdicts) - len(judged)} not evaluated"


def _costs(state: RunState) -> Iterator[Tile]:
    for found in costs(state):
        value = units.brief(found.name, found.value)
        yield Tile(title=units.title(found.name), value=value, stage=found.stage)


def _stage_of(state: RunState, key: str) -> StageState | None:
    """Return the stage of the metric; for a foreach, one of its stages."""
    fitting = [stage for stage in state.stages.values() if key.startswith(f"{stage.name}.")]
    if fitting:
        return max(fitting, key=lambda stage: len(stage.name))
    base = key.partition(".")[0]
    same = (
        stage
        for stage in state.stages.values()
        if base in (base_of(stage.name), stage.job.get("formerly"))
    )
    return next(same, None)
