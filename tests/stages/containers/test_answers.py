"""What published models answer through their tasks on each platform, on the same decoded frames: with
the same runtime, the answers of arm64 and arm/v7, in the image `runtime` under QEMU, are equal to the
bit; those of x86 agree as far as `verify` wants them to.

The models are integer models from input to output. Operators that quantise inside of a model round
differently on arm/v7 (seen with MobileFaceNet, whose PReLU layers are float).
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.containers.options import bind, emulation
from stages.edge import _agreement
from stages.media.video import open_video
from stages.tasks import faces
from stages.tasks.face_input import FaceInput
from stages.tasks.keypoints import encoding
from stages.tasks.keypoints.movenet import MoveNet
from stages.tasks.task import open_task
from stages.tflite.model import open_model
from tests.stages.tasks import packages

ROOT = Path(__file__).resolve().parents[3]
MIRROR = Path(os.environ.get("RPI_MLOPS_MIRROR", ROOT.parent / "shared/mirror"))
MODELS = MIRROR / "models"
ARM64, ARMV7 = "linux/arm64", "linux/arm/v7"
EXERCISE = 12, 10  # frames, and of how many one; three windows
PEOPLE = "faces/orl", "s1*/1.*", (184, 224)
FACE_MODELS = "blazeface_front_128_int8", "mobilenet_v1_1.0_224_quant_embedding_extractor"
pytestmark = [pytest.mark.qemu, pytest.mark.mirror]

ANSWERS = """
import json, sys
from pathlib import Path
import numpy as np
from stages.tasks.task import open_task, set_time

for package in sorted(Path(sys.argv[1]).iterdir()):
    task = open_task(package, "none", sys.argv[2])
    state, answers = task.new_state(), []
    for at, frame in enumerate(np.load(package.with_suffix(".npy").as_posix().replace("packages", "frames"))):
        set_time(state, float(at))
        answers.append(task.answer(frame, state))
    print(json.dumps({"task": package.name, "runs_on": task.ran_on, "answers": answers}), flush=True)
"""


def _model(name):
    return (MODELS / f"{name}.tflite").read_bytes()


def _classifier(windows):
    """Return an int8 network (1, rows, 1, channels) -> (1, n) that recognises each of n windows.

    Its dense layer has a bias: tflite-runtime crashes on ARM without one (docs/troubleshooting.md).
    """
    tf = pytest.importorskip("tensorflow")
    flat = windows.reshape(len(windows), -1)
    middle = flat.mean(0)
    apart = flat - middle
    fitted = np.linalg.solve(apart @ apart.T + np.eye(len(flat)), np.eye(len(flat)) * 9)
    weights = tf.constant((apart.T @ fitted).astype(np.float32))
    bias = -tf.linalg.matvec(weights, middle.astype(np.float32), transpose_a=True)

    @tf.function(input_signature=[tf.TensorSpec((1, *windows.shape[1:]), tf.float32)])
    def call(x):
        return tf.nn.softmax(tf.matmul(tf.reshape(x, (1, flat.shape[1])), weights) + bias)

    def examples():
        for window in windows:
            yield [window[None]]

    module = tf.Module()
    module.call = call
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [call.get_concrete_function()], module
    )
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = examples
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return bytes(converter.convert())


def _activity(folder):
    about = {**packages.constants(4), "nothing_below": 0.2}
    pose = MoveNet(open_model(MODELS / "movenet_single_pose_lightning_ptq.tflite"))
    keypoints = np.stack([pose.follow(frame) for frame in _video(*EXERCISE)])
    windows = encoding.features(keypoints, about)  # (windows, rows, 1, channels)
    labels = [f"part {at}" for at in range(len(windows))]
    models = {"model": _classifier(windows), "pose": _model("movenet_single_pose_lightning_ptq")}
    packages.write(folder, "activity", about, labels, **models)


def _classify(folder):
    labels = [f"class {at}" for at in range(1001)]
    about = {"size": 224, "fit": "crop", "threshold": 0.3}
    about["picture"] = {"mean": 127.5, "deviation": 127.5}
    packages.write(folder, "classify", about, labels, model=_model("tf2_mobilenet_v2_1.0_224_ptq"))


def _detect(folder):
    (folder / "data").mkdir(parents=True)
    np.save(folder / "data" / "anchors.npy", np.zeros((0, 4), np.float32))
    labels = [f"class {at}" for at in range(90)]
    about = {"size": 300, "postprocess": "tflite", "thresholds": dict.fromkeys(labels, 0.3)}
    about["picture"] = {"mean": 127.5, "deviation": 127.5}
    model = _model("coco_ssd_mobilenet_v1_1.0_quant_2018_06_29")
    packages.write(folder, "detect", about, labels, model=model)


def _faces(folder):
    (folder / "data").mkdir(parents=True)
    face = FaceInput(224, 224, mean=127.5, deviation=127.5)
    detector, embedder = (open_model(MODELS / f"{name}.tflite") for name in FACE_MODELS)
    known = []
    for photo in _photos(*PEOPLE):
        found = faces.detected(photo, detector)
        values = face.values(faces.face(photo, found, 0, face))
        known.append(faces.embedded(values, embedder)[0])
    faces.Gallery(np.stack(known), np.arange(len(known))).write(folder / "data")
    models = dict(zip(("detector", "embedder"), map(_model, FACE_MODELS), strict=True))
    about = {"threshold": 0.5, **face.constants()}
    packages.write(folder, "faces", about, ["ann", "bob", "eve", "joe"], **models)


def _video(count, step):
    with open_video(MIRROR / "video/exercise.avi") as frames:
        every = [frame.picture for at, frame in zip(range(count * step), frames, strict=False)]
    return np.stack(every[::step])


def _photos(folder, pattern, size):
    found = sorted((MIRROR / folder).glob(pattern))[:4]
    return np.stack([np.asarray(Image.open(one).convert("RGB").resize(size)) for one in found])


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A folder with the packages by task, and the frames of each."""
    folder = tmp_path_factory.mktemp("answers")
    (folder / "frames").mkdir()
    frames = {
        "activity": (_activity, _video(*EXERCISE)),
        "classify": (_classify, _photos("imagenet_samples", "*.jpg", (400, 300))[:2]),
        "detect": (_detect, _video(2, 12)),
        "faces": (_faces, _photos(*PEOPLE)[:2]),
    }
    for task, (write, pictures) in frames.items():
        write(folder / "packages" / task)
        np.save(folder / "frames" / f"{task}.npy", pictures)
    (folder / "answers.py").write_text(ANSWERS, encoding="utf-8")
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755)
    return folder


