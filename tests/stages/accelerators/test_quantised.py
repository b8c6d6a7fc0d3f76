"""What Sony's quantised networks return is decoded to the answers of the packaged TFLite model."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from stages.accelerators import imx500
from stages.tasks import detect
from stages.tasks.task import matched, open_task
from tests.stages.tasks import packages

ROOT = Path(__file__).resolve().parents[3]
LABELS = ["one", "two", "three"]
SIDE = 8  # of the detector's feature map


@pytest.fixture(scope="module")
def made(imx500_python, tmp_path_factory):
    """The folder that quantised.py fills."""
    folder = tmp_path_factory.mktemp("quantised")
    path = f"{imx500_python.parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [imx500_python, Path(__file__).with_name("quantised.py"), folder],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PATH": path},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def _answers(made, kind, task):
    """Return the answers to the camera's tensors and to the pictures."""
    outputs = dict(np.load(made / kind / "outputs.npz"))
    about = {
        "outputs": [
            {"name": name, "shape": [1, *one.shape[1:]], "scale": 1.0, "zero_point": 0}
            for name, one in outputs.items()
        ]
    }
    for at, picture in enumerate(np.load(made / "pictures.npy")):
        tensors = imx500.named([one[at] for one in outputs.values()], about)
        yield task.answer_seen(tensors, picture.shape[:2], None), task.answer(picture, None)


@pytest.mark.timeout(900)
def test_a_quantised_classifiers_probabilities_give_the_packaged_models_answers(made, tmp_path):
    constants = {"size": 32, "fit": "stretch", "threshold": 0.0}
    model = (made / "classifier/float.tflite").read_bytes()
    folder = packages.write(tmp_path / "package", "classify", constants, LABELS, model=model)
    pairs = list(_answers(made, "classifier", open_task(folder)))
    assert len({own["label"] for _, own in pairs}) > 1
    for seen, own in pairs:
        for label in LABELS:
            assert seen["classes"][label] == pytest.approx(own["classes"][label], abs=0.05)


@pytest.mark.timeout(900)
def test_a_quantised_detectors_boxes_give_the_packaged_models_answers(made, tmp_path):
    centres = (np.stack(np.mgrid[:SIDE, :SIDE], -1).reshape(-1, 2) + 0.5) / SIDE
    anchors = np.float32(np.concatenate([centres, np.full_like(centres, 0.3)], 1))
    (tmp_path / "package/data").mkdir(parents=True)
    np.save(tmp_path / "package/data" / detect.ANCHORS, anchors)
    constants = {
        **{"size": 32, "box_scales": [10.0, 10.0, 5.0, 5.0], "postprocess": "task"},
        **{"thresholds": dict.fromkeys(LABELS, 0.5), "iou_threshold": 0.9, "most": 200},
    }
    model = (made / "detector/float.tflite").read_bytes()
    folder = packages.write(tmp_path / "package", "detect", constants, LABELS, model=model)
    task = open_task(folder)
    pairs = [(task.rows(seen), task.rows(own)) for seen, own in _answers(made, "detector", task)]
    expected = sum(len(own) for _, own in pairs)
    alike = sum(len(matched(task, seen, own)) for seen, own in pairs)
    assert expected > 100
    assert alike >= 0.9 * max(expected, sum(len(seen) for seen, _ in pairs))
