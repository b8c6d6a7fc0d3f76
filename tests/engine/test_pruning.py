"""What watches the run of a search's job."""

import threading

import pytest
from optuna.trial import TrialState

from engine import pruning, studies
from engine.events import RunState
from engine.request import Pruning, SweepJob

WANTED = Pruning("train", "val_accuracy", "maximise", "median", {"n_startup_trials": 1})


def metric(value: float, step: int, stage: str = "train", name: str = "val_accuracy") -> dict:
    return {"event": "metric", "stage": stage, "name": name, "value": value, "step": step}


def watch(folder, *events: dict, status: str = "finished") -> list[str]:
    """Show a run's events to a watcher, and return the reasons for which it pruned the run."""
    reasons: list[str] = []
    watcher = pruning.Watcher(folder, WANTED)
    watcher.connect(reasons.append)
    for event in (*events, {"event": "run_finished", "status": status}):
        watcher.show(event, RunState())
    assert watcher.close() == ""
    return reasons


def trials(folder) -> list[tuple[TrialState, dict[int, float]]]:
    study = studies.pruning(folder, WANTED)
    return [(one.state, one.intermediate_values) for one in study.get_trials()]


def test_a_run_that_is_worse_than_the_others_is_pruned(tmp_path):
    assert watch(tmp_path, metric(0.8, 0), metric(0.9, 1)) == []
    (reason,) = watch(tmp_path, metric(0.1, 0), metric(0.2, 1), status="pruned")
    assert "train.val_accuracy is 0.1 at step 0, worse than the median" in reason
    assert trials(tmp_path) == [
        (TrialState.COMPLETE, {0: 0.8, 1: 0.9}),
        (TrialState.PRUNED, {0: 0.1}),
    ]


def test_other_metrics_and_stages_do_not_count(tmp_path):
    others = [metric(1, 0, name="loss"), metric(1, 0, stage="other"), metric(1, -1)]
    watch(tmp_path, metric(0.8, 0))
    assert watch(tmp_path, *others) == []
    assert trials(tmp_path)[1] == (TrialState.FAIL, {})


def test_a_cached_stage_is_a_yardstick_and_not_pruned(tmp_path):
    def cached(value):
        points = [["val_accuracy", 0, value, 1.0], ["loss", 0, 9.0, 1.0]]
        return {"event": "job_cached", "stage": "train", "points": points}

    watch(tmp_path, cached(0.8))
    assert watch(tmp_path, cached(0.1)) == []
    assert len(watch(tmp_path, metric(0.3, 0))) == 1


def test_a_second_attempt_may_report_the_same_steps(tmp_path):
    watch(tmp_path, metric(0.1, 0), metric(0.8, 0), metric(0.9, 1))
    assert trials(tmp_path) == [(TrialState.COMPLETE, {0: 0.1, 1: 0.9})]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_no_number_ends_neither_the_watcher_nor_the_run(tmp_path, value, capfd):
    watch(tmp_path, metric(0.8, 0), metric(value, 1))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("status", ["interrupted", "failed"])
def test_a_run_without_a_result_is_no_yardstick(tmp_path, status):
    watch(tmp_path, metric(0.8, 0), status=status)
    assert trials(tmp_path) == [(TrialState.FAIL, {0: 0.8})]


def test_a_fault_of_the_storage_does_not_end_the_run(tmp_path, capfd):
    assert watch(tmp_path / "missing", metric(0.8, 0)) == []
    assert "not pruned any more" in capfd.readouterr().err


def test_a_slow_storage_does_not_delay_the_run(tmp_path, monkeypatch):
    is_free, wait = threading.Event(), studies.pruning

    def slow(*given):
        is_free.wait(60)
        return wait(*given)

    monkeypatch.setattr(studies, "pruning", slow)
    watcher = pruning.Watcher(tmp_path, WANTED)
    watcher.show(metric(0.8, 0), RunState())  # returns although the storage does not answer
    is_free.set()
    watcher.show({"event": "run_finished", "status": "finished"}, RunState())
    watcher.close()
    monkeypatch.undo()
    assert trials(tmp_path) == [(TrialState.COMPLETE, {0: 0.8})]


@pytest.mark.parametrize("has_sweep", [True, False])
def test_only_a_job_of_a_search_that_prunes_is_watched(tmp_path, has_sweep):
    assert pruning.watcher(SweepJob(tmp_path, 1, 2, ()) if has_sweep else None) is None
