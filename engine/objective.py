"""The objectives of a plan, and whether each is maximised or minimised. Pure."""

from engine.direction import is_minimised
from engine.foreach import base_of
from engine.plan import Plan
from engine.vocabulary import Direction


def directions(plan: Plan) -> dict[str, Direction]:
    """Return the direction of each objective, the most important one first."""
    return {name: given or _direction(plan, name) for name, given in plan.objectives.items()}


def rule(plan: Plan) -> dict[str, object]:
    """Return the rule that chooses the best job of a sweep, as events and records store it."""
    prefer = plan.best.prefer or plan.objective
    return {"prefer": prefer, "limits": dict(plan.best.limits)}


def _direction(plan: Plan, objective: str) -> Direction:
    plain = objective.removesuffix(".mean").removesuffix(".sd")
    stage, _, metric = plain.rpartition(".")
    specs = [
        planned.job.spec
        for name, planned in plan.jobs.items()
        if stage in (name, base_of(name), planned.job.spec.formerly)
    ]
    if objective.endswith(".sd"):
        return "minimise"
    rules = [spec.require[metric] for spec in specs if metric in spec.require]
    return "minimise" if is_minimised(metric, rules) else "maximise"
