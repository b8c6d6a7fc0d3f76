"""Whether a Keras model fits in the AI Camera, with Sony's tools, and without them."""

import json
from types import SimpleNamespace

import pytest

from engine.stage import StageError
from stages.imx500 import _source, _toolkit
from stages.imx500.fit import fit


def test_without_sonys_tools_nothing_is_measured_and_the_report_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(_toolkit, "without_toolkit", lambda: "the toolkit is not installed here")
    fit(tmp_path / "any.keras", tmp_path / "report.json")
    assert json.loads((tmp_path / "report.json").read_text()) == {
        "v": 1,
        "measured": False,
        "why": "the toolkit is not installed here",
        "role": None,
    }


def test_a_file_that_is_no_model_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(_toolkit, "without_toolkit", lambda: None)
    monkeypatch.setattr(_toolkit, "without_converter", lambda: None)
    (tmp_path / "notes.keras").write_text("no model")
    with pytest.raises(StageError, match=r"notes\.keras is no Keras model"):
        fit(tmp_path / "notes.keras", tmp_path / "report.json")


@pytest.mark.parametrize(
    ("shapes", "says"),
    [
        ([(None, 10)], r"the model's input is \[10\], but the camera gives it pictures"),
        ([(None, 8, 8, 3)] * 2, "the model has 2 inputs"),
        ([(None, None, None, 3)], "the model's input has no fixed size"),
    ],
)
def test_a_network_that_takes_no_picture_is_refused(tmp_path, monkeypatch, shapes, says):
    network = SimpleNamespace(inputs=[SimpleNamespace(shape=each) for each in shapes])
    monkeypatch.setattr(_toolkit, "without_toolkit", lambda: None)
    monkeypatch.setattr(_toolkit, "without_converter", lambda: None)
    monkeypatch.setattr(_source, "opened", lambda path: _source.Opened(network, ("output",)))
    (tmp_path / "model.keras").write_bytes(b"PK\x03\x04")
    with pytest.raises(StageError, match=says):
        fit(tmp_path / "model.keras", tmp_path / "report.json")
