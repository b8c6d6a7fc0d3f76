"""Executor options: a mistake is reported when an executor is created, before anything runs."""

import importlib

import pytest

from engine.containers import options
from engine.context import ExecutorContext
from engine.errors import UserError
from engine.target import Target

PI = Target(name="pi", platform="linux/arm64", device="ssh://pi@nowhere")


@pytest.fixture(params=["local", "docker", "device"])
def make(request, tmp_path):
    """Create each executor in turn with these options; none of them connects to an engine yet."""
    executor = importlib.import_module(f"engine.executors.{request.param}").Executor
    return lambda given: executor(
        ExecutorContext(PI, (tmp_path,), (), tuple, tmp_path, None, given)
    )


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({"memory": "banana"}, "memory"),
        ({"memory": "1k"}, "memory"),
        ({"memory": "-1G"}, "memory"),
        ({"memory": "9" * 400}, "memory"),
        ({"pids": -3}, "pids"),
        ({"pids": 0}, "pids"),
        ({"pids": "many"}, "pids"),
        ({"pids": 1e30}, "pids"),
        ({"tmp": 0}, "tmp"),
        ({"shm": "x"}, "shm"),
        ({"network": None}, "network"),
        ({"network": ""}, "network"),
    ],
    ids=lambda value: str(value)[:40],
)
@pytest.mark.parametrize("name", ["docker", "auto"])
def test_a_mistake_is_reported_when_the_executor_is_made(make, name, options, place):
    with pytest.raises(ExceptionGroup) as caught:
        make({"name": name, "cpus": None, **options})
    [mistake] = caught.value.exceptions
    assert (
        isinstance(mistake, UserError)
        and mistake.where == f"executor={name}: {place}"
        and mistake.fix
    )


def test_all_mistakes_are_reported_together(make):
    with pytest.raises(ExceptionGroup) as caught:
        make({"memory": "banana", "pids": -3})
    assert len(caught.value.exceptions) == 2


def test_the_options_of_an_executor_that_somebody_added_are_its_own_affair(make):
    make({"name": "theirs", "queue": "long"}).close()


@pytest.mark.parametrize(("memory", "limit"), [(None, 750), (0, None), ("8M", 8_000_000)])
def test_the_limit_of_memory_is_the_options_or_three_quarters_of_the_machines(
    tmp_path, memory, limit
):
    found = options.limits(
        ExecutorContext(PI, (tmp_path,), (), tuple, tmp_path, None, {"memory": memory})
    )
    assert options.memory_limit(found, 1000) == limit
