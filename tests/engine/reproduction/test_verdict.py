"""The verdict on each stage: equal, measured, or different, and why."""

import json

import pytest

from engine.events import replay
from engine.reproduction.verdict import (
    DIFFERS,
    EQUAL,
    MEASURED,
    NOT_DETERMINISTIC,
    Version,
    verdicts,
)
from tests.run_events import EventBuilder, job

JOBS = [job("a"), job("b", {"x": "a.out"}), job("c", {"y": "b.out"})]


def _parts(**more):
    base = {"source": {"m": "1"}, "parameter": {}, "input": {}, "environment": {"numpy": "1"}}
    return {**base, **more}


@pytest.fixture
def version(tmp_path):
    """Make a version of a run: the text of each stage's output, metrics, and changed parts."""

    def make(name: str, texts, metrics=None, parts=None, failed=()):
        builder = EventBuilder().start(JOBS)
        for stage, text in texts.items():
            folder = tmp_path / name / "artifacts" / stage
            folder.mkdir(parents=True)
            (folder / "out.json").write_text(json.dumps(text))
            builder.started(stage)
            builder.add(
                "job_finished",
                stage=stage,
                attempt=1,
                seconds=1.0,
                outputs={"out": f"file:{text}"},
                metrics=(metrics or {}).get(stage, {}),
            )
        for stage in failed:
            builder.started(stage).failed(stage)
        found = {stage: _parts(**(parts or {}).get(stage, {})) for stage in texts}
        return Version(tmp_path / name, replay(builder.done().events), found)

    return make


def _kinds(before, after):
    return {one.stage: one.kind for one in verdicts(before, after)}


def _why(before, after):
    return {one.stage: one.why for one in verdicts(before, after) if one.kind != EQUAL}


def test_the_same_artifacts_and_metrics_are_equal(version):
    texts, metrics = {"a": 1, "b": 2, "c": 3}, {"a": {"accuracy": 0.5}}
    found = verdicts(version("old", texts, metrics), version("new", texts, metrics))
    assert [(one.kind, one.what) for one in found] == [(EQUAL, [])] * 3


def test_a_changed_source_is_the_cause_and_its_readers_follow(version):
    changed = {"a": {"source": {"m": "2"}}}
    inputs = {"b": {"input": {"x": "file:9"}}, "c": {"input": {"y": "file:9"}}}
    before = version("old", {"a": 1, "b": 2, "c": 3})
    after = version("new", {"a": 10, "b": 20, "c": 30}, parts={**changed, **inputs})
    assert _why(before, after) == {
        "a": ["source m: 1 -> 2"],
        "b": ["it reads a, which differs"],
        "c": ["it reads b, which differs"],
    }
    assert set(_kinds(before, after).values()) == {DIFFERS}


def test_another_environment_is_named(version):
    after = version("new", {"a": 2}, parts={"a": {"environment": {"numpy": "2"}}})
    why = _why(version("old", {"a": 1}), after)
    assert why["a"] == ["environment numpy: 1 -> 2"]


def test_without_a_cause_the_stage_is_not_deterministic(version):
    found = verdicts(version("old", {"a": 1}), version("new", {"a": 2}))[0]
    assert (found.kind, found.why) == (DIFFERS, [NOT_DETERMINISTIC])
    assert found.what == ["out: the file (1 byte)"]


def test_a_stage_that_measures_and_its_readers_are_excepted(version):
    before = version(
        "old", {"a": {"took_ms": 1}, "b": "x 1 ms", "c": 3}, {"a": {"latency_ms": 1.0}}
    )
    after = version(
        "new",
        {"a": {"took_ms": 2}, "b": "x 2 ms", "c": 3},
        {"a": {"latency_ms": 2.0}},
        {"b": {"input": {"x": "file:9"}}},
    )
    assert _kinds(before, after) == {"a": MEASURED, "b": MEASURED, "c": EQUAL}
    assert _why(before, after)["b"] == ["it reads a"]


def test_a_stage_that_measures_and_gives_another_result_is_not_excepted(version):
    before = version("old", {"a": 1}, {"a": {"latency_ms": 1.0, "accuracy": 0.5}})
    after = version("new", {"a": 1}, {"a": {"latency_ms": 2.0, "accuracy": 0.75}})
    found = verdicts(before, after)[0]
    assert found.kind == DIFFERS
    assert found.what[1] == "metric accuracy: 0.5 -> 0.75 (+0.25)"


def test_a_reader_of_measurements_with_another_source_differs(version):
    before = version("old", {"a": {"took_ms": 1}, "b": 2})
    parts = {"b": {"input": {"x": "file:9"}, "source": {"m": "2"}}}
    after = version("new", {"a": {"took_ms": 2}, "b": 3}, parts=parts)
    assert _kinds(before, after)["b"] == DIFFERS


def test_a_stage_that_ended_otherwise_differs_with_its_message(version):
    found = verdicts(version("old", {"a": 1}), version("new", {}, failed=["a"]))[0]
    assert (found.what, found.why) == (["finished then, failed now"], ["exit status 1"])


def test_a_lost_record_leaves_the_cause_unknown(version):
    before, after = version("old", {"a": 1}), version("new", {"a": 2})
    before.state.stages["a"].fingerprint = "0" * 64
    why = _why(Version(before.run_dir, before.state, {}), after)["a"]
    assert why == ["its record is not in the store any more, so the cause is unknown"]
