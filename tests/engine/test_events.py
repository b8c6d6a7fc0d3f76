"""Events, and the state that results from replaying any part of a journal."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.events import FIELDS, RunState, replay

STAGES = ["a", "b"]
JOBS = [{"stage": name, "inputs": {}, "outputs": ["out"], "needs": []} for name in STAGES]
START = {"event": "run_started", "time": 1.0, "usecase": "u", "target": "t", "jobs": JOBS}
CACHED = {
    "fingerprint": "f",
    "outputs": {"out": "file:1"},
    "metrics": {"acc": 0.5},
    "points": [["loss", 1, 0.5, 3.0]],
    "figures": [],
    "notes": ["old"],
    "seconds": 9.0,
    "platform": "linux/amd64",
    "emulated": False,
    "measured_on": "x86_64",
}
STARTED = {
    "attempt": 1,
    "fingerprint": "f",
    "log": "a.log",
    "platform": "linux/amd64",
    "emulated": False,
    "measured_on": "x86_64",
}
FIGURE = {"kind": "confusion_matrix", "name": "int8", "labels": ["x"], "matrix": [[1]]}
FAILED = {
    "attempt": 1,
    "seconds": 1.0,
    "kind": "failed",
    "message": "no",
    "log": "a.log",
    "log_tail": "",
    "retry_in_s": None,
}
GATE = {"metric": "acc", "rule": "> 1", "value": 0.5}


def _event(event: str, **fields):
    return {
        "event": event,
        "time": 2.0,
        **({"stage": "a"} if "stage" in FIELDS.get(event, ("stage",)) else {}),
        **fields,
    }


EXAMPLES = {
    "note": _event("note", text="chosen"),
    "job_cached": _event("job_cached", **CACHED),
    "job_started": _event("job_started", **STARTED),
    "progress": _event("progress", done=1, total=2, message="half"),
    "metric": _event("metric", name="loss", value=0.5, step=1),
    "figure": _event("figure", **FIGURE),
    "job_finished": _event(
        "job_finished", attempt=1, seconds=1.0, outputs={"out": "file:1"}, metrics={}
    ),
    "job_failed": _event("job_failed", **FAILED),
    "job_skipped": _event("job_skipped", because="b failed"),
    "gate": _event("gate", **GATE, passed=False),
    "run_finished": _event("run_finished", status="failed", seconds=3.0),
}


@pytest.fixture
def begun() -> RunState:
    return replay([START])


def _stage(begun, *events):
    return replay(events, begun).stages["a"]


def test_every_kind_of_event_has_an_example_here():
    assert EXAMPLES.keys() | {"run_started"} == FIELDS.keys()


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_has_the_fields_that_are_promised(name):
    assert set(FIELDS[name]) <= EXAMPLES[name].keys()


def test_a_figure_is_kept_with_the_fields_of_its_kind_whatever_that_is(begun):
    newer = {"kind": "globe", "name": "g", "phase": [1]}
    stamp = {"v": 1, "seq": 3}
    assert _stage(begun, _event("figure", **newer, **stamp)).figures == [newer]


def test_a_run_begins_with_all_its_stages_waiting(begun):
    assert (begun.status, {name: stage.state for name, stage in begun.stages.items()}) == (
        "running",
        {"a": "waiting", "b": "waiting"},
    )


def test_a_started_stage_runs(begun):
    stage = _stage(begun, EXAMPLES["job_started"])
    assert (stage.state, stage.attempt, stage.started, stage.log) == ("running", 1, 2.0, "a.log")


def test_a_finished_stage_has_its_outputs_and_metrics(begun):
    finished = _event(
        "job_finished", attempt=1, seconds=1.5, outputs={"out": "file:1"}, metrics={"acc": 0.9}
    )
    stage = _stage(begun, EXAMPLES["job_started"], finished)
    assert (stage.state, stage.seconds, stage.outputs, stage.metrics) == (
        "finished",
        1.5,
        {"out": "file:1"},
        {"acc": 0.9},
    )
    assert begun.metrics == {"a.acc": 0.9}


def test_a_stage_may_have_been_measured_elsewhere_than_it_ran(begun):
    finished = {**EXAMPLES["job_finished"], "measured_on": "device"}
    assert _stage(begun, EXAMPLES["job_started"], finished).measured_on == "device"
    assert _stage(begun, EXAMPLES["job_started"], EXAMPLES["job_finished"]).measured_on != "device"


def test_metrics_are_found_under_the_former_name_of_a_stage_too(begun):
    stage = _stage(begun, EXAMPLES["job_started"], EXAMPLES["job_finished"])
    stage.metrics, stage.job = {"acc": 0.9}, {"formerly": "old"}
    assert begun.metrics == {"a.acc": 0.9, "old.acc": 0.9}


def test_a_cached_stage_is_finished_with_what_it_said_when_it_ran(begun):
    stage = _stage(begun, EXAMPLES["job_cached"])
    assert (stage.state, stage.cached, stage.attempt) == ("finished", True, 0)
    assert (stage.points, stage.notes, stage.metrics) == (
        [("loss", 1, 0.5, 3.0)],
        ["old"],
        {"acc": 0.5},
    )


def test_a_stage_that_failed_for_good_has_failed(begun):
    stage = _stage(begun, EXAMPLES["job_started"], EXAMPLES["job_failed"])
    assert (stage.state, stage.failure["message"]) == ("failed", "no")


def test_a_stage_that_will_be_tried_again_waits(begun):
    assert (
        _stage(begun, EXAMPLES["job_started"], {**EXAMPLES["job_failed"], "retry_in_s": 1.0}).state
        == "waiting"
    )


def test_a_second_attempt_begins_with_nothing_of_the_first(begun):
    said = [
        EXAMPLES[name]
        for name in ("job_started", "progress", "metric", "figure", "note", "job_failed")
    ]
    stage = _stage(begun, *said, _event("job_started", **{**STARTED, "attempt": 2}))
    assert (stage.state, stage.attempt) == ("running", 2)
    assert (stage.points, stage.figures, stage.notes, stage.progress, stage.failure) == (
        [],
        [],
        [],
        None,
        None,
    )


def test_a_skipped_stage_says_why(begun):
    stage = _stage(begun, EXAMPLES["job_skipped"])
    assert (stage.state, stage.because) == ("skipped", "b failed")


@pytest.mark.parametrize(
    ("passed", "state"), [(True, "finished"), (None, "finished"), (False, "rejected")]
)
def test_a_gate_that_breaks_rejects_its_stage(begun, passed, state):
    stage = _stage(begun, EXAMPLES["job_cached"], _event("gate", **GATE, passed=passed))
    assert (stage.state, stage.gates) == (state, [{**GATE, "passed": passed}])


def test_a_note_belongs_to_its_stage_or_to_the_run(begun):
    replay(
        [
            _event("note", text="of a"),
            {"event": "note", "time": 2.0, "stage": None, "text": "of the run"},
        ],
        begun,
    )
    assert (begun.notes, begun.stages["a"].notes) == (["of the run"], ["of a"])


def test_a_run_ends_with_its_status(begun):
    replay([EXAMPLES["run_finished"]], begun)
    assert (begun.status, begun.seconds, begun.last_time) == ("failed", 3.0, 2.0)


def test_an_event_of_an_unknown_kind_changes_nothing_but_the_time(begun):
    before = copy.deepcopy(begun)
    replay([{"event": "weather", "time": 9.0, "rain": True, "stage": "nowhere"}], begun)
    assert begun.last_time == 9.0
    begun.last_time = before.last_time
    assert begun == before


EVENTS = st.lists(
    st.sampled_from(sorted(EXAMPLES)).flatmap(
        lambda name: st.sampled_from(STAGES).map(lambda stage: (name, stage))
    ),
    max_size=30,
)


def _drawn(pairs):
    return [START, *({**EXAMPLES[name], "stage": stage} for name, stage in pairs)]


@given(EVENTS)
def test_any_beginning_of_any_journal_can_be_replayed(pairs):
    events = _drawn(pairs)
    for length in range(len(events) + 1):
        assert isinstance(replay(events[:length]).metrics, dict)


@given(EVENTS, st.integers(0, 30))
def test_replaying_in_two_parts_is_replaying_at_once(pairs, cut):
    events = _drawn(pairs)
    assert replay(events[cut:], replay(events[:cut])) == replay(events)


@given(EVENTS)
def test_replaying_changes_no_event(pairs):
    events = _drawn(pairs)
    before = copy.deepcopy(events)
    replay(events)
    assert events == before


def _of_folds(*metrics):
    jobs = [{"stage": f"train@{at}"} for at in range(len(metrics))]
    state = replay([{"event": "run_started", "jobs": jobs, "time": 0}])
    for stage, found in zip(state.stages.values(), metrics, strict=True):
        stage.metrics = found
    return state.metrics


def test_a_metric_of_a_foreach_has_its_mean_and_its_sample_deviation_over_the_values():
    found = _of_folds({"accuracy": 0.8}, {"accuracy": 0.9}, {"accuracy": 1.0})
    assert found["train@1.accuracy"] == 0.9
    assert found["train.accuracy.mean"] == pytest.approx(0.9)
    assert found["train.accuracy.sd"] == pytest.approx(0.1)


def test_a_run_that_leaves_values_out_has_no_mean():
    jobs = [{"stage": "train@1", "values": 3}]
    state = replay([{"event": "run_started", "jobs": jobs, "time": 0}])
    state.stages["train@1"].metrics = {"accuracy": 0.8}
    assert state.metrics == {"train@1.accuracy": 0.8}


def test_a_single_value_has_no_deviation():
    assert _of_folds({"accuracy": 0.8}) == {"train@0.accuracy": 0.8, "train.accuracy.mean": 0.8}


def test_there_is_no_mean_until_all_values_have_the_metric():
    assert _of_folds({"accuracy": 0.8}, {}) == {"train@0.accuracy": 0.8}


@pytest.mark.parametrize("values", [(float("inf"), float("-inf")), (1e308, 1.7e308)])
def test_of_infinite_and_of_huge_values_there_is_no_mean(values):
    assert _of_folds(*({"loss": value} for value in values)).keys() == {
        "train@0.loss",
        "train@1.loss",
    }
