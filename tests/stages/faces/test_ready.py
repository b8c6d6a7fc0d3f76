"""A ready embedder: copied as it is, and its input is found out."""

import pytest

from engine.stage import StageError
from stages.faces import _ready
from stages.tasks.face_input import FaceInput
from tests.stages.tasks import packages


def test_a_float_model_reads_pixels_as_insightface_scales_them(tmp_path):
    file = tmp_path / "net.tflite"
    file.write_bytes(packages.always((1, 112, 96, 3), [1.0, 2.0]))
    assert _ready.is_ready(file) and not _ready.is_ready(tmp_path)
    found = _ready.take(file, tmp_path / "model")
    assert found == FaceInput(112, 96, 0.9, 0.137, 127.5, 128.0)
    assert (tmp_path / "model/float.tflite").read_bytes() == file.read_bytes()
    assert _ready.is_ready(tmp_path / "model")


@pytest.mark.parametrize(
    ("shape", "values", "why"),
    [((1, 8), [1.0, 2.0], "one RGB picture"), ((1, 112, 96, 3), [1.0], "one embedding")],
)
def test_what_is_no_embedder_is_refused(tmp_path, shape, values, why):
    file = tmp_path / "net.tflite"
    file.write_bytes(packages.always(shape, values))
    with pytest.raises(StageError, match=why):
        _ready.take(file, tmp_path / "model")
