"""The dispatcher: the executor of each stage, the choice among candidates, and the valid options."""

import pytest

from engine.context import ExecutorContext
from engine.dispatch import Dispatcher
from engine.errors import UserError
from engine.placement import executor_of
from engine.target import Target

PI = Target(name="pi", platform="linux/arm64")
REAL_PI = Target(name="pi", platform="linux/arm64", device="ssh://pi@nowhere")


@pytest.mark.parametrize(
    ("runs_on", "target", "name"),
    [
        ("build", PI, "docker"),
        ("build", REAL_PI, "docker"),
        ("target", PI, "docker"),
        ("target", REAL_PI, "device"),
        ("host", PI, "local"),
        ("host", REAL_PI, "local"),
    ],
)
def test_a_stage_goes_to_the_executor_of_where_it_runs(runs_on, target, name):
    assert executor_of(runs_on, target, "docker") == name


def _dispatcher(tmp_path, *candidates: str) -> Dispatcher:
    context = ExecutorContext(PI, (tmp_path,), (), tuple, tmp_path, None, {"name": "auto"})
    return Dispatcher(context, "auto", candidates)


def test_an_executor_that_there_is_not_is_named_with_the_nearest_one(tmp_path):
    with pytest.raises(UserError, match=r"executor\.name=dokker") as caught:
        _dispatcher(tmp_path, "dokker", "local")
    assert "docker" in caught.value.fix


def test_the_first_candidate_that_can_run_every_stage_is_chosen(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    dispatcher = _dispatcher(tmp_path, "docker", "local")
    why = dispatcher.choose([], {})
    assert dispatcher.name == "local" and "running stages as local processes" in why


def test_a_candidate_that_is_refused_is_passed_over(tmp_path):
    dispatcher = _dispatcher(tmp_path, "local", "docker")
    dispatcher.choose([], {"local": "not today"})
    assert dispatcher.name == "docker"


def test_without_candidates_nothing_is_chosen(tmp_path):
    dispatcher = Dispatcher(
        ExecutorContext(PI, (tmp_path,), (), tuple, tmp_path, None, {}), "local"
    )
    assert (dispatcher.choose([], {}), dispatcher.name) == ("", "local")


def test_an_option_that_no_executor_has_is_refused(project, give):
    said = give("+executor.colour=red", "+executor.memroy=4G")
    lines = [line.strip() for line in said.err.splitlines()]
    assert said.status == 2 and project.runs == []
    assert "executor.colour" in lines and "did you mean 'memory'?" in lines
