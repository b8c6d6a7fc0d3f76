"""Why a task failed."""

import json

import pytest

from engine.kubeflow import failures
from engine.kubeflow.failures import Told
from engine.kubeflow.following import Task
from tests.strategies import stages


@pytest.fixture
def job(bench):
    return bench.plan(stages({"a": []}, resources={"memory": "64M"})).jobs["a"].job


def _task(*errors: str) -> Task:
    return Task(state="failed", errors=errors)


def _log(**told: object) -> str:
    return f"some words\nstage failed: {json.dumps(told)}\nI0101 launcher_v2.go:1] the end\n"


@pytest.mark.parametrize(
    ("errors", "kind", "word"),
    [
        (["OOMKilled"], "out_of_memory", "stages.a.resources.memory"),
        (["ErrImagePull: no such host"], "image_missing", "no such host"),
        (["DeadlineExceeded"], "timeout", "DeadlineExceeded"),
        (["Evicted: low on memory"], "killed", "low on memory"),
        (["something else"], "failed", "something else"),
        ([], "failed", "failed on the cluster"),
    ],
)
def test_the_clusters_own_reason_is_used(job, errors, kind, word):
    found = failures.why(job, _task(*errors), Told())
    assert found.kind == kind and word in found.message


def test_a_killed_stage_probably_exceeded_its_memory_limit(job):
    found = failures.why(job, _task(), Told(137))
    assert found.kind == "out_of_memory" and "64 MB" in found.message


@pytest.mark.parametrize(
    ("log", "kind", "message"),
    [
        (_log(status=1, error="ValueError: no"), "failed", "ValueError: no"),
        (_log(status=3, exit_status=3), "failed", "it ended with exit status 3"),
        (_log(status=139), "killed", "it was ended by signal 11"),
        (_log(status=74, error="full"), "disk_full", "the disk of its pod is full"),
        ("stage failed: {broken", "failed", "its task failed on the cluster"),
        ("stage failed: [1]", "failed", "its task failed on the cluster"),
        ("", "failed", "its task failed on the cluster"),
    ],
)
def test_the_last_line_of_the_log_says_how_the_stage_ended(job, log, kind, message):
    found = failures.why(job, _task(), failures.told_in(log))
    assert (found.kind, found.message) == (kind, message)


def test_an_attempt_that_is_repeated_says_so():
    assert failures.lost(_task("Evicted")) == "its pod was lost: Evicted; the cluster tries again"