def _by_task(said):
    each = [json.loads(line) for line in said.splitlines() if line.startswith(b'{"task"')]
    return {one["task"]: one for one in each}


@pytest.fixture(scope="module")
def emulated(work, docker_engine, runtime_image):
    """The answers of all tasks with tflite-runtime, by platform."""

    def of(platform):
        client = docker_engine.client()
        with runtime_image(platform)[0].open("rb") as stream:
            (image,) = client.images.load(stream)
        environment, shown = emulation(platform)
        said = client.containers.run(
            image.id,
            ["python3", str(work / "answers.py"), str(work / "packages"), "tflite_runtime"],
            platform=platform,
            environment={"PYTHONPATH": str(ROOT), **environment},
            mounts=[bind(ROOT), bind(work), *shown],
            network_disabled=True,
            read_only=True,
            init=True,  # else a crash hangs: signals do not end the first process
            remove=True,
            stderr=False,
        )
        client.images.remove(image.id, force=True)
        return _by_task(said)

    return {platform: of(platform) for platform in (ARM64, ARMV7)}


def test_arm64_and_armv7_answer_the_same_to_the_bit(emulated):
    assert emulated[ARM64].keys() == {"activity", "classify", "detect", "faces"}
    for task, one in emulated[ARM64].items():
        assert "tflite-runtime" in one["runs_on"]
        assert json.dumps(one) == json.dumps(emulated[ARMV7][task]), task


def test_the_answers_say_something(emulated):
    found = {task: one["answers"] for task, one in emulated[ARMV7].items()}
    assert all(one["activity"] not in (None, "nothing") for one in found["activity"][3:])
    assert any(one["label"] != "none of these" for one in found["classify"])
    assert all(one["objects"] for one in found["detect"])
    assert all(one["faces"] for one in found["faces"])


def test_x86_answers_within_the_tolerance_of_each_task(work, emulated):
    """In a process of its own, with the runtime that x86 has by default."""
    command = [sys.executable, work / "answers.py", work / "packages", "litert"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    said = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout
    for task, one in _by_task(said).items():
        opened = open_task(work / "packages" / task)
        rows, expected = (
            {str(at): opened.rows(answer) for at, answer in enumerate(found["answers"])}
            for found in (one, emulated[ARMV7][task])
        )
        entries = [{"file": name, "rows": wanted} for name, wanted in expected.items()]
        agreement, _ = _agreement.compare(opened, rows, entries)
        assert agreement >= 0.75, (task, rows, expected)
