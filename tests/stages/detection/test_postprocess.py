"""A detector that ends in TFLite_Detection_PostProcess finds what the task finds, in both runtimes."""

import importlib.util
import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest

from engine.stage import StageError
from stages.detection.postprocess import postprocess
from stages.tasks import detect
from stages.tflite.model import open_model
from stages.tflite.schema import read_model
from tests.stages.detection import made
from tests.stages.tasks import packages

if importlib.util.find_spec("tensorflow") is None:  # not imported here: that takes seconds
    pytest.skip("the extra 'train' is not installed", allow_module_level=True)

pytestmark = pytest.mark.slow
CONSTANTS = {
    "box_scales": [10.0, 10.0, 5.0, 5.0],
    "iou_threshold": 0.5,
    "most": 20,
    "postprocess": "task",
}
FLOOR = 0.3


@pytest.fixture(scope="module")
def folder(tmp_path_factory, do):
    """A quantised detector with random weights, its anchors and decision, and the stage's output."""
    import keras

    from stages.detection.training import _anchors, _network
    from stages.training import network as training

    keras.utils.set_random_seed(0)
    folder = tmp_path_factory.mktemp("postprocess")
    made.write(folder / "train", 8)
    sizes = np.random.default_rng(0).uniform(0.2, 0.5, (50, 2)).astype(np.float32)
    shapes = _anchors.spread(sizes, _network.SMALL_SHAPES)
    detector = _network.build("small", made.SIZE, 2, shapes)
    for head in detector.class_heads:  # scores of all sizes
        head.bias.assign(np.zeros(head.bias.shape))
        head.kernel.assign(head.kernel * 5)
    training.save(detector.network, folder / "model")
    (folder / "anchors").mkdir()
    np.save(folder / "anchors/anchors.npy", _anchors.anchors(detector.sides, shapes))
    (folder / "decision.json").write_text(json.dumps(CONSTANTS))
    inputs = {"model": folder / "model", "train": folder / "train"}
    done = do("stages.edge.quantise", inputs, input_type="uint8")
    assert done.status == 0, done.error
    (folder / "models").symlink_to(done.out / "models")
    postprocess(folder / "models", folder / "decision.json", folder / "anchors", folder / "decoded")
    return folder


def _found(*arguments):
    """Return the detections, found by a fresh process: TensorFlow disturbs tflite-runtime in its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_detections, *arguments).result()


def _detections(folder, of, form, runtime, postprocess):
    model = open_model(folder / of / "model" / f"{form}.tflite", runtime)
    anchors = np.load(folder / "anchors/anchors.npy")
    constants = {**CONSTANTS, "postprocess": postprocess}
    found = []
    for picture in np.load(folder / "train/picture.npy")[:4]:
        outputs = model.predict({next(iter(model.inputs)): picture[None]})
        one = {name: values[0] for name, values in outputs.items()}
        found.append(detect.found(one, constants, anchors, FLOOR))
    return found


@pytest.mark.parametrize("runtime", ["litert", "tflite_runtime"])
@pytest.mark.parametrize("form", ["int8", "float"])
def test_both_ways_of_decoding_find_the_same(folder, form, runtime):
    ours = _found(folder, "models", form, runtime, detect.TASK)
    theirs = _found(folder, "decoded", form, runtime, detect.TFLITE)
    assert sum(map(len, ours)) > 10
    for one, other in zip(ours, theirs, strict=True):
        assert sorted(one.scores) == pytest.approx(sorted(other.scores), abs=1e-5)
        if (
            form == "int8"
        ):  # many of the 256 scores are equal, and the two ways order those differently
            continue
        nearest = np.abs(one.boxes[:, None] - other.boxes[None]).max(2).min(1)
        assert (nearest < 1e-4).mean() > 0.9  # the last of equal scores may differ


def test_everything_before_the_boxes_stays_in_eight_bits(folder):
    graph = read_model(folder / "decoded/model/int8.tflite").subgraphs[0]
    types = [one.custom_code or one.type for one in graph.operators[-3:]]
    assert types == ["DEQUANTIZE", "DEQUANTIZE", detect.DECODED]
    made_of = [graph.tensors[at] for one in graph.operators[:-3] for at in one.outputs]
    assert {tensor.type for tensor in made_of} == {"INT8"}


def test_the_decoding_detector_passes_the_tasks_check(folder):
    model = open_model(folder / "decoded/model/int8.tflite")
    detect.check_outputs(model.outputs, {"postprocess": detect.TFLITE}, 2, 0)


def test_a_classifier_gets_no_detection_operator(folder, tmp_path):
    (tmp_path / "models/model").mkdir(parents=True)
    classifier = packages.always((1, 8, 8, 3), [0.25, 0.75])
    (tmp_path / "models/model/float.tflite").write_bytes(classifier)
    with pytest.raises(StageError, match="not boxes and scores"):
        postprocess(
            tmp_path / "models", folder / "decision.json", folder / "anchors", tmp_path / "decoded"
        )
