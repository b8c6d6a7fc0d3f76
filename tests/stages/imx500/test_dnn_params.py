"""dnnParams.xml, as Sony's converter wrote it for MobileNetV2, describes the tensors in the camera."""

from pathlib import Path

import pytest

from engine.stage import StageError
from stages.imx500 import _dnn_params

MADE = Path(__file__).parent / "made_by_sony" / "dnnParams.xml"


def test_the_input_is_described():
    (found,) = _dnn_params.read(MADE).inputs
    assert (found.name, found.shape) == ("input_1:0", (224, 224, 3))
    assert (found.format, found.scale, found.zero_point, found.bits) == ("unsigned", 1 / 256, 0, 8)


def test_an_output_gets_our_name_and_a_batch():
    rows = _dnn_params.named(_dnn_params.read(MADE).outputs, ("probabilities",))
    assert rows == [
        {
            "name": "probabilities",
            "shape": [1, 10],
            "format": "unsigned",
            "scale": 1 / 256,
            "zero_point": 0,
            "bits": 8,
        }
    ]


def test_the_memory_of_the_chip_is_read():
    assert _dnn_params.read(MADE).memory_bytes == 8388480


def test_outputs_are_in_the_order_of_their_ordinals(tmp_path):
    text = MADE.read_text()
    one = text[text.index("<outputTensor ") : text.index("</outputTensors>")]
    other = one.replace('ordinal="0" name="transform-0', 'ordinal="1" name="second-0')
    path = tmp_path / "dnnParams.xml"
    path.write_text(text.replace(one, other + one))
    names = [tensor.name[:6] for tensor in _dnn_params.read(path).outputs]
    assert names == ["transf", "second"]


def test_another_number_of_outputs_is_refused():
    with pytest.raises(StageError, match="1 tensors, but the network has 2: boxes, scores"):
        _dnn_params.named(_dnn_params.read(MADE).outputs, ("boxes", "scores"))


@pytest.mark.parametrize("text", ["", "<dnnParams/>", "<a"])
def test_any_other_file_is_refused(tmp_path, text):
    (tmp_path / "dnnParams.xml").write_text(text)
    with pytest.raises(StageError, match="does not describe one network"):
        _dnn_params.read(tmp_path / "dnnParams.xml")
