"""How pixels are scaled for a model if the user does not specify it."""

import json
import zipfile

import h5py
import pytest

from stages.edge import _pixels
from stages.edge._sources import Source
from stages.tflite.tensor import Tensor

FLOAT = Tensor("x", (1, 4, 4, 3), "float32", 0.0, 0)


def network(*layers):
    """Return a network as Keras saves it, with these layers inside a nested one."""
    inner = [{"class_name": name, "config": config} for name, config in layers]
    nested = {"class_name": "Functional", "config": {"layers": inner}}
    return json.dumps({"class_name": "Sequential", "config": {"layers": [nested]}})


def saved(path, kind, text):
    """Save the network's configuration in each format."""
    if kind == "architecture":
        path.mkdir()
        (path / "architecture.json").write_text(text)
    elif kind == "keras":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", text)
    else:
        with h5py.File(path, "w") as file:
            file.attrs["model_config"] = text
    return Source(kind, path)


@pytest.mark.parametrize("kind", ["keras", "h5", "architecture"])
def test_a_network_that_rescales_gets_pixels(tmp_path, kind):
    source = saved(tmp_path / "m", kind, network(("Rescaling", {"scale": 1 / 127.5})))
    chosen, remark = _pixels.scaling(FLOAT, source, None, None)
    assert chosen == {"mean": 0, "deviation": 1} and "Rescaling layer" in remark


@pytest.mark.parametrize(
    "layers",
    [
        [],
        [("Rescaling", {"scale": 2.0})],  # expects 0..1
        [("Rescaling", {"scale": [2.0, 2.1, 2.2]})],
        [("Dense", {"units": 2})],
    ],
)
def test_else_pixels_become_0_to_1_and_the_user_is_told_how_to_change_it(tmp_path, layers):
    source = saved(tmp_path / "m", "keras", network(*layers))
    chosen, remark = _pixels.scaling(FLOAT, source, None, None)
    assert chosen == {"mean": 0, "deviation": 255}
    assert "a guess" in remark and "params.mean=127.5 params.deviation=127.5" in remark


def test_what_the_user_says_is_used_without_a_remark(tmp_path):
    source = saved(tmp_path / "m", "keras", network(("Rescaling", {"scale": 1 / 255})))
    chosen = _pixels.scaling(FLOAT, source, 127.5, 127.5)
    assert chosen == ({"mean": 127.5, "deviation": 127.5}, "")


@pytest.mark.parametrize(
    ("kind", "zero", "mean"), [("uint8", 128, 128.0), ("int8", -1, 127.0)], ids=["uint8", "int8"]
)
def test_a_quantised_model_gets_pixels(tmp_path, kind, zero, mean):
    tensor = Tensor("x", (1, 4, 4, 3), kind, 1 / 128, zero)
    chosen = _pixels.scaling(tensor, Source("tflite", tmp_path), None, None)
    assert chosen == ({"mean": mean, "deviation": 128.0}, "")
