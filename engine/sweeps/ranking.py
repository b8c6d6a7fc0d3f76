"""The order of a sweep's jobs, the best first. Pure.

Jobs that passed their gates come before rejected ones, and those before jobs without a result. With
several objectives, the jobs of the Pareto front come first, and a rule chooses the best of them.
"""

import math
from collections.abc import Iterable, Sequence

from engine.sweeps import pareto
from engine.sweeps.record import Job

_ORDER = ("finished", "rejected")


def ranked(jobs: Iterable[Job]) -> list[Job]:
    """Return the jobs, the best first; those that cannot be compared keep their order."""
    every = list(jobs)
    if len(objectives(every)) < 2:
        return sorted(every, key=_key)
    front = {job.number for job in pareto.front(every)}
    chosen = pareto.best(every)[0]
    first = chosen.number if chosen else None
    return sorted(every, key=lambda job: (job.number != first, job.number not in front, *_key(job)))


def best(jobs: Iterable[Job]) -> Job | None:
    """Return the best job among those that passed their gates; None if there is none.

    Without an objective, it is the last one; with several, the one that the rule chooses.
    """
    jobs = list(jobs)
    if len(objectives(jobs)) > 1:
        return pareto.best(jobs)[0]
    passed = [job for job in jobs if job.state == "finished"]
    if not any(job.facts.directions for job in passed):
        return passed[-1] if passed else None
    measured = [job for job in passed if objective(job)[1] is not None]
    return ranked(measured)[0] if measured else None


def objective(job: Job) -> tuple[str, float | None]:
    """Return the name and the value of the job's first objective, or of the one that decides."""
    names = filter(None, [job.facts.prefer, *job.facts.directions])
    for name in names:
        value = job.facts.values.get(name)
        return name, None if value is None or math.isnan(value) else value
    return "", None


def objectives(jobs: Iterable[Job]) -> Sequence[str]:
    """Return the names of all objectives of the jobs."""
    return list(dict.fromkeys(name for job in jobs for name in job.facts.directions))


def _key(job: Job) -> tuple[int, bool, float]:
    state = _ORDER.index(job.state) if job.state in _ORDER else len(_ORDER)
    name, value = objective(job)
    if value is None:
        return state, True, 0.0
    return state, False, value if job.facts.directions[name] == "minimise" else -value
