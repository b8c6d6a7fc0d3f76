"""The lines at the end of a run."""

from pathlib import Path

import pytest

from engine import ending
from engine.events import RunState, replay
from tests.run_events import EventBuilder, job

SIMULATED = {"measured_on": "simulated on x86_64", "platform": "linux/arm64", "emulated": False}


@pytest.fixture
def run_dir(tmp_path, monkeypatch):
    """The folder of a run with a report and a package, below the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run" / "artifacts" / "pack" / "package").mkdir(parents=True)
    (tmp_path / "run" / "report.html").touch()
    return tmp_path / "run"


def _state(passed: bool = True, **start) -> RunState:
    """A run that trained and measured a model, with this result of the gate."""
    events = EventBuilder().start([job("train"), job("bench", runs_on="target")], **start)
    events.started("train").finished("train", accuracy=0.93)
    events.add("gate", stage="train", metric="accuracy", rule=">= 0.8", value=0.93, passed=passed)
    events.started("bench", **SIMULATED)
    events.finished("bench", latency_median_ms=4.52, model_size_bytes=126_880)
    return replay(events.done("finished" if passed else "rejected").events)


def _lines(state: RunState, run_dir: Path | None = None) -> dict[str, str]:
    return {line.label: line.text for line in ending.lines(state, run_dir)}


def test_result_speed_and_the_paths_to_open(run_dir):
    assert _lines(_state(), run_dir) == {
        "result": "train.accuracy 0.93, 1 of 1 gate passed",
        "speed": "latency median 4.52 ms, model size 127 kB; simulated on x86_64, not measured on "
        "the device",
        "report": "run/report.html",
        "package": "run/artifacts/pack/package",
    }


def test_the_speed_names_only_the_place_where_it_was_measured():
    events = EventBuilder().start([job("camera"), job("bench", runs_on="target")])
    events.started("camera", **{**SIMULATED, "measured_on": "simulated on x86_64 elsewhere"})
    events.finished("camera", examples=96.0).started("bench", **SIMULATED)
    events.finished("bench", latency_median_ms=4.52)
    speed = _lines(replay(events.done().events))["speed"]
    assert speed == "latency median 4.52 ms; simulated on x86_64, not measured on the device"


def test_a_gate_that_failed_is_named():
    state = _state(passed=False)
    assert ending.headline(state) == "rejected in 42 s: 2 stages ran, 0 cached"
    lines = _lines(state)
    assert "train.accuracy 0.93 fails the gate (>= 0.8)" in lines["result"]
    assert lines["loosen"].startswith("python run.py usecase=demo target=rpi4 ")


def test_gates_that_are_not_judged_are_counted():
    events = EventBuilder().start([job("train")]).started("train").finished("train")
    for metric, passed in (("size", True), ("accuracy", None)):
        events.add(
            "gate", stage="train", metric=metric, rule=">= 0 if measured", value=None, passed=passed
        )
    result = _lines(replay(events.done().events))["result"]
    assert result == "1 of 2 gates passed, 1 not evaluated"


def test_the_interval_of_the_objective_stands_beside_it():
    events = EventBuilder().start([job("train")]).started("train")
    events.finished("train", accuracy=0.93, accuracy_low=0.9, accuracy_high=0.95)
    assert _lines(replay(events.done().events)) == {"result": "train.accuracy 0.93 (0.9 to 0.95)"}


def test_sample_data_are_named():
    assets = [{"key": "data", "name": "made", "sample": True}]
    assert _lines(_state(assets=assets))["result"].endswith(", sample data")


def test_without_a_report_it_is_the_folder_of_the_run(run_dir):
    (run_dir / "report.html").unlink()
    assert _lines(_state(), run_dir)["folder"] == "run"


def test_a_stage_that_failed_is_named_and_a_run_that_was_interrupted_is_resumed():
    events = EventBuilder().start([job("a"), job("b")]).started("a").failed("a")
    state = replay(events.done("interrupted").events)
    assert _lines(state) == {
        "failed": "a",
        "resume": "python run.py usecase=demo target=rpi4",
    }


def test_a_run_without_figures_has_nothing_more_to_say():
    state = replay(EventBuilder().start([job("a")]).started("a").finished("a").done().events)
    assert _lines(state) == {}


def test_a_pruned_run_has_neither_failed_nor_a_command_to_resume_it():
    events = EventBuilder().start([job("a"), job("b")]).started("a")
    for stage in ("a", "b"):
        events.add("job_skipped", stage=stage, because="it promises little")
    state = replay(events.done("pruned").events)
    assert _lines(state) == {}
    assert ending.headline(state).startswith("pruned after ")


def test_a_mean_over_a_foreach_has_its_spread():
    jobs = [job("train@0", values=2), job("train@1", values=2)]
    events = EventBuilder().start(jobs, objective="train.accuracy.mean")
    for stage, value in (("train@0", 0.8), ("train@1", 0.9)):
        events.started(stage).finished(stage, accuracy=value)
    result = _lines(replay(events.done().events))["result"]
    assert result == "train.accuracy.mean 0.85 ± 0.07071 (standard deviation over 2 values)"
