"""The contract of all drivers in engine/drivers/, whatever their order of jobs."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from engine import extensions
from engine.context import DriverContext
from engine.events import RunState, replay
from engine.plan import describe
from tests.engine.conftest import fails, hangs, returns
from tests.strategies import stages

CHAIN = {"a": [], "b": ["a"], "c": ["b"]}
Run = Callable[..., RunState]


# the driver `kubeflow` runs its jobs on a cluster: test_kubeflow.py
@pytest.fixture(params=[name for name in extensions.names("drivers") if name != "kubeflow"])
def run(request, bench) -> Run:
    """Run a use case of these stages with each driver in turn."""
    module, runs = extensions.module("drivers", request.param), iter(range(9))

    def drive(made: Mapping[str, Any], interrupts: int = 0, pruned: str = "") -> RunState:
        plan, events = bench.plan(made), bench.events
        run_dir = bench.folder / f"driven{next(runs)}"
        run_dir.mkdir()
        bench.executor.launched = []
        events[:] = [{"event": "run_started", "jobs": describe(plan), "time": 0.0}]
        with bench.store.locks.work(run_dir.name) as work:
            driver = module.driver(
                DriverContext(
                    plan=plan,
                    store=bench.store,
                    executor=bench.executor,
                    work=work,
                    run_dir=run_dir,
                    emit=lambda *new: events.extend({"time": 0.0, **one} for one in new),
                    cpus=2,
                    fail_fast=False,
                )
            )
            left = iter(range(interrupts))

            def meanwhile() -> None:
                if next(left, None) is not None:
                    driver.interrupt()
                if pruned:
                    driver.prune(pruned)

            bench.executor.meanwhile = meanwhile
            status = driver.run()
            assert list(work.glob("*-[0-9]*")) == []  # the folders of attempts are removed
        events.append({"event": "run_finished", "status": status, "seconds": 0.0, "time": 0.0})
        return replay(events)

    return drive


def _states(state: RunState) -> dict[str, str]:
    return {name: stage.state for name, stage in state.stages.items()}


def test_every_stage_runs_once_and_after_what_it_needs(run, bench):
    state = run(stages({"d": ["b", "c"], "a": [], "b": ["a"], "c": ["a"]}))
    launched = bench.executor.launched
    assert (state.status, sorted(launched)) == ("finished", ["a", "b", "c", "d"])
    assert (launched[0], launched[-1], set(_states(state).values())) == ("a", "d", {"finished"})


def test_outputs_are_laid_out_for_the_user(run, bench):
    run(stages(CHAIN))
    made = bench.folder / "driven0" / "artifacts" / "c" / "data"
    assert made.read_text() == "c (b (a ()))"


def test_what_the_store_has_is_taken_without_a_launch(run, bench):
    run(stages(CHAIN))
    state = run(stages(CHAIN))
    assert (state.status, bench.executor.launched) == ("finished", [])
    assert all(stage.cached for stage in state.stages.values())


def test_what_needs_a_failed_stage_is_skipped(run, bench):
    bench.executor.does["b"] = fails
    state = run(stages(CHAIN))
    assert state.status == "failed"
    assert _states(state) == {"a": "finished", "b": "failed", "c": "skipped"}


def test_what_needs_a_rejected_stage_is_skipped(run, bench):
    bench.executor.does["a"] = returns(accuracy=0.5)
    free = {"uses": "mystages.free", "require": {"accuracy": ">= 0.9"}}
    state = run({"a": free, **stages({"b": []}, inputs={"a": "a.data"})})
    assert (state.status, _states(state)) == ("rejected", {"a": "rejected", "b": "skipped"})


@pytest.mark.parametrize(("interrupts", "by_force"), [(1, False), (2, True)])
def test_an_interrupt_ends_the_run_cleanly_and_a_second_one_at_once(
    run, bench, interrupts, by_force
):
    bench.executor.does["a"] = hangs
    bench.executor.stubborn = {"a"} if by_force else set()
    state = run(stages(CHAIN), interrupts)
    assert (state.status, bench.executor.launched) == ("interrupted", ["a"])
    assert _states(state) == {"a": "failed", "b": "skipped", "c": "skipped"}
    assert (("a", True) in bench.executor.told) is by_force


def test_a_pruned_run_ends_cleanly_and_its_stages_have_not_failed(run, bench):
    bench.executor.does["b"] = hangs
    run(stages({"a": []}))  # cached, so that it is not pruned
    state = run(stages(CHAIN), pruned="it promises little")
    assert (state.status, bench.executor.launched) == ("pruned", ["b"])
    assert _states(state) == {"a": "finished", "b": "skipped", "c": "skipped"}
    assert state.stages["b"].because == state.stages["c"].because == "it promises little"


def test_a_stage_that_takes_too_long_is_ended(run, bench):
    bench.executor.does["a"] = hangs
    state = run(stages({"a": []}, timeout="50ms"))
    (failed,) = (event for event in bench.events if event["event"] == "job_failed")
    assert (state.status, failed["kind"]) == ("failed", "timeout")
