"""The statuses of a sweep's jobs as files."""

from pathlib import Path

import pytest

from engine import sweep


@pytest.fixture
def statuses(tmp_path: Path) -> sweep.Statuses:
    return sweep.statuses(tmp_path / "outputs")


def test_the_worst_job_decides(statuses):
    for job, status in enumerate((0, 2, 1)):
        statuses.begin(job)
        statuses.end(job, status)
    assert statuses.worst() == 2


def test_all_well_is_0(statuses):
    statuses.end(0, 0)
    statuses.end(1, 0)
    assert statuses.worst() == 0


def test_a_job_that_began_and_never_ended_has_failed(statuses):
    statuses.end(0, 0)
    statuses.begin(1)
    assert statuses.worst() == 1


def test_a_job_that_left_no_status_has_failed(statuses):
    statuses.end(0, 0)
    statuses.end(2, 0)
    assert statuses.worst() == 1


def test_a_sweep_of_which_no_job_left_a_status_has_failed(statuses):
    assert statuses.worst() == 1


def test_two_sweeps_at_once_have_places_of_their_own_and_leave_nothing(tmp_path):
    first, second = sweep.statuses(tmp_path), sweep.statuses(tmp_path)
    first.end(0, 1)
    second.end(0, 0)
    assert (first.worst(), second.worst()) == (1, 0)
    first.remove()
    second.remove()
    assert list((tmp_path / ".engine" / "sweeps").iterdir()) == []
