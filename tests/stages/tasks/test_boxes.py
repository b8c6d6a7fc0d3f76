"""Boxes: encoding, overlap and suppression, compared with plain loops and with TFLite's own operator."""

import os
from pathlib import Path

import numpy as np
import pytest

from stages.tasks import boxes
from stages.tasks.boxes import Detections

SCALES = (10.0, 10.0, 5.0, 5.0)
MIRROR = Path(os.environ.get("RPI_MLOPS_MIRROR", Path(__file__).parents[4] / "shared/mirror"))
SSD = MIRROR / "models/coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.tflite"


def _random(count, seed=0):
    """Return boxes (count, 4) that often overlap."""
    chance = np.random.default_rng(seed)
    corners, sides = chance.uniform(0, 0.7, (count, 2)), chance.uniform(0.1, 0.4, (count, 2))
    return np.concatenate([corners, corners + sides], 1).astype(np.float32)


def _detections(count, classes, seed=0):
    chance = np.random.default_rng(seed + 1)
    scores = chance.uniform(0.05, 1, count).astype(np.float32)
    return Detections(_random(count, seed), scores, chance.integers(0, classes, count))


def _iou(a, b):
    height = min(a[2], b[2]) - max(a[0], b[0])
    width = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(height, 0) * max(width, 0)
    areas = [(one[2] - one[0]) * (one[3] - one[1]) for one in (a, b)]
    return shared / (sum(areas) - shared)


def _suppressed(found, threshold, most):
    """Return the indexes that a plain loop over sorted pairs keeps."""
    kept = []
    for at in np.argsort(-found.scores, kind="stable"):
        better = [one for one in kept if found.classes[one] == found.classes[at]]
        if all(_iou(found.boxes[one], found.boxes[at]) <= threshold for one in better):
            kept.append(int(at))
    return kept[:most]


def test_decoding_reverses_encoding():
    wanted, anchors = _random(50), np.random.default_rng(2).uniform(0.1, 0.9, (50, 4))
    found = boxes.decode(boxes.encode(wanted, anchors, SCALES), anchors, SCALES)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_an_offset_of_zero_is_the_anchor_itself():
    anchors = np.float32([[0.5, 0.4, 0.2, 0.6]])
    found = boxes.decode(np.zeros((1, 4)), anchors, SCALES)
    np.testing.assert_allclose(found, [[0.4, 0.1, 0.6, 0.7]], atol=1e-6)
    np.testing.assert_allclose(found, boxes.corners(anchors), atol=1e-6)


def test_a_huge_offset_does_not_overflow():
    found = boxes.decode(np.full((1, 4), 1e6), np.full((1, 4), 0.5), SCALES)
    assert np.isfinite(found).all()


def test_overlap_is_intersection_over_union():
    some, others = _random(20), _random(30, 5)
    wanted = [[_iou(a, b) for b in others] for a in some]
    np.testing.assert_allclose(boxes.overlap(some, others), wanted, atol=1e-6)


def test_an_empty_box_overlaps_nothing():
    empty = np.zeros((1, 4), np.float32)
    assert boxes.overlap(empty, empty) == 0


@pytest.mark.parametrize("seed", range(5))
def test_suppression_keeps_what_a_plain_loop_keeps(seed):
    found = _detections(200, 3, seed)
    kept = _suppressed(found, 0.5, 40)
    done = boxes.suppress(found, 0.5, 40)
    np.testing.assert_array_equal(done.scores, found.scores[kept])
    np.testing.assert_array_equal(done.classes, found.classes[kept])
    np.testing.assert_array_equal(done.boxes, found.boxes[kept])


def test_suppression_ends_with_empty_boxes_too():
    found = Detections(np.zeros((3, 4), np.float32), np.ones(3, np.float32), np.zeros(3, np.int64))
    assert len(boxes.suppress(found, 0.5, 10)) == 3


def test_boxes_are_clipped_and_those_outside_dropped():
    outside = np.float32([[-0.5, 0.2, 0.5, 1.5], [1.2, 0, 1.4, 1]])
    found = boxes.clipped(Detections(outside, np.ones(2, np.float32), np.zeros(2, np.int64)))
    np.testing.assert_allclose(found.boxes, [[0, 0.2, 0.5, 1]])


@pytest.mark.mirror
@pytest.mark.skipif(not SSD.is_file(), reason="RPI_MLOPS_MIRROR names no folder with the COCO SSD")
def test_decoding_and_suppression_are_those_of_the_operator_of_tflite():
    """Its fast suppression looks at the best class of each anchor, and at all classes together."""
    raw, wanted = _run_ssd(MIRROR / "images/pets.jpg")
    scores = raw["scores"][:, 1:].max(1)  # without the background
    likely = scores > 0.05
    corners = boxes.decode(raw["boxes"][likely], raw["anchors"][likely], SCALES)
    zeros = np.zeros(len(corners), np.int64)
    found = boxes.suppress(Detections(corners, scores[likely], zeros), 0.6, 10)
    assert len(found) >= 2
    np.testing.assert_allclose(found.boxes, wanted["boxes"][: len(found)], atol=1e-5)
    np.testing.assert_allclose(found.scores, wanted["scores"][: len(found)], atol=1e-6)


def _run_ssd(picture):
    """Return the operator's inputs as values, and its outputs."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
    from PIL import Image

    model = Interpreter(
        model_path=str(SSD),
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    model.allocate_tensors()
    pixels = np.asarray(Image.open(picture).convert("RGB").resize((300, 300)))
    model.set_tensor(model.get_input_details()[0]["index"], pixels[None])
    model.invoke()
    results = [np.array(model.get_tensor(one["index"])) for one in model.get_output_details()]
    tensors = {one["name"]: one for one in model.get_tensor_details()}
    names = {"boxes": "Squeeze", "scores": "convert_scores", "anchors": "anchors"}
    raw = {name: _values(model, tensors[tensor]) for name, tensor in names.items()}
    return raw, {"boxes": results[0][0], "scores": results[2][0]}


def _values(model, about):
    scale, zero = about["quantization"]
    numbers = np.squeeze(np.array(model.get_tensor(about["index"]))).astype(np.float32)
    return (numbers - zero) * scale
