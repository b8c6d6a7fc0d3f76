"""The figures of a stage: the engine accepts and draws what its functions send."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import eventschema, figure_kinds, figure_page, stage
from engine.stage import figures

ROOT = Path(__file__).resolve().parents[3]
PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff"


@pytest.fixture
def sent(monkeypatch):
    """What a stage sends, validated by the engine: a figure that does not fit its kind raises."""
    found = []

    def send(event):
        line = json.loads(json.dumps({**event, "time": 1.0}))
        said = eventschema.report(line)
        found.append({key: value for key, value in said.items() if key not in ("event", "time")})

    monkeypatch.setattr(stage, "_send", send)
    return found


def test_a_confusion_matrix_may_come_from_numpy(sent):
    figures.confusion_matrix("m", np.array(["a", "b"]), np.array([[1.0, 0], [2, 3]]))
    figures.confusion_matrix("t", (1, 2), [[np.int64(1), 0], [2, True]])
    assert [one["matrix"] for one in sent] == [[[1, 0], [2, 3]], [[1, 0], [2, 1]]]
    assert [one["labels"] for one in sent] == [["a", "b"], ["1", "2"]]


def test_a_graph_of_operators_may_come_in_any_iterables(sent):
    node = {"type": "ADD", "mapped": np.bool_(False), "reason": "no", "index": 3}
    figures.op_graph("g", (one for one in [node, node]), {(0, 1)})
    assert sent[0]["nodes"] == [{"type": "ADD", "mapped": False, "reason": "no"}] * 2
    assert sent[0]["edges"] == [[0, 1]]
    assert "accelerator" not in sent[0]


def test_a_graph_of_operators_says_what_the_accelerator_is_called(sent):
    figures.op_graph("g", [], [], "Edge TPU")
    assert sent[0]["accelerator"] == "Edge TPU"


def test_what_is_no_number_is_a_gap_of_a_curve(sent):
    values = np.array([1.0, np.nan, np.inf, 2.0], np.float32)
    figures.curves("c", {"a": (np.arange(4), values)}, x="epoch", y="loss", y_unit="%")
    assert sent[0]["series"] == [{"name": "a", "x": [0, 1, 2, 3], "y": [1.0, None, None, 2.0]}]
    assert (sent[0]["x"], sent[0]["x_unit"], sent[0]["y_unit"]) == ("epoch", None, "%")


def test_a_long_curve_is_thinned_and_keeps_its_end(sent):
    figures.curves("c", {"a": (np.arange(100_001), np.zeros(100_001))}, x="x", y="y")
    [series] = sent[0]["series"]
    assert len(series["x"]) <= figures.CURVE_POINTS + 1 and series["x"][-1] == 100_000


def test_a_curve_with_another_number_of_values_is_refused():
    with pytest.raises(ValueError, match=r"^a: 2 values of x, 1 of y"):
        figures.curves("c", {"a": ([1, 2], [1])}, x="x", y="y")


def test_a_histogram_is_what_numpy_returns(sent):
    counts, edges = np.histogram([1, 2, 2, 3], 3)
    figures.histogram("h", edges, {"a": counts}, x="latency", x_unit="ms")
    assert sent[0]["series"] == [{"name": "a", "counts": [1, 2, 1]}] and sent[0]["y"] == "count"


def test_a_table_takes_any_values_and_columns_with_and_without_a_unit(sent):
    row = ["cat", np.float32(0.5), float("nan"), None, np.bool_(True)]
    figures.table("t", ["class", ("recall", "%"), "c", "d", "e"], [row, np.zeros(5)])
    assert sent[0]["columns"][:2] == [
        {"name": "class", "unit": None},
        {"name": "recall", "unit": "%"},
    ]
    assert sent[0]["rows"] == [["cat", 0.5, "nan", None, True], [0.0] * 5]


def test_pictures_come_as_paths_or_bytes(sent, tmp_path):
    (tmp_path / "a.png").write_bytes(PNG)
    pictures = [(tmp_path / "a.png", "a"), (str(tmp_path / "a.png"), "b"), (JPEG, "c")]
    figures.picture_grid("p", pictures)
    assert [one["caption"] for one in sent[0]["pictures"]] == ["a", "b", "c"]


def test_a_picture_that_is_too_large_or_none_is_left_out_with_a_note(sent):
    large = PNG + b"0" * figures.PICTURE_BYTES
    figures.picture_grid("p", [(large, "large"), (b"GIF89a", "gif"), (JPEG, "good")])
    note, grid = sent
    assert note["text"].startswith(
        "p: 2 of 3 pictures are not shown: a grid has at most 100 PNG or JPEG"
    )
    assert [one["caption"] for one in grid["pictures"]] == ["good"]


def test_as_many_pictures_as_a_grid_takes_are_one_that_the_engine_accepts(sent):
    large = PNG + b"0" * (figures.PICTURE_BYTES - len(PNG))
    figures.picture_grid("by size", [(large, "x")] * 20)
    figures.picture_grid("by number", [(PNG, "x")] * 200)
    assert [len(one["pictures"]) for one in sent if "pictures" in one] == [10, 100]


def test_any_kind_is_sent_by_its_name_and_its_fields(sent):
    example = figure_kinds.of("histogram").EXAMPLE
    stage.figure("histogram", "h", **example)
    assert "undrawn" not in figure_page.fragment(sent[0])


def test_a_field_may_not_change_what_kind_of_event_it_is(monkeypatch):
    found = []
    monkeypatch.setattr(stage, "_send", found.append)
    stage.figure("globe", "g", event="job_finished", kind="x")
    assert found == [{"event": "figure", "kind": "globe", "name": "g"}]


def test_the_example_of_the_documentation_reports_a_figure_of_every_kind(
    sent, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "how-to" / "add-a-stage.md").read_text(encoding="utf-8")
    [example] = [
        code for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "def show(" in code
    ]
    scope: dict[str, Any] = {}
    exec(example, scope)
    scope["show"](tmp_path / "done")
    assert {one["kind"] for one in sent if "kind" in one} >= {
        "confusion_matrix",
        "curves",
        "histogram",
        "op_graph",
        "picture_grid",
        "table",
    }


def test_a_bare_call_sends_nothing():
    figures.table("t", ["a"], [[1]])


def test_bars_have_a_name_a_value_and_a_range(sent):
    figures.bars("b", [("alcohol", np.float32(0.5), 0.25, 0.75)], x="importance", x_unit="MAD")
    [bar] = sent[0]["bars"]
    assert bar == {"name": "alcohol", "value": 0.5, "low": 0.25, "high": 0.75}
