"""The keypoints stage: every layout of recordings, refusals, and MoveNet compared with known figures."""

import csv
import json
import os
import pickle
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.stage import StageError
from stages.media import pictures
from stages.pose import _jhmdb, _recordings
from stages.pose import keypoints as module
from stages.pose.keypoints import keypoints
from stages.tasks.keypoints import crop, skeletons
from stages.tasks.keypoints.table import write_clip

MIRROR = Path(os.environ.get("RPI_MLOPS_MIRROR", Path(__file__).parents[4] / "shared/mirror"))
MODEL = MIRROR / "models/movenet_single_pose_lightning_ptq.tflite"

needs_mirror = pytest.mark.skipif(
    not MODEL.is_file(), reason="RPI_MLOPS_MIRROR names no folder with the models"
)


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The stage's notes."""
    said: list[str] = []
    monkeypatch.setattr(module, "note", said.append)
    return said


@pytest.fixture
def two_activities(tmp_path: Path) -> Path:
    """Keypoint CSVs of two activities: anna and ben standing, anna waving."""
    root = tmp_path / "recordings"
    for name in ("standing/anna__1", "standing/ben__1", "waving/anna__1"):
        write_clip(root / f"{name}.csv", clip(), "coco17")
    return root


def clip(frames: int = 3) -> np.ndarray:
    """(frames, 17, 3) of a completely visible person."""
    points = np.random.default_rng(1).uniform(10, 200, (frames, 17, 3)).round(1)
    points[:, :, 2] = 0.5
    return points


def read(folder: Path) -> tuple[dict, np.ndarray]:
    return json.loads((folder / "recordings.json").read_text()), np.load(folder / "keypoints.npy")


def picture(path: Path, size: tuple[int, int] = (64, 48)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(
        np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), np.uint8)
    ).save(path)
    return path


def test_csvs_come_out_as_they_went_in(two_activities: Path, tmp_path: Path) -> None:
    metrics = keypoints(two_activities, tmp_path / "out")
    content, rows = read(tmp_path / "out")
    assert metrics == {"mean_score": 0.5, "frames": 9, "clips": 3, "skipped": 0}
    assert (rows.shape, rows.dtype) == ((9, 17, 3), np.float32)
    np.testing.assert_allclose(rows[3:6], clip(), atol=1e-4)
    assert (content["skeleton"], content["labels"]) == ("coco17", ["standing", "waving"])
    assert content["clips"][1] == {
        "clip": "standing/ben__1.csv",
        "label": "standing",
        "person": "ben",
        "split": None,
        "first": 3,
        "frames": 3,
        "fps": None,
        "weight": 1.0,
    }


