"""The result of a job: what its run says about the objectives and the gates. Pure."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from engine.events import RunState, StageState
from engine.foreach import base_of
from engine.wording import is_stand_in


def of(state: RunState) -> dict[str, object]:
    """Return the facts about the run that has ended, as engine/sweeps/record.py stores them."""
    directions = dict(state.start.get("objectives") or {})
    known = {one: state.metrics[one] for one in directions if one in state.metrics}
    gates = [gate for stage in state.stages.values() for gate in stage.gates]
    judged = [gate for gate in gates if gate["passed"] is not None]
    rule = state.start.get("best") or {}
    return {
        "status": state.status,
        "seconds": state.seconds,
        "directions": directions,
        "prefer": rule.get("prefer", ""),
        "limits": rule.get("limits", {}),
        "values": known,
        "intervals": {one: ends for one in known if (ends := _interval(state, one))},
        "measured_on": {one: where for one in known if (where := _stand_in(state, one))},
        "gates_passed": sum(gate["passed"] is True for gate in judged),
        "gates": len(judged),
        "message": _failure(state),
    }


def _measured_by(state: RunState, objective: str) -> Sequence[StageState]:
    """Return the stages that measure the objective: several, those of a foreach, measure a mean."""
    stage = objective.removesuffix(".mean").removesuffix(".sd").rpartition(".")[0]
    return [
        one
        for one in state.stages.values()
        if stage in (one.name, base_of(one.name), one.job.get("formerly"))
    ]


def _interval(state: RunState, metric: str) -> list[float] | None:
    """Return the ends of the interval: those that the stage returns, or mean plus and minus one
    standard deviation over the values of a foreach.
    """
    ends = [state.metrics.get(f"{metric}_{end}") for end in ("low", "high")]
    mean, spread = state.metrics.get(metric), state.metrics.get(_spread_of(metric))
    if mean is not None and spread is not None:
        digits = 3 - math.floor(math.log10(spread)) if 0 < spread < math.inf else 12
        return [round(mean - spread, digits), round(mean + spread, digits)]
    return None if None in ends else [end for end in ends if end is not None]


def _spread_of(metric: str) -> str:
    return f"{metric.removesuffix('.mean')}.sd" if metric.endswith(".mean") else ""


def _stand_in(state: RunState, objective: str) -> str:
    """Return where the objective was measured instead of on the device; otherwise empty."""
    stages = _measured_by(state, objective)
    return next((one.measured_on or "emulated" for one in stages if is_stand_in(one)), "")


def _failure(state: RunState) -> str:
    """Return why the run failed: the message of its first failed stage."""
    failures: list[tuple[str, Mapping[str, Any]]] = [
        (stage.name, stage.failure) for stage in state.stages.values() if stage.failure
    ]
    return next((f"{name}: {failure['message']}" for name, failure in failures), "")
