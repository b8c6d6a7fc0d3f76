"""The files of a model by form."""

import pytest

from engine.stage import StageError
from stages.tflite import roles
from tests.stages.faces import blazeface_like


def test_a_single_file_has_the_form_of_its_content(tmp_path):
    path = blazeface_like.write(tmp_path / "int8.tflite")
    assert roles.files(path) == {"float": path}


def test_a_compiled_file_needs_the_model_that_it_was_compiled_from(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(b"....TFL3 edgetpu-custom-op")
    with pytest.raises(StageError, match=r"model\.tflite is compiled for the Edge TPU: give"):
        roles.files(path)


def test_a_folder_needs_a_model_for_the_cpu(tmp_path):
    (tmp_path / "edgetpu.tflite").write_bytes(b"")
    with pytest.raises(StageError, match=r"it needs int8\.tflite or float\.tflite"):
        roles.files(tmp_path)
