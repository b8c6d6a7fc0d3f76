"""The states of tasks in what the API returns."""

import pytest

from engine.kubeflow import following
from engine.kubeflow.following import Task

STAGES = {"train": "train", "train-0": "train@0"}


def _run(*entries: dict, **keys: object) -> dict:
    return {"state": "RUNNING", "run_details": {"task_details": [*entries]}, **keys}


def _history(*states: str) -> list[dict]:
    return [{"state": state} for state in states]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("PENDING", "waiting"),
        ("RUNNING", "running"),
        ("PAUSED", "running"),
        ("SUCCEEDED", "done"),
        ("SKIPPED", "done"),
        ("FAILED", "failed"),
        ("CANCELED", "cancelled"),
        ("RUNTIME_STATE_UNSPECIFIED", "waiting"),
        ("OF_A_NEWER_SERVER", "waiting"),
    ],
)
def test_each_state_of_the_api_has_a_meaning(state, expected):
    found = following.tasks(_run({"display_name": "train", "state": state}), STAGES)
    assert found["train"].state == expected


@pytest.mark.parametrize("run", [{}, {"run_details": None}, _run(), _run({"state": "RUNNING"})])
def test_a_run_without_details_has_no_tasks(run):
    assert following.tasks(run, STAGES) == {}


def test_the_nodes_of_the_cluster_itself_are_no_stages():
    entries = [{"display_name": name, "state": "RUNNING"} for name in ("root", "executor")]
    assert following.tasks(_run(*entries), STAGES) == {}


def test_a_task_whose_driver_failed_has_failed():
    entry = {"display_name": "train-driver", "state": "FAILED", "error": {"message": "no quota"}}
    found = following.tasks(_run(entry), STAGES)["train"]
    assert (found.state, found.errors) == (
        "failed",
        ("the cluster could not prepare it: no quota",),
    )


@pytest.mark.parametrize(
    ("history", "attempt"),
    [
        (["PENDING", "RUNNING"], 1),
        (["PENDING", "RUNNING", "RUNNING"], 1),
        (["RUNNING", "FAILED", "RUNNING", "SUCCEEDED"], 2),
        (["RUNNING", "FAILED", "PENDING", "RUNNING", "FAILED", "RUNNING"], 3),
    ],
)
def test_attempts_are_counted_in_the_history_of_states(history, attempt):
    entry = {"display_name": "train", "state": "RUNNING", "state_history": _history(*history)}
    assert following.tasks(_run(entry), STAGES)["train"].attempt == attempt


def test_attempts_are_counted_among_the_pods_of_the_executor():
    entries = [
        {"display_name": "train", "state": "RUNNING", "child_tasks": [{"pod_name": "p"}]},
        {
            "display_name": "executor",
            "pod_name": "p",
            "child_tasks": [{"pod_name": "p0"}, {"pod_name": "p1"}],
        },
        {"display_name": "executor(0)", "pod_name": "p0", "error": {"message": "Evicted"}},
        {"display_name": "executor(1)", "pod_name": "p1"},
    ]
    found = following.tasks(_run(*entries), STAGES)["train"]
    assert (found.attempt, found.pods[-1], found.errors) == (2, "p1", ("Evicted",))


def test_the_pod_is_that_of_the_child():
    entry = {"display_name": "train", "state": "RUNNING", "child_tasks": [{"pod_name": "w-1"}]}
    assert following.tasks(_run(entry), STAGES)["train"].pods == ("w-1",)


def test_seconds_come_from_the_task_if_the_server_says_them():
    entry = {"display_name": "train", "state": "FAILED"}
    times = {"start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T00:01:30Z"}
    assert following.tasks(_run(entry | times), STAGES)["train"].seconds == 90
    assert following.tasks(_run(entry), STAGES)["train"].seconds == 0


def test_the_specification_says_which_stage_a_task_is():
    tasks = {"train-0": {"taskInfo": {"name": "train@0"}}, "train-0-gate": {}}
    spec = {"root": {"dag": {"tasks": tasks}}}
    assert following.stages_of({"pipeline_spec": spec})["train-0"] == "train@0"
    assert following.stages_of({"pipeline_spec": {"pipeline_spec": spec}})["train-0"] == "train@0"
    assert following.stages_of({}) == {}


def test_a_run_ends_when_it_succeeded_failed_or_was_cancelled():
    ended = [
        state
        for state in ("PENDING", "RUNNING", "CANCELING", "SUCCEEDED", "FAILED", "CANCELED", "?")
        if following.has_ended({"state": state})
    ]
    assert ended == ["SUCCEEDED", "FAILED", "CANCELED"]


def test_the_error_of_a_run_is_the_servers():
    assert following.error({"error": {"message": "no\nnode"}}) == "no node"
    assert following.error({"state_history": [{"error": {"message": "quota"}}]}) == "quota"
    assert following.error({}) == ""


def test_a_waiting_task_is_not_hidden_by_its_driver():
    entries = [
        {"display_name": "train-driver", "state": "SUCCEEDED"},
        {"display_name": "train", "state": "PENDING"},
    ]
    assert following.tasks(_run(*entries), STAGES)["train"] == Task(state="waiting", name="train")
