"""An estimator as arrays behind the interface of all models."""

import numpy as np
import pytest

from engine.stage import StageError
from stages.accelerator import open_on
from stages.estimators import archive
from stages.estimators.archive import Written
from stages.tflite import roles
from stages.tflite.model import open_model

STEP = Written(
    "dense",
    {"activation": "identity"},
    {"weights": np.array([[1.0, 0.0], [0.0, 1e-9]]), "bias": np.array([0.5, 0.5])},
)


@pytest.fixture
def folder(tmp_path):
    archive.write(tmp_path / "arrays.npz", [STEP], 2, 2)
    return tmp_path


def test_its_form_is_found_and_runs_on_the_cpu(folder):
    assert roles.files(folder) == {"arrays": folder / "arrays.npz"}
    path, compiled = roles.runnable(roles.files(folder))
    assert path == folder / "arrays.npz" and compiled is None
    for model in (open_model(path), open_on("edgetpu", path, None, "litert")):
        assert (model.accelerator, model.runtime) == ("cpu", f"numpy {np.__version__}")
        assert [str(one) for one in model.inputs.values()] == ["row: float64 [1, 2]"]
        assert [str(one) for one in model.outputs.values()] == ["scores: float64 [1, 2]"]


def test_outputs_keep_what_float32_cannot_tell_apart(folder):
    model = open_model(folder / "arrays.npz", kernels="reference")
    (scores,) = model.predict({"row": np.array([[0, 1]], np.float32)}).values()
    assert scores.dtype == np.float64 and scores[0, 1] > scores[0, 0]
    raw = model.raw_outputs({"row": np.zeros((3, 2))})
    assert raw["scores"].shape == (3, 2) and model.time_ms({"row": np.zeros((1, 2))}) >= 0


def test_an_input_of_another_size_is_refused(folder):
    with pytest.raises(StageError, match=r"row: float64 \[1, 2\]"):
        open_model(folder / "arrays.npz").run({"row": np.zeros((1, 3))})


def test_another_zip_file_is_refused(tmp_path):
    np.savez(tmp_path / "arrays.npz", a=np.zeros(3))
    with pytest.raises(StageError, match="damaged"):
        open_model(tmp_path / "arrays.npz")
