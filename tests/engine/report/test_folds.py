"""The values of a foreach side by side, with mean and spread."""

from engine.events import RunState, replay
from engine.report import folds
from tests.run_events import EventBuilder, job


def _state(*values: float, **start) -> RunState:
    jobs = [job(f"train@{at}", values=len(values)) for at in range(len(values))]
    events = EventBuilder().start([job("data"), *jobs], **start)
    events.started("data").finished("data", rows=3)
    for at, value in enumerate(values):
        events.started(f"train@{at}").finished(f"train@{at}", accuracy=value, latency_ms=4.0 + at)
    return replay(events.done().events)


def test_each_metric_has_its_mean_its_spread_and_its_values():
    (found,) = folds.of_run(_state(0.8, 0.9, 0.7, objective="train.accuracy.mean"))
    assert (found.stage, found.count, found.values) == ("train", 3, ["0", "1", "2"])
    accuracy, latency = found.rows
    assert (accuracy.mean, accuracy.spread) == ("0.8", "0.1")
    assert (accuracy.lowest, accuracy.highest, accuracy.each) == (
        "0.7",
        "0.9",
        ["0.8", "0.9", "0.7"],
    )
    assert latency.mean.replace("\N{NO-BREAK SPACE}", " ") == "5 ms"
    assert (accuracy.is_objective, latency.is_objective) == (True, False)


def test_with_many_values_only_the_range_is_shown():
    (found,) = folds.of_run(_state(*(at / 100 for at in range(20))))
    assert (found.values, found.rows[0].each, found.rows[0].highest) == ([], [], "0.19")


def test_a_single_value_and_ordinary_stages_have_no_table():
    assert folds.of_run(_state(0.8)) == []
    assert folds.of_run(_state()) == []


def test_a_run_in_which_a_value_failed_has_no_table():
    jobs = [job("train@0", values=2), job("train@1", values=2)]
    events = EventBuilder().start(jobs).started("train@0").finished("train@0", accuracy=1.0)
    assert (
        folds.of_run(replay(events.started("train@1").failed("train@1").done("failed").events))
        == []
    )
