"""The AI Camera: its output tensors by our names, what it saw of a frame, and that nothing is opened."""

import json
from pathlib import Path

import numpy as np
import pytest

from engine import stage
from engine.stage import StageError
from stages import accelerator
from stages.accelerators import imx500
from stages.imx500 import _dnn_params
from stages.tasks.region import WHOLE, boxes_in
from tests.tflite_models import G, Op, T, write

SONY = Path(__file__).parents[1] / "imx500/made_by_sony"
SENSOR = 0, 0, 4056, 3040
MIDDLE = 508, 0, 3040, 3040  # what Picamera2's set_auto_aspect_ratio() shows a square input
ABOUT = {
    "v": 1,
    "outputs": [
        {"name": "boxes", "shape": [1, 3, 4], "scale": 0.5, "zero_point": 10, "bits": 8},
        {"name": "scores", "shape": [1, 3, 2], "scale": 0.25, "zero_point": 0, "bits": 8},
    ],
}
BOXES = np.arange(12, dtype=np.float32).reshape(3, 4)
SCORES = np.arange(6, dtype=np.float32).reshape(3, 2)


def test_tensors_get_our_names_in_the_cameras_order():
    found = imx500.named([BOXES, SCORES], ABOUT)
    assert list(found) == ["boxes", "scores"]
    assert [one.shape for one in found.values()] == [(1, 3, 4), (1, 3, 2)]
    np.testing.assert_equal(found["boxes"][0], BOXES)


def test_tensors_may_have_a_batch():
    batched = imx500.named([BOXES[None], SCORES[None]], ABOUT)
    np.testing.assert_equal(batched, imx500.named([BOXES, SCORES], ABOUT))


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.int16])
def test_the_sensors_own_numbers_become_values(kind):
    found = imx500.named([BOXES.astype(kind), SCORES.astype(kind)], ABOUT)
    np.testing.assert_allclose(found["boxes"][0], (BOXES - 10) * 0.5)
    np.testing.assert_allclose(found["scores"][0], SCORES * 0.25)
    assert {one.dtype for one in found.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    "tensors",
    [[], [BOXES], [SCORES, BOXES], [BOXES.T, SCORES], [BOXES, SCORES, SCORES], [BOXES, SCORES > 1]],
    ids=["none", "too few", "another order", "transposed", "too many", "not numbers"],
)
def test_the_tensors_of_another_network_are_refused(tensors):
    with pytest.raises(StageError, match="the camera returns") as raised:
        imx500.named(tensors, ABOUT)
    said = str(raised.value)
    assert "but the packed network has boxes [1, 3, 4], scores [1, 3, 2]" in said
    assert "load this package's network into the camera" in said


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_refused(value):
    boxes, scores = np.zeros((3, 4), np.float32), np.full((3, 2), value, np.float32)
    with pytest.raises(StageError, match="output 'scores' has values that are no finite numbers"):
        imx500.named([boxes, scores], ABOUT)


def test_the_packed_description_is_read(tmp_path):
    (tmp_path / imx500.TENSORS).write_text(json.dumps(ABOUT))
    assert imx500.described(tmp_path) == ABOUT


def test_the_converters_own_description_of_a_network_is_understood():
    tensors = _dnn_params.read(SONY / "dnnParams.xml").outputs
    names = tuple(f"output_{at}" for at in range(len(tensors)))
    about = {"outputs": _dnn_params.named(tensors, names)}
    sent = [np.full(one.shape, one.zero_point + 1, np.int16) for one in tensors]
    found = imx500.named(sent, about)
    assert [one.shape for one in found.values()] == [(1, *one.shape) for one in tensors]
    assert [one.max() for one in found.values()] == [np.float32(one.scale) for one in tensors]


def test_a_role_without_a_network_for_the_camera_is_named(tmp_path):
    (tmp_path / "pose").mkdir()
    with pytest.raises(StageError, match="has no network for the AI Camera in pose"):
        imx500.described(tmp_path / "pose")


def one_output(**other):
    output = {"name": "a", "shape": [1, 4], "scale": 1.0, "zero_point": 0, **other}
    return json.dumps({"v": 1, "outputs": [output]})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"v": 1, "outputs": []}',
        '{"v": 1, "outputs": [{}]}',
        '{"v": 1, "outputs": [1]}',
        one_output().replace('"v": 1', '"v": 2'),
        one_output(shape=[-1, 4]),
        one_output(shape=[]),
        one_output(scale=float("nan")),
        one_output(zero_point=float("inf")),
        json.dumps({"v": 1, "outputs": json.loads(one_output())["outputs"] * 2}),
        "[" * 100_000,
    ],
)
def test_a_damaged_description_is_refused(tmp_path, text):
    (tmp_path / imx500.TENSORS).write_text(text)
    with pytest.raises(StageError, match=r"imx500\.json of the package is damaged"):
        imx500.described(tmp_path)


def test_without_crops_the_network_sees_the_whole_frame():
    assert imx500.region(SENSOR, SENSOR) == WHOLE


def test_the_middle_of_the_sensor_is_the_middle_of_the_frame():
    top, left, bottom, right = imx500.region(MIDDLE, SENSOR)
    assert (top, bottom) == (0, 1)
    assert (left, right) == pytest.approx((508 / 4056, 3548 / 4056))


def test_a_cropped_frame_shows_less_than_the_network_sees():
    lower_right = 2028, 1520, 2028, 1520
    assert imx500.region(SENSOR, lower_right) == (-1, -1, 1, 1)
    centre = boxes_in(np.float32([[0.5, 0.5, 1, 1]]), imx500.region(SENSOR, lower_right))
    assert centre.tolist() == [[0, 0, 1, 1]]


def test_a_model_for_the_camera_runs_on_the_cpu_and_the_note_says_why(tmp_path, monkeypatch):
    tensors = [T((1, 5)), T((1, 5))]
    relu = write(tmp_path / "int8.tflite", G(tensors, [Op("RELU", (0,), (1,))]))
    said: list[str] = []
    monkeypatch.setattr(stage, "_send", lambda event: said.append(event["text"]))
    model = accelerator.open_on("imx500", relu, tmp_path / imx500.FILE, "litert")
    assert (model.accelerator, model.called) == ("cpu", "CPU")
    assert said == [
        "the AI Camera's network answers only the camera's own frames; running the int8 model on the CPU"
    ]


def test_the_server_is_always_told_why_the_camera_is_not_used():
    assert "does not read its output tensors" in (imx500.obstacle() or "")


def test_the_card_names_the_models_beside_the_cameras_network():
    models = {"model": {"int8": "x"}, "pose": {"int8": "y", "imx500": "z"}}
    log = {"models": {"pose": {"compiled": True, "by": "imxconv-tf 3.19.2"}}}
    assert imx500.card(log, models) == (
        "`pose` runs in the camera, converted by imxconv-tf 3.19.2; on the Raspberry Pi's CPU: `model`; "
        "Sony's terms for its converter apply to `packerOut.zip`: read them before you distribute it"
    )
