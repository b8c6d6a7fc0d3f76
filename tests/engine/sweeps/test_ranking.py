"""Which job of a sweep is the best."""

import math

import pytest

from engine.sweeps import ranking
from engine.sweeps.record import Facts, Job

UP, DOWN = {"s.accuracy": "maximise"}, {"s.loss": "minimise"}


def job(number: int, state: str = "finished", value: float | None = None, directions=UP) -> Job:
    name = next(iter(directions), "")
    values = {} if value is None else {name: value}
    return Job(number, Facts(directions=directions, values=values), state)


def order(*jobs: Job) -> list[int]:
    return [one.number for one in ranking.ranked(jobs)]


def test_the_highest_value_of_a_maximised_objective_is_first():
    assert order(job(1, value=0.7), job(2, value=0.9), job(3, value=0.8)) == [2, 3, 1]


def test_the_lowest_value_of_a_minimised_objective_is_first():
    assert order(job(1, value=3, directions=DOWN), job(2, value=-1, directions=DOWN)) == [2, 1]


def test_rejected_jobs_follow_those_that_passed_and_failed_ones_are_last():
    jobs = [job(1, "failed"), job(2, "rejected", 0.99), job(3, value=0.5), job(4, "waiting")]
    assert order(*jobs) == [3, 2, 1, 4]
    assert ranking.best(jobs).number == 3


@pytest.mark.parametrize("value", [None, math.nan])
def test_a_job_without_a_value_is_not_the_best(value):
    assert order(job(1, value=value), job(2, value=-9)) == [2, 1]
    assert ranking.best([job(1, value=value)]) is None


def test_equal_jobs_keep_their_order():
    assert order(job(2, value=1), job(1, value=1)) == [2, 1]


def test_without_an_objective_the_last_finished_job_is_the_best():
    jobs = [job(1, directions={}), job(2, directions={}), job(3, "rejected", directions={})]
    assert ranking.best(jobs).number == 2
    assert ranking.best(jobs[2:]) is None