def test_the_same_recordings_give_the_same_bytes(two_activities: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        keypoints(two_activities, tmp_path / name)
    for file in ("recordings.json", "keypoints.npy"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_a_split_of_the_users_own_is_kept(tmp_path: Path, notes: list[str]) -> None:
    for name in ("train/a/x__1", "train/b/x__1", "test/a/x__2"):
        write_clip(tmp_path / "r" / f"{name}.csv", clip(), "coco17")
    keypoints(tmp_path / "r", tmp_path / "out")
    assert [c["split"] for c in read(tmp_path / "out")[0]["clips"]] == ["train", "train", "test"]
    assert notes == ["x is in both train and test: the accuracy says little about new people"]


def test_columns_may_stand_in_any_order_and_case(two_activities: Path, tmp_path: Path) -> None:
    path = two_activities / "waving/anna__1.csv"
    rows = list(csv.DictReader(path.read_text().splitlines()))
    names = sorted(rows[0], reverse=True)
    lines = [
        ",".join(name.upper() for name in names),
        *(",".join(row[name] for name in names) for row in rows),
    ]
    path.write_text("﻿" + "\n".join(lines))
    keypoints(two_activities, tmp_path / "out")
    np.testing.assert_allclose(read(tmp_path / "out")[1][6:], clip(), atol=1e-4)


def test_a_joint_that_is_not_seen_stays_where_it_was_with_a_score_of_0(
    two_activities: Path, tmp_path: Path
) -> None:
    hidden = clip()
    hidden[1, 4] = hidden[0, 5] = 0
    write_clip(two_activities / "waving/anna__1.csv", hidden, "coco17")
    keypoints(two_activities, tmp_path / "out")
    found = read(tmp_path / "out")[1][6:]
    np.testing.assert_allclose(found[1, 4], [*clip()[0, 4, :2], 0], atol=1e-4)
    np.testing.assert_allclose(found[0, 5], [*clip()[1, 5, :2], 0], atol=1e-4)


def damaged(path: Path, kind: str) -> None:
    text = path.read_text()
    cases = {
        "no number": text.replace("0.500", "high", 1),
        "nan": text.replace("0.500", "nan", 1),
        "score above one": text.replace("0.500", "1.500", 1),
        "header only": text.splitlines()[0],
        "other columns": text.replace("nose_x", "beak_x"),
        "frames go backwards": text.replace("\n2,", "\n0,"),
        "a line too short": text[:-200],
    }
    path.write_text(cases[kind])


@pytest.mark.parametrize(
    "kind",
    ["no number", "nan", "score above one", "header only", "other columns", "frames go backwards"],
)
def test_a_damaged_csv_is_named_counted_and_skipped(
    kind: str, two_activities: Path, tmp_path: Path, notes: list[str]
) -> None:
    damaged(two_activities / "standing/ben__1.csv", kind)
    metrics = keypoints(two_activities, tmp_path / "out", max_bad_fraction=0.5)
    assert (metrics["skipped"], metrics["clips"]) == (1, 2)
    assert "standing/ben__1.csv" in notes[0]


def test_foreign_columns_are_explained_once(two_activities: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (two_activities / f"standing/{name}.csv").write_text("time,ax,ay,az,gx\n1,2,3,4,5\n")
    with pytest.raises(StageError) as caught:
        keypoints(two_activities, tmp_path / "out")
    said = str(caught.value)
    assert "standing/a.csv (its columns are time, ax, ay, az and 1 more; it needs" in said
    assert "standing/b.csv (its columns are those of standing/a.csv)" in said
    assert said.count("coco17 or jhmdb15, see docs/data.md") == 1


def test_a_problem_is_not_noted_and_raised(
    two_activities: Path, tmp_path: Path, notes: list[str]
) -> None:
    (two_activities / "standing/ben__1.csv").write_text("")
    with pytest.raises(StageError, match="its columns are none"):
        keypoints(two_activities, tmp_path / "out")
    assert not notes


def test_more_bad_files_than_allowed_stop_the_stage(two_activities: Path, tmp_path: Path) -> None:
    (two_activities / "standing/ben__1.csv").write_text("")
    with pytest.raises(StageError, match=r"1 of 3 .* max_bad_fraction = 0.1: standing/ben__1.csv"):
        keypoints(two_activities, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    with pytest.raises(StageError, match="contain no activity: make a sub-folder for each"):
        keypoints(tmp_path / "r", tmp_path / "out")


def test_an_activity_without_a_clip_is_named(two_activities: Path, tmp_path: Path) -> None:
    (two_activities / "jumping").mkdir()
    (two_activities / "jumping/notes.txt").write_text("to do")
    with pytest.raises(StageError, match="no readable clip for jumping"):
        keypoints(two_activities, tmp_path / "out")


def test_a_single_activity_is_refused_unless_allowed(two_activities: Path, tmp_path: Path) -> None:
    (two_activities / "waving/anna__1.csv").unlink()
    (two_activities / "waving").rmdir()
    with pytest.raises(StageError, match="only one activity, standing"):
        keypoints(two_activities, tmp_path / "out")
    assert keypoints(two_activities, tmp_path / "out", allow_one_activity=True)["clips"] == 2


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["standing/1.png"], "only one activity, standing"),
        (["standing/1.png", "waving/notes.txt"], "no readable clip for waving"),
        (["train/a/1.png", "train/b/1.png", "test/c/1.png"], "c is in the test or validation part"),
        (
            ["data/a/1.mp4", "data/b/1.mp4"],
            "data/a/1.mp4 is nested one folder too deep .* to data, or",
        ),
        (["a/x/day1/1.png", "b/1.png"], "a/x/day1/1.png is nested one folder too deep"),
    ],
    ids=["one activity", "empty activity", "untrained activity", "too deep", "deeper"],
)
def test_what_folder_names_tell_is_refused_before_a_pose_model_is_opened(
    names: list[str], message: str, tmp_path: Path
) -> None:
    for name in names:
        path = tmp_path / "recordings" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"is not read")
    with pytest.raises(StageError, match=message):
        keypoints(tmp_path / "recordings", tmp_path / "out", tmp_path / "no-model")


