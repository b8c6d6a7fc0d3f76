"""The end of a single job: which failures are the user's mistake, and which are not."""

from engine.single_job import Done


def test_what_a_stage_error_says_is_shown_without_its_prefix():
    assert Done(False, {}, "error: 'bad' is no number").refusal == "'bad' is no number"


def test_a_traceback_is_no_refusal():
    assert Done(False, {}, "Traceback (most recent call last):\nValueError: x").refusal is None


def test_a_job_that_succeeded_refuses_nothing():
    assert Done(True, {}, "error: printed by the stage itself").refusal is None
