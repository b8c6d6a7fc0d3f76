"""What counts as equal, and how a difference is measured."""

import base64
import copy
import json

import numpy as np
import pytest

from engine.stage import StageError
from stages.containers import _compare


def _tensor(values, kind="int8"):
    array = np.array(values, kind)
    return {
        "name": "t",
        "type": kind,
        "shape": list(array.shape),
        "data": base64.b64encode(array.tobytes()).decode(),
    }


def _outputs(reference, default, runtimes=("tflite_runtime",), sha256="a"):
    runs = {
        runtime: {
            kind: {"seconds": 0.1, "outputs": [[tensor]]}
            for kind, tensor in (("reference", reference), ("default", default))
        }
        for runtime in runtimes
    }
    return {
        "v": 1,
        "machine": "m",
        "versions": {},
        "models": {"net": {"sha256": sha256, "runs": runs}},
    }


def test_the_same_outputs_have_no_difference():
    same = _outputs(_tensor([1, 2]), _tensor([1, 2]))
    assert _compare.compare(same, copy.deepcopy(same)) == _compare.Comparison(0, 0, 0, 1)


def test_the_default_kernels_difference_is_counted_in_steps():
    found, expected = (
        _outputs(_tensor([1, 2]), _tensor([1, -100])),
        _outputs(_tensor([1, 2]), _tensor([1, 100])),
    )
    assert _compare.compare(found, expected) == _compare.Comparison(200, 1, 102, 1)


def test_one_bit_under_the_reference_kernels_is_a_failure():
    found, expected = (
        _outputs(_tensor([1, 2]), _tensor([1, 2])),
        _outputs(_tensor([1, 3]), _tensor([1, 2])),
    )
    with pytest.raises(
        StageError,
        match="net: tflite_runtime with the reference kernels differs from what is expected with "
        "tflite_runtime",
    ):
        _compare.compare(found, expected)


def test_the_runtimes_of_an_image_are_compared_with_one_another():
    found = _outputs(_tensor([1]), _tensor([1]), ("litert", "tflite_runtime"))
    found["models"]["net"]["runs"]["litert"]["reference"]["outputs"] = [[_tensor([2])]]
    with pytest.raises(StageError, match="differs from this image with"):
        _compare.compare(found, None)


def test_minus_zero_is_not_zero():
    with pytest.raises(StageError, match="computes wrong results"):
        _compare.compare(
            _outputs(_tensor([0.0], "float32"), _tensor([1])),
            _outputs(_tensor([-0.0], "float32"), _tensor([1])),
        )


def test_another_shape_or_number_of_outputs_is_a_difference():
    with pytest.raises(StageError, match="computes wrong results"):
        _compare.compare(
            _outputs(_tensor([[1, 2]]), _tensor([1])), _outputs(_tensor([1, 2]), _tensor([1]))
        )


def test_floats_have_no_steps_and_still_differ():
    found = _outputs(_tensor([1]), _tensor([1.5], "float32"))
    expected = _outputs(_tensor([1]), _tensor([2.5], "float32"))
    assert _compare.compare(found, expected) == _compare.Comparison(0, 1, 0, 1)


def test_outputs_of_other_models_are_refused_by_name():
    found, expected = (
        _outputs(_tensor([1]), _tensor([1])),
        _outputs(_tensor([1]), _tensor([1]), sha256="b"),
    )
    with pytest.raises(StageError, match="to other models: net"):
        _compare.compare(found, expected)


def test_a_runtime_that_the_other_has_not_is_compared_with_the_references_alone():
    found = _outputs(_tensor([1]), _tensor([5]), ("litert",))
    assert _compare.compare(found, _outputs(_tensor([1]), _tensor([1]))) == _compare.Comparison(
        0, 0, 4, 0
    )


def test_an_image_without_a_runtime_is_refused():
    with pytest.raises(StageError, match="contains no runtime"):
        _compare.parse(json.dumps(_outputs(_tensor([1]), _tensor([1]), ())).encode(), "it")


@pytest.mark.parametrize(
    "change",
    [
        {"models": 3},
        {"models": {"net": {}}},
        {"models": {"net": {"sha256": "a", "runs": {"litert": {}}}}},
        {
            "models": {
                "net": {
                    "sha256": "a",
                    "runs": {"litert": {"reference": {"seconds": "x", "outputs": []}}},
                }
            }
        },
        {
            "models": {
                "net": {
                    "sha256": "a",
                    "runs": {
                        "litert": {
                            "reference": {
                                "seconds": 1,
                                "outputs": [[{"type": "O", "shape": [1], "data": "AA=="}]],
                            }
                        }
                    },
                }
            }
        },
        {
            "models": {
                "net": {
                    "sha256": "a",
                    "runs": {
                        "litert": {
                            "reference": {
                                "seconds": 1,
                                "outputs": [[{"type": "int8", "shape": [9], "data": "AA=="}]],
                            }
                        }
                    },
                }
            }
        },
        {
            "models": {
                "net": {
                    "sha256": "a",
                    "runs": {
                        "litert": {
                            "reference": {
                                "seconds": 1,
                                "outputs": [[{"type": "int8", "shape": [1], "data": "*"}]],
                            }
                        }
                    },
                }
            }
        },
    ],
)
def test_what_is_no_output_of_a_smoke_test_is_one_sentence(change):
    with pytest.raises(StageError, match="it are not the outputs of a smoke test"):
        _compare.parse(json.dumps(_outputs(_tensor([1]), _tensor([1])) | change).encode(), "it")


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b"[" * 100_000, b"{}"])
def test_what_is_no_json_is_one_sentence(content):
    with pytest.raises(StageError, match="it are not the outputs of a smoke test"):
        _compare.parse(content, "it")
