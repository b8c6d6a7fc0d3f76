"""The COCO detector as a Keras network: it agrees with the published file, and starts others."""

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

from engine.stage import StageError

if importlib.util.find_spec("tensorflow") is None:  # not imported here: that takes seconds
    pytest.skip("the extra 'train' is not installed", allow_module_level=True)

MIRROR = Path(os.environ.get("RPI_MLOPS_MIRROR", Path(__file__).parents[4] / "shared/mirror"))
SSD = MIRROR / "models/coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.tflite"
SCALES = (10.0, 10.0, 5.0, 5.0)
CLEAR = 0.5  # score of the detections that are compared
PICTURES = (
    "images/bird.bmp",
    "images/cat.bmp",
    "images/pets.jpg",
    "images/test_couple.jpg",
    "imagenet_samples/340_n02391049_zebra.jpg",
)

pytestmark = [
    pytest.mark.mirror,
    pytest.mark.slow,
    pytest.mark.skipif(
        not SSD.is_file(), reason="RPI_MLOPS_MIRROR names no folder with the COCO SSD"
    ),
]


@pytest.fixture(scope="module")
def copy():
    from stages.detection.training import _weights

    return _weights.coco(SSD, 300)


@pytest.fixture(scope="module")
def original():
    from stages.tflite.model import open_model

    return open_model(SSD)


def _pixels(name):
    from PIL import Image

    picture = Image.open(MIRROR / name).convert("RGB")
    return np.asarray(picture.resize((300, 300), Image.Resampling.BILINEAR))


def _published(original, pixels):
    """Return boxes (n, 4) and scores (n,) of the file's clear detections."""
    values = (pixels[None].astype(np.float32) - 128) / 128
    outputs = list(original.predict({next(iter(original.inputs)): values}).values())
    clear = outputs[2][0] >= CLEAR
    return outputs[0][0][clear], outputs[2][0][clear], outputs[1][0][clear].astype(int)


def _copied(copy, pixels):
    """Return boxes (anchors, 4) and scores (anchors, 90) of the Keras network."""
    from stages.detection.training import _anchors
    from stages.tasks import boxes

    outputs = copy.network.predict(pixels[None].astype(np.float32), verbose=0)
    anchors = _anchors.anchors(copy.sides, _anchors.coco_shapes())
    return boxes.decode(outputs["boxes"][0], anchors, SCALES), outputs["scores"][0][:, 1:]


@pytest.fixture(scope="module")
def highest(copy):
    """Return the highest score that each anchor has in the file: its logits saturate in 8 bits."""
    from stages.detection.training import _anchors
    from stages.tflite.schema import read_model

    tensors = {one.name: one for one in read_model(SSD).subgraphs[0].tensors}
    found = []
    for at, (side, shapes) in enumerate(zip(copy.sides, _anchors.coco_shapes(), strict=True)):
        logits = tensors[f"BoxPredictor_{at}/ClassPredictor/BiasAdd"]
        most = (255 - logits.zero_points[0]) * logits.scales[0]
        found.append(np.full(side * side * len(shapes), 1 / (1 + np.exp(-most))))
    return np.concatenate(found)


@pytest.mark.parametrize("name", PICTURES)
def test_the_copy_agrees_with_the_published_detector_within_two_hundredths(
    copy, original, highest, name
):
    from stages.tasks import boxes

    pixels = _pixels(name)
    wanted, scores, classes = _published(original, pixels)
    found, given = _copied(copy, pixels)
    given = np.minimum(given, highest[:, None])
    assert len(wanted)
    for box, score, kind in zip(wanted, scores, classes, strict=True):
        near = boxes.overlap(found, box[None])[:, 0] > 0.5
        best = np.flatnonzero(near)[given[near, kind].argmax()]
        assert abs(given[best, kind] - score) <= 0.02
        assert np.abs(found[best] - box).max() <= 0.02


def test_a_detector_of_two_classes_starts_with_two_columns_of_the_original(copy):
    from stages.detection.training import _anchors, _network, _weights

    shapes = _anchors.coco_shapes()
    shapes[1] = np.concatenate([shapes[1], shapes[1][:1]])  # one more shape in a map
    detector = _network.build("ssd_mobilenet_v1", 300, 2, shapes)
    _weights.start(detector, copy, shapes, [18, 1])
    pixels = _pixels(PICTURES[0])[None].astype(np.float32)
    found, wanted = (
        one.network.predict(pixels, verbose=0)["scores"][0] for one in (detector, copy)
    )
    np.testing.assert_allclose(found[:1083], wanted[:1083][:, [18, 1]], atol=1e-5)
    cells = found[1083 : 1083 + 700].reshape(100, 7, 2)
    np.testing.assert_allclose(cells[:, 6], cells[:, 0], atol=1e-6)


def test_a_classifier_has_no_weights_for_a_detector():
    from stages.detection.training import _weights

    with pytest.raises(StageError, match=r"set assets\.weights to coco_ssd"):
        _weights.coco(MIRROR / "models/mobilenet_v1_0.25_128_quant.tflite", 300)
