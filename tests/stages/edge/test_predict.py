"""The predict stage on packages of version 1 made here: a classifier of one operation that answers the same always."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from engine.stage import StageError
from stages.edge import _items as items
from stages.edge.predict import predict as predict_stage
from stages.media.encode import write_video
from stages.media.frames import Frame
from stages.media.video import open_video
from stages.tasks.keypoints import encoding
from stages.tasks.keypoints.skeletons import COCO17
from stages.tasks.keypoints.table import write_clip
from tests.stages.tasks import packages

MIRROR = Path(os.environ.get("RPI_MLOPS_MIRROR", Path(__file__).parents[4] / "shared/mirror"))
MODEL = MIRROR / "models/movenet_single_pose_lightning_ptq.tflite"
LABELS = ["first", "second"]

needs_mirror = pytest.mark.skipif(
    not MODEL.is_file(), reason="RPI_MLOPS_MIRROR names no folder with the models"
)


@pytest.fixture(scope="module")
def make_package(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that packs a classifier which answers `second` to everything, with probability 0.75."""
    made: dict[tuple[int, bool], Path] = {}

    def make(window: int, with_pose_model: bool = False) -> Path:
        if (window, with_pose_model) not in made:
            folder = tmp_path_factory.mktemp(f"package{window}")
            made[window, with_pose_model] = packed(folder, window, with_pose_model)
        return made[window, with_pose_model]

    return make


def packed(
    folder: Path, window: int, with_pose_model: bool = False, span: int | None = None
) -> Path:
    constants: dict[str, Any] = {
        "joints": list(COCO17),
        "skeleton": "coco17",
        "window": window,
        "stride": 4,
    }
    constants["span"] = span or window
    rows, channels = encoding.raw_features(
        np.zeros((1, window, 17, 3), np.float32), list(COCO17)
    ).shape[1:]
    constants |= {"mean": [0.0] * channels, "deviation": [1.0] * channels}
    (folder / "preprocessing.json").write_text(json.dumps(constants))
    (folder / "labels.txt").write_text("".join(f"{label}\n" for label in LABELS))
    (folder / "model.tflite").write_bytes(classifier(rows, channels))
    if with_pose_model:
        (folder / "pose_model.tflite").write_bytes(MODEL.read_bytes())
    files = {
        path.name: {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for path in folder.iterdir()
    }
    (folder / "manifest.json").write_text(json.dumps({"files": files}))
    return folder


def classifier(rows: int, channels: int) -> bytes:
    tf = pytest.importorskip("tensorflow")

    @tf.function(input_signature=[tf.TensorSpec((1, rows, 1, channels), tf.float32)])
    def answer(x):  # type: ignore[no-untyped-def]
        return tf.reshape(0.0 * tf.reduce_sum(x), (1, 1)) + tf.constant([[0.25, 0.75]])

    module = tf.Module()
    module.answer = answer
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [answer.get_concrete_function()], module
    )
    return bytes(converter.convert())


def recording(path: Path, frames: int) -> Path:
    points = np.random.default_rng(0).uniform(10, 90, (frames, 17, 3))
    points[:, :, 2] = 0.5
    write_clip(path, points, "coco17")
    return path


def predict(package: Path, source: Path | None, result: Path, **params: Any) -> Any:
    return predict_stage(package, result, source, task="activity", **params)


def lines(result: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (result / "predictions.jsonl").read_text().splitlines()]


def test_every_window_of_a_clip_has_a_line(
    make_package: Callable[..., Path], tmp_path: Path
) -> None:
    metrics = predict(make_package(8), recording(tmp_path / "clip.csv", 18), tmp_path / "result")
    found = lines(tmp_path / "result")
    assert [(line["first_frame"], line["last_frame"]) for line in found] == [
        (0, 7),
        (4, 11),
        (8, 15),
        (10, 17),
    ]
    assert found[0] == {
        "source": "clip.csv",
        "first_frame": 0,
        "last_frame": 7,
        "time_s": None,
        "activity": "second",
        "probability": 0.75,
        "mean_score": 0.5,
    }
    assert metrics == {"predictions": 4, "inputs": 18, "skipped": 0}


def test_a_clip_shorter_than_a_window_has_one_line(
    make_package: Callable[..., Path], tmp_path: Path
) -> None:
    predict(make_package(8), recording(tmp_path / "clip.csv", 3), tmp_path / "result")
    assert [(line["first_frame"], line["last_frame"]) for line in lines(tmp_path / "result")] == [
        (0, 2)
    ]


