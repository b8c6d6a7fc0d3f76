"""Each task names the outputs that it needs, and refuses a model that has others before it is packed."""

import pytest

from engine.stage import StageError
from stages.tasks import detect
from stages.tasks.signature import check_task
from stages.tflite.tensor import Tensor

LABELS = {"labels": 3}
RAW, DECODED = {"postprocess": "task"}, {"postprocess": "tflite"}


def model(**shapes):
    return {name: Tensor(name, shape, "int8") for name, shape in shapes.items()}


CLASSIFIER = model(probabilities=(1, 3))
DETECTOR = model(boxes=(1, 9, 4), scores=(1, 9, 3))
DECODING = {
    name: Tensor(name, shape, "float32")
    for name, shape in zip(
        detect.DECODED_OUTPUTS, ((1, 10, 4), (1, 10), (1, 10), (1,)), strict=True
    )
}
# what export_inference_graph of the TensorFlow Object Detection API writes, with its input `image_tensor`
SERVER = model(
    detection_boxes=(1, 100, 4),
    detection_classes=(1, 100),
    detection_scores=(1, 100),
    num_detections=(1,),
)


@pytest.mark.parametrize(
    ("task", "constants", "outputs"),
    [
        ("classify", {}, CLASSIFIER),
        ("classify", {"head": {}}, model(embedding=(1, 1, 1, 1024))),
        ("activity", {}, CLASSIFIER),
        ("detect", RAW, DETECTOR),
        ("detect", {**RAW, "classes": [0, 17, 5]}, model(boxes=(1, 9, 4), scores=(1, 9, 90))),
        ("detect", DECODED, DECODING),
        ("tensors", {}, SERVER),
    ],
    ids=["classify", "last layer", "activity", "detect", "classes", "decoding", "tensors"],
)
def test_a_model_with_the_outputs_of_the_task_is_accepted(task, constants, outputs):
    check_task(task, {"model": outputs}, constants, LABELS)


@pytest.mark.parametrize(
    ("task", "constants", "outputs", "wanted"),
    [
        ("classify", {}, DETECTOR, "a picture classifier with one output [1, 3 labels]"),
        ("classify", {}, model(probabilities=(1, 4)), "one output [1, 3 labels]"),
        ("classify", {"head": {}}, DETECTOR, "a picture into an embedding with one output"),
        ("activity", {}, DETECTOR, "an activity classifier with one output [1, 3 labels]"),
        ("detect", RAW, CLASSIFIER, "a detector with boxes [1, anchors, 4] and scores"),
        ("detect", RAW, model(boxes=(1, 9, 4), scores=(1, 8, 3)), "scores [1, anchors, 3 labels]"),
        ("detect", RAW, DECODING, "a detector with boxes [1, anchors, 4] and scores"),
        ("detect", RAW, SERVER, "a detector with boxes [1, anchors, 4] and scores"),
        ("detect", DECODED, SERVER, "TFLite_Detection_PostProcess [1, detections, 4]"),
        ("detect", DECODED, DETECTOR, "TFLite_Detection_PostProcess [1, detections, 4]"),
    ],
    ids=[
        "a detector as a classifier",
        "a classifier of other labels",
        "a detector as an extractor",
        "a detector as an activity classifier",
        "a classifier as a detector",
        "boxes and scores of other anchors",
        "decoded boxes as raw ones",
        "a server's export as raw boxes",
        "a server's export as decoded boxes",
        "raw boxes as decoded ones",
    ],
)
def test_a_model_with_other_outputs_is_refused(task, constants, outputs, wanted):
    with pytest.raises(StageError) as raised:
        check_task(task, {"model": outputs}, constants, LABELS)
    said = str(raised.value)
    assert said.startswith(f"the task '{task}' needs ") and wanted in said
    assert all(str(one) in said for one in outputs.values())


def test_each_role_has_its_own_needs():
    with pytest.raises(StageError, match=r"needs MoveNet with one output \[1, 1, 17, 3\]"):
        check_task("activity", {"model": CLASSIFIER, "pose": CLASSIFIER}, {}, LABELS)