def test_two_skeletons_are_refused(two_activities: Path, tmp_path: Path) -> None:
    write_clip(two_activities / "waving/x.csv", np.ones((2, 15, 3)), "jhmdb15")
    with pytest.raises(
        StageError, match=r"mix two skeletons: .* has coco17, waving/x.csv has jhmdb15"
    ):
        keypoints(two_activities, tmp_path / "out")


@pytest.mark.parametrize(
    ("folders", "splits"),
    [
        (("train", "test"), ["train", "test"]),
        (("Train", "TEST"), ["train", "test"]),
        (("train", "val"), ["train", "test"]),
        (("training", "validation"), ["train", "test"]),
        (("train", "valid", "test"), ["train", "test", "val"]),
        (("Training", "Val", "Testing"), ["train", "test", "val"]),
    ],
)
def test_folders_named_for_a_split_are_no_activities(tmp_path, folders, splits):
    for folder in folders:
        for activity in "ab":
            write_clip(tmp_path / "r" / folder / activity / "1.csv", clip(), "coco17")
    found = _recordings.find(tmp_path / "r")
    assert list(dict.fromkeys(source.split for source in found.sources)) == splits
    assert found.labels == {"a", "b"}


def test_a_folder_beside_the_splits_is_refused(tmp_path):
    for folder in ("train/a", "val/a", "walking"):
        write_clip(tmp_path / "r" / folder / "1.csv", clip(), "coco17")
    with pytest.raises(
        StageError, match="the recordings contain walking in addition to train and val"
    ):
        _recordings.find(tmp_path / "r")


def test_pictures_without_a_model_ask_for_one(two_activities: Path, tmp_path: Path) -> None:
    picture(two_activities / "waving/a.png")
    with pytest.raises(StageError, match=r"assets\.pose_model=movenet_lightning"):
        keypoints(two_activities, tmp_path / "out")


def test_an_activity_of_the_test_alone_is_refused(tmp_path: Path) -> None:
    for name in ("train/a/1", "train/b/1", "test/c/1"):
        write_clip(tmp_path / "r" / f"{name}.csv", clip(), "coco17")
    with pytest.raises(StageError, match="c is in the test or validation part, not in train"):
        keypoints(tmp_path / "r", tmp_path / "out")


def test_a_pickle_that_asks_for_more_than_arrays_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple:
            return subprocess.getoutput, ("touch hacked",)

    for name in _jhmdb.FILES.values():
        (tmp_path / name).write_bytes(pickle.dumps({"pose": [Evil()], "label": ["run"]}))
    with pytest.raises(
        StageError, match=r"it contains subprocess.getoutput, but only numpy arrays are allowed"
    ):
        keypoints(tmp_path, tmp_path / "out")


def test_rows_of_the_test_person_never_reach_train(tmp_path: Path) -> None:
    header = "filename," + ",".join(
        f"{j}_{p}" for j in skeletons.SKELETONS["coco17"] for p in ("x", "y", "score")
    )
    row = ",".join(["1.0", "2.0", "0.5"] * 17)
    names = {"train": ("ann_sit1", "bob_sit1", "ann_run1"), "test": ("bob_sit2", "bob_run2")}
    for split, files in names.items():
        lines = [f"{n[4:7]}/{n}.jpg,{row},{n[4:7]}" for n in files]
        (tmp_path / f"{split}_data.csv").write_text("\n".join([header + ",class_name", *lines]))
    keypoints(tmp_path, tmp_path / "out")
    clips = read(tmp_path / "out")[0]["clips"]
    assert [(c["person"], c["split"]) for c in clips] == [
        ("ann", "train"),
        ("ann", "train"),
        ("bob", "test"),
        ("bob", "test"),
    ]


