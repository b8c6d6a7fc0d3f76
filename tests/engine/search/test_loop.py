"""What Optuna learns from a job. Whole searches are in tests/test_search.py."""

import math

import pytest
from optuna.trial import TrialState

from engine.search import loop
from engine.sweeps.record import Facts, Job

NAMES = ["s.accuracy", "b.latency_ms"]


def job(state: str, *values: float) -> Job:
    return Job(1, Facts(values=dict(zip(NAMES, values, strict=False))), state)


@pytest.mark.parametrize("state", ["finished", "rejected"])
def test_a_measured_job_has_a_value_for_each_objective(state):
    assert loop.result(job(state, 0.9, 3.0), NAMES) == (TrialState.COMPLETE, [0.9, 3.0])


@pytest.mark.parametrize("values", [(0.9,), (0.9, math.nan)])
def test_a_job_that_did_not_measure_every_objective_has_failed(values):
    assert loop.result(job("finished", *values), NAMES) == (TrialState.FAIL, None)


def test_a_pruned_job_is_pruned():
    assert loop.result(job("pruned"), NAMES) == (TrialState.PRUNED, None)


@pytest.mark.parametrize("state", ["failed", "refused"])
def test_a_job_without_a_result_has_failed(state):
    assert loop.result(job(state), NAMES) == (TrialState.FAIL, None)
