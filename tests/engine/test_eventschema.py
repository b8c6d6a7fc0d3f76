"""Valid and invalid events, reports of stages, results and records."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import eventschema
from engine.events import FIELDS
from engine.jsontypes import TEXT_MOST

METRIC = {"event": "metric", "name": "loss", "value": 0.5, "step": 1, "time": 7.0}
STAMP = {"v": 1, "seq": 0, "time": 1.0}
RECORD = {
    "v": 1,
    "fingerprint": "ab" * 32,
    "stage": "s",
    "parts": {"source": {}},
    "outputs": {"x": "file:" + "0" * 64},
    "metrics": {"a": 1.0},
    "points": [["loss", 1, 0.5, 7.0]],
    "figures": [],
    "notes": ["n"],
    "seconds": 1.0,
    "platform": "",
    "emulated": False,
    "measured_on": "",
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def test_a_stages_word_has_the_fields_of_its_kind_and_no_more():
    assert eventschema.report({**METRIC, "stage": "other", "seq": 3, "more": 1}) == METRIC


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"name": 123}, "metric.name: Input should be a valid string"),
        ({"name": ""}, "metric.name: String should have at least 1 character"),
        ({"step": 2**70}, "metric.step: Input should be less than or equal to 9007199254740992"),
        ({"step": True}, "metric.step: Input should be a valid integer"),
        ({"value": 10**400}, "metric.value: Input should be a valid number"),
        ({"time": float("inf")}, "metric.time: Input should be a finite number"),
        ({"event": "job_finished"}, "an event is one of progress, metric, note, figure"),
        ({"event": ["note"]}, "an event is one of progress, metric, note, figure"),
    ],
)
def test_what_is_wrong_with_a_stages_word_is_reported(change, what):
    with pytest.raises(ValueError, match=f"^{what}"):
        eventschema.report({**METRIC, **change})


@pytest.mark.parametrize(
    "figure",
    [
        {"kind": "confusion_matrix", "labels": ["a"], "matrix": [[1, 2]]},
        {"kind": "confusion_matrix", "labels": ["a", "b"], "matrix": [[1, 2]]},
        {"kind": "op_graph", "nodes": [], "edges": [[0, 1]]},
        {"kind": "op_graph", "nodes": [{"type": 1}], "edges": []},
        {"kind": "globe"},
        {"kind": []},
    ],
)
def test_a_figure_whose_parts_do_not_belong_together_is_none(figure):
    with pytest.raises(ValueError, match=r"^figure"):
        eventschema.report({"event": "figure", "name": "f", "time": 1.0, **figure})


def test_a_long_sentence_is_cut_and_bytes_that_are_not_utf_8_are_shown():
    said = eventschema.report(
        {"event": "note", "text": "caf\udce9\ud800" + "x" * 20_000, "time": 1.0}
    )
    assert len(said["text"]) == TEXT_MOST
    assert said["text"].startswith("caf\\xe9\ufffdxxx") and said["text"].endswith("x ...")


def test_an_event_of_a_newer_version_is_as_it_is():
    newer = {**STAMP, "v": 2, "event": "moon_rose", "phase": [1]}
    assert eventschema.checked(newer) == newer
    assert (
        eventschema.checked({**STAMP, "event": "note", "text": "x", "stage": None, "more": 1})[
            "more"
        ]
        == 1
    )


@pytest.mark.parametrize("kind", ["globe", "confusion_matrix"])
def test_a_figure_of_another_version_is_an_event_and_part_of_a_record(kind):
    figure = {"kind": kind, "name": "f", "phase": [1]}
    event = {**STAMP, "event": "figure", "stage": "s", **figure}
    assert eventschema.checked(event) == event
    assert eventschema.is_record({**RECORD, "figures": [figure]})


@pytest.mark.parametrize("kind", FIELDS)
def test_an_event_that_lacks_its_fields_is_none(kind):
    assert eventschema.checked({**STAMP, "event": kind}) is None


@given(JSON)
def test_no_json_at_all_ends_a_check_with_another_error(data):
    eventschema.checked(data)
    eventschema.result(data)
    eventschema.is_record(data)
    with pytest.raises(ValueError, match=r".+"):
        eventschema.report(data)


@given(st.sampled_from([kind for kind in FIELDS if FIELDS[kind]]), st.data())
def test_an_event_of_any_values_is_one_or_none(kind, data):
    event = {**STAMP, "event": kind, **{name: data.draw(JSON) for name in FIELDS[kind]}}
    found = eventschema.checked(event)
    assert found is None or found["event"] == kind


def test_a_record_is_one():
    assert eventschema.is_record(RECORD)


@pytest.mark.parametrize(
    "change",
    [
        {"points": [[123, 0, 1.0, 1.0]]},
        {"points": [["a", 0, 1.0]]},
        {"outputs": {"x": "file:../../etc"}},
        {"outputs": {"../x": "file:" + "0" * 64}},
        {"metrics": {"a": float("nan")}},
        {"metrics": {"a": "1"}},
        {"notes": [1]},
        {"seconds": None},
        {"figures": [{"kind": "globe"}]},
        {"stage": "../s"},
    ],
)
def test_a_record_of_odd_values_is_none(change):
    assert not eventschema.is_record({**RECORD, **change})


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ({"metrics": {"a": 1}}, {"metrics": {"a": 1.0}}),
        ({"error": "no"}, {"error": "no"}),
        ({"exit_status": 3}, {"exit_status": 3}),
        ({"metrics": {"a": float("inf")}}, {}),
        ({"metrics": [1]}, {}),
        ({"error": 1}, {}),
        ([], {}),
        ({"metrics": {"a": True}}, {}),
    ],
)
def test_a_result_is_what_engine_stage_writes(data, found):
    assert eventschema.result(data) == found
