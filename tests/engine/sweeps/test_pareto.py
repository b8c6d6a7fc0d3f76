"""The Pareto front of several objectives, and the rule that chooses one job."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.sweeps import pareto, ranking
from engine.sweeps.record import Facts, Job

DIRECTIONS = {"s.accuracy": "maximise", "b.latency_ms": "minimise"}


def job(number: int, accuracy: float, latency: float, state: str = "finished", **facts) -> Job:
    known = {"directions": DIRECTIONS, "prefer": "s.accuracy", **facts}
    values = {"s.accuracy": accuracy, "b.latency_ms": latency}
    return Job(number, Facts(values=values, **known), state)


def numbers(jobs) -> list[int]:
    return [one.number for one in jobs]


GOOD, FAST, DOMINATED = job(1, 0.9, 9), job(2, 0.7, 3), job(3, 0.7, 4)


def test_the_front_has_the_jobs_that_no_other_one_dominates():
    assert numbers(pareto.front([GOOD, FAST, DOMINATED])) == [1, 2]


def test_equal_jobs_do_not_dominate_each_other():
    assert numbers(pareto.front([GOOD, job(4, 0.9, 9)])) == [1, 4]


@pytest.mark.parametrize("state", ["rejected", "failed", "pruned", "refused", "interrupted"])
def test_only_jobs_that_passed_their_gates_are_on_the_front(state):
    assert numbers(pareto.front([job(1, 0.99, 1, state), FAST])) == [2]


@pytest.mark.parametrize("value", [math.nan, None])
def test_a_job_without_one_of_the_objectives_is_not_on_the_front(value):
    values = {"s.accuracy": 1.0} | ({} if value is None else {"b.latency_ms": value})
    lacking = Job(5, Facts(directions=DIRECTIONS, values=values), "finished")
    assert numbers(pareto.front([lacking, FAST])) == [2]


def test_a_speed_in_an_emulator_is_not_compared_with_one_on_the_device():
    emulated = job(4, 0.9, 1, measured_on={"b.latency_ms": "emulated (qemu)"})
    assert numbers(pareto.front([GOOD, emulated])) == [1, 4]
    assert pareto.best([GOOD, emulated])[0] is GOOD


def test_between_two_places_without_the_device_no_job_is_the_best():
    places = ("emulated (qemu)", "simulated on x86_64")
    jobs = [job(at, 0.9, 1, measured_on={"b.latency_ms": one}) for at, one in enumerate(places)]
    best, why = pareto.best(jobs)
    assert best is None and "different places" in why


def test_the_best_job_has_the_best_value_of_the_preferred_objective():
    assert pareto.best([FAST, GOOD])[0] is GOOD
    fast, good = (job(*one, prefer="b.latency_ms") for one in ((2, 0.7, 3), (1, 0.9, 9)))
    assert pareto.best([good, fast])[0] is fast


def test_the_best_job_is_within_the_limits():
    limits = {"limits": {"b.latency_ms": "<= 5"}}
    jobs = [job(1, 0.9, 9, **limits), job(2, 0.7, 3, **limits), job(3, 0.8, 5, **limits)]
    assert pareto.best(jobs)[0].number == 3
    assert pareto.rule_of(jobs[0].facts) == "highest s.accuracy with b.latency_ms <= 5"


def test_if_no_job_is_within_the_limits_none_is_the_best():
    best, why = pareto.best([job(1, 0.9, 9, limits={"b.latency_ms": "<= 5"})])
    assert best is None and "b.latency_ms <= 5" in why


def test_equal_jobs_are_compared_by_the_other_objectives():
    jobs = [job(1, 0.9, 9), job(2, 0.9, 9), job(3, 0.9, 8)]
    assert pareto.best(jobs)[0].number == 3


def test_the_order_is_the_best_job_then_the_front_then_the_others():
    limits = {"limits": {"b.latency_ms": "<= 5"}}
    jobs = [
        job(1, 0.95, 1, "rejected", **limits),
        job(2, 0.7, 4, **limits),
        job(3, 0.9, 9, **limits),
        job(4, 0.7, 3, **limits),
    ]
    assert numbers(ranking.ranked(jobs)) == [4, 3, 2, 1]
    assert ranking.best(jobs).number == 4


values = st.tuples(st.integers(0, 5), st.integers(0, 5))


@given(st.lists(values, min_size=1, max_size=12))
def test_every_other_job_is_dominated_by_one_on_the_front(found):
    jobs = [job(at, *pair) for at, pair in enumerate(found)]
    front = pareto.front(jobs)
    assert front
    for one in jobs:
        dominating = [other for other in front if pareto.dominates(other.facts, one.facts)]
        assert bool(dominating) != (one in front)
