"""Whether a Keras model fits in the AI Camera, with Sony's tools, and without them."""

import json
import zipfile
from types import SimpleNamespace

import pytest

from engine.stage import StageError
from stages.imx500 import _toolkit
from stages.imx500.fit import _random_picture, fit
from tests.stages.imx500.test_layers import layer, model


@pytest.fixture
def tools(monkeypatch):
    """Pretend that Sony's tools are here; what is tested ends before they would run."""
    monkeypatch.setattr(_toolkit, "without_toolkit", lambda: None)
    monkeypatch.setattr(_toolkit, "without_converter", lambda: None)


def test_without_sonys_tools_nothing_is_measured_and_the_report_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(_toolkit, "without_toolkit", lambda: "the toolkit is not installed here")
    fit(tmp_path / "any.keras", tmp_path / "report.json")
    assert json.loads((tmp_path / "report.json").read_text()) == {
        "v": 1,
        "measured": False,
        "why": "the toolkit is not installed here",
        "role": None,
    }


def test_a_file_that_is_no_model_is_refused(tmp_path, tools):
    (tmp_path / "notes.keras").write_text("no model")
    with pytest.raises(StageError, match=r"notes\.keras is no Keras model"):
        fit(tmp_path / "notes.keras", tmp_path / "report.json")


def saved(path, architecture):
    """Write the parts of a .keras file that are read before its weights."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(architecture))
        archive.writestr("model.weights.h5", b"")
    return path


def test_a_model_with_a_layer_that_the_camera_lacks_is_no_mistake_in_the_file(tmp_path, tools):
    recurrent = model(layer("LSTM", "memory", "picture", units=4), outputs=["memory", 0, 0])
    fit(saved(tmp_path / "model.keras", recurrent), tmp_path / "report.json")
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["measured"] is False
    assert "LSTM in the layer 'memory'" in report["why"]
    assert "run it on the processor" in report["why"]


def test_a_damaged_file_is_a_mistake_in_the_file(tmp_path, tools):
    (tmp_path / "model.keras").write_bytes(b"PK\x03\x04")
    with pytest.raises(StageError, match=r"model\.keras"):
        fit(tmp_path / "model.keras", tmp_path / "report.json")


def network(*shapes):
    return SimpleNamespace(inputs=[SimpleNamespace(shape=(None, *each)) for each in shapes])


@pytest.mark.parametrize("shape", [(10,), (20, 4), (8, 8, 4), (4, 8, 8, 3)])
def test_an_input_that_is_no_picture_is_refused_although_the_converter_accepts_it(shape):
    with pytest.raises(StageError, match=r"the camera gives its network a picture: .*width, 3"):
        _random_picture(network(shape))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_coloured_or_grey_picture_is_an_input(channels):
    assert _random_picture(network((8, 4, channels))).shape == (1, 8, 4, channels)


@pytest.mark.parametrize("shapes", [[(None, None, 3)], [(8, 8, 3), (8, 8, 3)]])
def test_a_picture_needs_a_size_and_is_the_only_input(shapes):
    with pytest.raises(StageError, match=r"fixed size|2 inputs"):
        _random_picture(network(*shapes))
