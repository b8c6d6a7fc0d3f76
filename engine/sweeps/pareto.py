"""Several objectives at once: the Pareto front of a sweep's jobs, and the rule that chooses one. Pure.

A job dominates another one if it is at least as good in every objective and better in one. The
front contains the jobs that no other job dominates. A speed on the device and a speed in an
emulator are not comparable: neither job dominates the other.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

from engine.stage.rules import holds
from engine.sweeps.record import Facts, Job

ON_THE_DEVICE = ""  # the place of a figure for which `Facts.measured_on` has none


def front(jobs: Iterable[Job]) -> list[Job]:
    """Return the jobs of the Pareto front, in their order: of those that passed their gates and
    measured every objective.
    """
    able = [job for job in jobs if job.state == "finished" and costs(job.facts)]
    return [job for job in able if not any(dominates(other.facts, job.facts) for other in able)]


def dominates(one: Facts, other: Facts) -> bool:
    """Return whether the first job is at least as good in every objective, and better in one."""
    ours, theirs = costs(one), costs(other)
    if places(one) != places(other) or len(ours) != len(theirs) or ours == theirs:
        return False
    return all(mine <= yours for mine, yours in zip(ours, theirs, strict=True))


def costs(facts: Facts) -> Sequence[float]:
    """Return the objectives as numbers of which less is better; empty unless all were measured."""
    found = {name: cost(facts, name) for name in facts.directions}
    known = [value for value in found.values() if value is not None]
    return known if len(known) == len(found) else ()


def cost(facts: Facts, objective: str) -> float | None:
    """Return the objective as a number of which less is better; None if it was not measured."""
    value = facts.values.get(objective)
    if value is None or math.isnan(value):
        return None
    return value if facts.directions[objective] == "minimise" else -value


def places(facts: Facts) -> Mapping[str, str]:
    """Return where each objective was measured."""
    return {name: facts.measured_on.get(name, ON_THE_DEVICE) for name in facts.directions}


def best(jobs: Iterable[Job]) -> tuple[Job | None, str]:
    """Return the job that the rule chooses from the front, or None and the reason.

    The rule: of the jobs within all limits, the one with the best value of the preferred objective;
    equal ones are compared by the other objectives.
    """
    members = front(jobs)
    if not members:
        return None, "no job passed its gates and measured every objective"
    within = [job for job in members if is_within(job.facts)]
    if not within:
        return None, f"no job of the Pareto front has {limits_of(members[0].facts)}"
    comparable = _comparable(within)
    if not comparable:
        return None, "the jobs of the Pareto front were measured in different places"
    return min(comparable, key=_preference), ""


def is_within(facts: Facts) -> bool:
    """Return whether the job is within the limits of the rule."""
    return all(holds(facts.values.get(name), rule) for name, rule in facts.limits.items())


def rule_of(facts: Facts) -> str:
    """Return the rule as text: `highest score.accuracy with benchmark.latency_median_ms <= 20`."""
    highest = "lowest" if facts.directions.get(facts.prefer) == "minimise" else "highest"
    limits = limits_of(facts)
    return f"{highest} {facts.prefer}" + (f" with {limits}" if limits else "")


def limits_of(facts: Facts) -> str:
    """Return the limits of the rule as text."""
    return " and ".join(f"{name} {rule}" for name, rule in facts.limits.items())


def _comparable(jobs: Sequence[Job]) -> Sequence[Job]:
    """Return the jobs that were measured in one place: on the device if there are several places."""
    if all(places(job.facts) == places(jobs[0].facts) for job in jobs):
        return jobs
    return [job for job in jobs if not job.facts.measured_on]


def _preference(job: Job) -> tuple[float, ...]:
    first = cost(job.facts, job.facts.prefer)
    return (0.0 if first is None else first, *costs(job.facts))