def test_a_model_of_whole_clips_looks_at_spans_of_their_length(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    predict(
        packed(tmp_path / "package", 8, span=20),
        recording(tmp_path / "clip.csv", 26),
        tmp_path / "result",
    )
    assert [(line["first_frame"], line["last_frame"]) for line in lines(tmp_path / "result")] == [
        (0, 19),
        (4, 23),
        (6, 25),
    ]


@pytest.mark.parametrize("name", ["model.tflite", "labels.txt", "preprocessing.json"])
def test_a_package_whose_file_was_changed_is_refused(
    name: str, make_package: Callable[..., Path], tmp_path: Path
) -> None:
    copy = tmp_path / "package"
    copy.mkdir()
    for path in make_package(8).iterdir():
        (copy / path.name).write_bytes(path.read_bytes() + (b" " if path.name == name else b""))
    with pytest.raises(StageError, match=f"{name} of the package does not match its checksum"):
        predict(copy, recording(tmp_path / "clip.csv", 8), tmp_path / "result")


def test_a_manifest_that_leaves_the_folder_is_refused(
    make_package: Callable[..., Path], tmp_path: Path
) -> None:
    copy = tmp_path / "package"
    copy.mkdir()
    for path in make_package(8).iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["files"]["../clip.csv"] = {"sha256": "0" * 64}
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(StageError, match=r"the package lacks \.\./clip.csv"):
        predict(copy, recording(tmp_path / "clip.csv", 8), tmp_path / "result")


def test_a_picture_needs_the_packages_pose_model(
    make_package: Callable[..., Path], tmp_path: Path
) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(StageError, match="has no pose model"):
        predict(make_package(8), tmp_path / "a.png", tmp_path / "result")


def test_a_folder_with_nothing_to_look_at_is_refused(
    make_package: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(StageError, match="empty is not a picture, a video, a file for this task"):
        predict(make_package(8), tmp_path / "empty", tmp_path / "result")


@needs_mirror
@pytest.mark.mirror
class TestWithMoveNet:
    """With the real pose model."""

    def test_a_video_is_annotated_frame_by_frame(
        self, make_package: Callable[..., Path], tmp_path: Path
    ) -> None:
        metrics = predict(
            make_package(8, True),
            short_video(tmp_path / "a.avi"),
            tmp_path / "result",
            annotate=True,
        )
        assert (metrics["predictions"], lines(tmp_path / "result")[1]["time_s"]) == (3, 0.4)
        with open_video(tmp_path / "result/annotated/a.avi.mp4") as video:
            assert len(list(video)) == 16

    def test_times_are_those_of_the_frames(
        self, make_package: Callable[..., Path], tmp_path: Path
    ) -> None:
        times_s = [0.05 * index if index < 4 else 0.15 + 0.5 * (index - 3) for index in range(16)]
        picture = np.asarray(Image.open(MIRROR / "images/squat.bmp").convert("RGB"))
        write_video(tmp_path / "a.mp4", [Frame(picture, time_s) for time_s in times_s])
        predict(make_package(8, True), tmp_path / "a.mp4", tmp_path / "result", annotate=True)
        assert [line["time_s"] for line in lines(tmp_path / "result")] == [0.0, 0.65, 2.65]
        with open_video(tmp_path / "result/annotated/a.mp4.mp4") as video:
            assert [frame.time_s for frame in video] == pytest.approx(times_s, abs=0.001)

    def test_pictures_are_looked_at_one_by_one(
        self, make_package: Callable[..., Path], tmp_path: Path
    ) -> None:
        (tmp_path / "p").mkdir()
        for name in ("a.png", "b.png"):
            Image.open(MIRROR / "images/squat.bmp").save(tmp_path / "p" / name)
        (tmp_path / "p/broken.jpg").write_text("no picture")
        metrics = predict(make_package(1, True), tmp_path / "p", tmp_path / "result", annotate=True)
        assert [line["source"] for line in lines(tmp_path / "result")] == ["a.png", "b.png"]
        assert metrics["skipped"] == 1
        assert sorted(p.name for p in (tmp_path / "result/annotated").iterdir()) == [
            "a.png.png",
            "b.png.png",
        ]


def short_video(path: Path) -> Path:
    frame = cv2.imread(str(MIRROR / "images/squat.bmp"))
    writer = cv2.VideoWriter(
        str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (frame.shape[1], frame.shape[0])
    )
    for _ in range(16):
        writer.write(frame)
    writer.release()
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A package of the task `tensors` that takes pictures."""
    model = packages.always((1, 4, 4, 3), [1.0, 2.0])
    about = {"picture": {"mean": 0.0, "deviation": 255.0}}
    return packages.write(tmp_path / "package", "tensors", about, model=model)


def test_each_annotated_picture_has_a_name_of_its_own(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    for name in ("a:b.png", "a_b.png", "\u00e4" * 125 + ".png"):
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "mine" / name)
    result = tmp_path / "result"
    predict_stage(pictures, result, tmp_path / "mine", task="tensors", annotate=True)
    names = sorted(path.name for path in (result / "annotated").iterdir())
    assert names == ["a_b.png-2.png", "a_b.png.png", "\u00e4" * 120 + ".png"]


def test_files_of_another_kind_are_left_out_and_told(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(items, "note", said.append)
    (tmp_path / "mine").mkdir()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "mine/a.png")
    (tmp_path / "mine/b.svg").write_bytes(b"")
    metrics = predict_stage(pictures, tmp_path / "result", tmp_path / "mine", task="tensors")
    assert metrics["inputs"] == 1
    assert said == ["skipped 1 file in an unsupported format: b.svg"]


def test_a_file_of_another_kind_says_which_are_read(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "a.svg").write_bytes(b"<svg/>")
    with pytest.raises(StageError, match=r"^a\.svg is not a picture, .*; supported: \.jpg"):
        predict_stage(pictures, tmp_path / "result", tmp_path / "a.svg", task="tensors")


def test_if_nothing_is_readable_the_reason_is_said_once(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("stages.edge.predict.note", said.append)
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(StageError, match=r"^nothing can be read: a\.png \("):
        predict_stage(pictures, tmp_path / "result", tmp_path / "a.png", task="tensors")
    assert said == []
