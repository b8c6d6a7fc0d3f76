"""A run beside the one before it."""

import json

import pytest

from engine.events import replay
from engine.report import comparison
from tests.run_events import EventBuilder, job


def run(accuracy=0.9, latency=4.0, rule=">= 0.8", spread=None, **start):
    """A run's state: an objective with a gate, and a cost."""
    events = EventBuilder().start([job("score"), job("bench")], objective="score.accuracy", **start)
    ends = {"accuracy_low": accuracy - spread, "accuracy_high": accuracy + spread} if spread else {}
    events.started("score").finished("score", accuracy=accuracy, **ends)
    events.add("gate", stage="score", metric="accuracy", rule=rule, value=accuracy, passed=True)
    events.started("bench").finished("bench", latency_median_ms=latency)
    return replay(events.done().events)


def rows(before, now):
    return {row.name: row for row in comparison.compare(before, now).rows}


def test_a_gates_rule_says_which_change_is_good():
    assert rows(run(0.85), run(0.9))["score.accuracy"].tone == "good"
    assert rows(run(0.9), run(0.85))["score.accuracy"].tone == "bad"
    assert rows(run(0.9, rule="<= 1"), run(0.85, rule="<= 1"))["score.accuracy"].tone == "good"


def test_a_change_inside_the_interval_is_neither_good_nor_bad():
    row = rows(run(0.88), run(0.9, spread=0.05))["score.accuracy"]
    assert (row.change, row.tone, row.remark) == ("+0.02", "", "within the 95 % interval")


def test_a_latency_is_compared_in_percent_and_a_small_change_has_no_colour():
    faster = rows(run(latency=4.0), run(latency=3.0))["bench.latency_median_ms"]
    assert (faster.change, faster.tone) == ("\N{MINUS SIGN}25\N{NO-BREAK SPACE}%", "good")
    assert rows(run(latency=4.0), run(latency=4.1))["bench.latency_median_ms"].tone == ""


def test_a_simulated_latency_is_neither_good_nor_bad():
    states = [run(latency=latency) for latency in (4.0, 9.0)]
    for state in states:
        state.stages["bench"].measured_on = "simulated on x86_64"
    row = rows(*states)["bench.latency_median_ms"]
    assert (row.tone, row.remark) == ("", "not measured on the device")


def test_an_equal_metric_is_the_same():
    assert rows(run(), run())["score.accuracy"].change == "same"


def test_changed_parameters_assets_and_commit_are_named():
    data = {"key": "data", "name": "yoga", "digest": "tree:0123456789abcdef"}
    now = run(params={"epochs": 5, "new": 1}, assets=[data], git_commit="f" * 40)
    found = comparison.compare(run(params={"epochs": 3, "old": 2}), now)
    assert found.params == [
        ("params.epochs", 3, 5),
        ("params.new", "not set", 1),
        ("assets.data", "not set", "yoga 01234567"),
        ("params.old", 2, "not set"),
    ]
    assert found.commits == ("0123456789ab", "f" * 12) and found.has_other_assets


def test_with_other_data_no_change_is_good_or_bad():
    data = {"key": "data", "name": "yoga", "digest": "tree:0123456789abcdef"}
    found = rows(run(0.85, latency=9.0), run(0.9, assets=[data]))
    assert {row.tone for row in found.values()} == {""} and len(found) == 2


def test_nothing_changed_is_nothing():
    found = comparison.compare(run(), run())
    assert (found.params, found.commits, found.has_other_assets) == ([], None, False)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_compared_too(value):
    assert rows(run(latency=value), run(latency=1.0))["bench.latency_median_ms"].change == ""


def written(folder, status="finished"):
    """Write a run's journal."""
    events = EventBuilder().start([job("train")], run_id=folder.name).started("train")
    events.finished("train", accuracy=0.5).done(status)
    folder.mkdir(parents=True)
    lines = "".join(json.dumps(event) + "\n" for event in events.events)
    (folder / "journal.jsonl").write_text(lines)
    return folder


def test_the_previous_run_is_the_newest_earlier_one_that_finished(tmp_path):
    place = tmp_path / "demo" / "rpi4"
    ids = [f"20270115-08000{at}-000-abcd" for at in range(5)]
    for name, status in zip(ids, ["finished", "finished", "failed", "finished"], strict=False):
        written(place / name, status)
    (place / "latest").symlink_to(ids[3])
    own = place / "20270115-080003-000-abcd"
    found = comparison.previous(own)
    assert found and found.start["run_id"] == ids[1]
    assert comparison.previous(place / ids[0]) is None


def test_an_earlier_run_that_cannot_be_read_is_passed_over(tmp_path):
    place = tmp_path / "demo" / "rpi4"
    written(place / "20270115-080000-000-abcd")
    damaged = written(place / "20270115-080001-000-abcd")
    (damaged / "journal.jsonl").write_bytes(b"\x00\xff\n{}\n")
    found = comparison.previous(place / "20270115-080002-000-abcd")
    assert found and found.start["run_id"] == "20270115-080000-000-abcd"