def test_the_crop_is_a_square_round_a_person_that_is_seen() -> None:
    person = np.zeros((17, 3), np.float32)
    person[:, :2], person[:, 2] = (300, 200), 0.9
    person[5:7, 1], person[15:17, 1] = 160, 260
    square = crop.around(person, 640, 480)
    assert (square.x + square.side / 2, square.y + square.side / 2) == (300, 200)
    assert square.side == pytest.approx(2 * max(40 * 1.9, 60 * 1.2))
    person[:, 2] = 0.1
    assert crop.around(person, 640, 480) == crop.whole(640, 480) == (0, -80, 640)


@needs_mirror
@pytest.mark.mirror
class TestMoveNet:
    """With the real model."""

    def test_squat_is_where_the_reference_says(self, tmp_path: Path) -> None:
        """The reference comes from a single crop, ours is the median of many: occluded joints differ by up
        to 0.05.
        """
        keypoints(MIRROR / "images/squat.bmp", tmp_path / "out", MODEL)
        rows = list(
            csv.DictReader((MODEL.parent / f"{MODEL.stem}_reference.csv").read_text().splitlines())
        )
        expected = np.array([[float(row["keypoint_x"]), float(row["keypoint_y"])] for row in rows])
        found = read(tmp_path / "out")[1][0, :, :2] / (500, 610)
        assert np.abs(found - expected).mean() < 0.011

    def test_an_empty_room_scores_below_any_person(self, tmp_path: Path) -> None:
        room = np.full((480, 640, 3), (205, 200, 190), np.uint8)
        room[300:], room[120:300, 400:520] = (120, 90, 60), (90, 60, 40)  # a floor and a door
        Image.fromarray(room).save(tmp_path / "room.png")
        assert keypoints(tmp_path / "room.png", tmp_path / "out", MODEL)["mean_score"] < 0.1

    def test_a_person_is_followed_through_a_video(self, tmp_path: Path) -> None:
        metrics = keypoints(MIRROR / "video/exercise.avi", tmp_path / "out", MODEL)
        content, rows = read(tmp_path / "out")
        assert metrics["mean_score"] > 0.6  # 0.32 to 0.37 on the uncropped frames
        assert (content["labels"], content["clips"][0]["label"], content["clips"][0]["fps"]) == (
            [],
            None,
            10.0,
        )
        assert rows.shape == (393, 17, 3)

    def test_broken_pictures_and_bombs_are_skipped_and_named(
        self, tmp_path: Path, notes: list[str]
    ) -> None:
        root = tmp_path / "r"
        for name in ("a/1.jpg", "a/2.jpg", "b/clip/1.png", "b/clip/2.png"):
            picture(root / name)
        whole = (root / "a/2.jpg").read_bytes()
        (root / "a/truncated.jpg").write_bytes(whole[: len(whole) // 2])
        (root / "a/text.png").write_text("no picture")
        (root / "a/no_video.mp4").write_bytes(b"0" * 500)
        Image.new("1", (9000, 9000)).save(root / "b/bomb.png")
        metrics = keypoints(root, tmp_path / "out", MODEL, max_bad_fraction=0.6)
        assert (metrics["skipped"], metrics["clips"], metrics["frames"]) == (4, 3, 4)
        for name in (
            "a/truncated.jpg (",
            "a/text.png (not a picture)",
            "a/no_video.mp4 (",
            "b/bomb.png (9000 x 9000 pixels",
        ):
            assert name in notes[0]

    def test_a_picture_turned_by_exif_is_turned_back(self, tmp_path: Path) -> None:
        squat = Image.open(MIRROR / "images/squat.bmp")
        for name, turned, orientation in (
            ("a", squat, 1),
            ("b", squat.transpose(Image.Transpose.ROTATE_90), 6),
        ):
            exif = Image.Exif()
            exif[0x0112] = orientation
            (tmp_path / "r" / name).mkdir(parents=True)
            turned.save(tmp_path / "r" / name / "1.png", exif=exif)
        keypoints(tmp_path / "r", tmp_path / "out", MODEL)
        upright, turned_back = read(tmp_path / "out")[1]
        np.testing.assert_array_equal(upright, turned_back)

    def test_joints_of_a_large_picture_are_in_its_own_pixels(self, tmp_path: Path) -> None:
        squat = Image.open(MIRROR / "images/squat.bmp").convert("RGB")
        squat.save(tmp_path / "a.png")
        squat.resize((squat.width * 4, squat.height * 4)).save(tmp_path / "b.jpg", quality=95)
        for name in ("a.png", "b.jpg"):
            keypoints(tmp_path / name, tmp_path / f"{name}.out", MODEL)
        small, large = (read(tmp_path / f"{name}.out")[1][0] for name in ("a.png", "b.jpg"))
        assert np.abs(large[:, :2] / 4 - small[:, :2]).mean() < 0.01 * squat.height

    def test_a_turned_video_gives_the_joints_of_an_upright_one(self, tmp_path: Path) -> None:
        scores = [
            keypoints(path, tmp_path / f"{path.name}.out", MODEL)["mean_score"]
            for path in (turned_video(tmp_path, 0), turned_video(tmp_path, 90))
        ]
        assert scores[0] > 0.5 and scores[1] == pytest.approx(scores[0], abs=0.03)

    def test_a_damaged_video_is_used_and_named(self, tmp_path: Path, notes: list[str]) -> None:
        path = turned_video(tmp_path, 0)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        metrics = keypoints(path, tmp_path / "out", MODEL)
        assert 0 < metrics["frames"] < 12 and metrics["skipped"] == 0
        lost = 12 - round(metrics["frames"])
        assert notes[0].startswith("damaged videos are used without their lost frames: ")
        assert f"0.mp4 ({lost} of 12 frames cannot be decoded" in notes[0]

    def test_frames_of_a_folder_are_in_natural_order(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[str] = []
        read_many = pictures.read_many

        def spy(paths: tuple[Path, ...], at_least: int) -> object:
            seen.extend(path.name for path in paths)
            return read_many(paths, at_least)

        monkeypatch.setattr(pictures, "read_many", spy)
        for name in ("frame10", "frame9", "frame1"):
            picture(tmp_path / "r/a/clip" / f"{name}.png")
        keypoints(tmp_path / "r", tmp_path / "out", MODEL, allow_one_activity=True)
        assert seen == ["frame1.png", "frame9.png", "frame10.png"]

    def test_a_model_that_is_no_movenet_is_refused(self, tmp_path: Path) -> None:
        for name in "ab":
            picture(tmp_path / f"r/{name}/1.png")
        with pytest.raises(StageError, match="is not MoveNet"):
            keypoints(
                tmp_path / "r", tmp_path / "out", MODEL.parent / "mobilenet_v2_1.0_224_quant.tflite"
            )


def turned_video(folder: Path, degrees: int) -> Path:
    """12 frames of the squat, rotated clockwise by these degrees, with the corresponding tag."""
    av = pytest.importorskip("av", reason="PyAV is not installed")
    picture = np.asarray(Image.open(MIRROR / "images/squat.bmp").convert("RGB"))
    stored = np.ascontiguousarray(np.rot90(picture, -degrees // 90))
    path = folder / f"{degrees}.mp4"
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream(
            "libx264", rate=10, options={"crf": "18", "bf": "0", "g": "1"}
        )
        stream.height, stream.width = stored.shape[:2]
        stream.pix_fmt = "yuv420p"
        if degrees:
            stream.set_display_rotation(degrees)
        for _ in range(12):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(stored, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@needs_mirror
@pytest.mark.mirror
def test_jhmdb_is_read_whole(tmp_path: Path) -> None:
    keypoints(MIRROR / "pose/jhmdb", tmp_path / "out")
    content, rows = read(tmp_path / "out")
    splits = [c["split"] for c in content["clips"]]
    assert (splits.count("train"), splits.count("test"), len(content["labels"])) == (433, 176, 14)
    assert (content["skeleton"], rows.shape[1:]) == ("jhmdb15", (15, 3))


@needs_mirror
@pytest.mark.mirror
def test_yoga_is_tested_on_the_pictures_of_a_person_not_trained_on(tmp_path: Path) -> None:
    keypoints(MIRROR / "pose/yoga", tmp_path / "out", MODEL)
    clips = read(tmp_path / "out")[0]["clips"]
    assert {c["person"] for c in clips if c["split"] == "test"} == {"guy3"}
    assert sum(c["split"] == "test" for c in clips) == 125
    assert "guy3" not in {c["person"] for c in clips if c["split"] == "train"}
    assert sum(c["split"] == "train" for c in clips) == 1512 + 202
