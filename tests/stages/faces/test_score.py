"""Scoring outputs of the test part: the figures, the expected answers, and what the report may show."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from stages.faces import _report, _suspects
from stages.faces.score import score
from stages.tasks.faces import Gallery
from stages.tflite import outputs, part
from stages.tflite.tensor import Tensor

ANGLES, PEOPLE = [2, -3, 44, 41, 88, 93, 20], [0, 0, 1, 1, 2, 2, -1]  # the last one is drawn


MODEL = SimpleNamespace(outputs={"embedding": Tensor("embedding", (1, 2), "float32")})


def _directions(angles):
    radians = np.radians(angles)
    return np.stack([np.cos(radians), np.sin(radians)], 1).astype(np.float32)


def _part(folder, people, names):
    random = np.random.default_rng(len(people))
    part.write(folder, {"picture": random.integers(0, 255, (len(people), 16, 16, 3), np.uint8)})
    np.save(folder / "truth_person.npy", np.int64(people))
    truth = {
        "labels": ["ann", "bob", "cy"],
        "names": names,
        "boxes": [[0, 0, 50, 50]] * len(people),
        "turns": [None] * len(people),
    }
    (folder / "truth.json").write_text(json.dumps(truth))


@pytest.fixture
def scored(tmp_path, monkeypatch):
    """Run the stage on seven faces; return its metrics, its report and the titles of its grids."""
    grids = []
    monkeypatch.setattr(_report, "picture_grid", lambda title, pictures: grids.append(title))
    test, train = tmp_path / "test", tmp_path / "train"
    _part(test, PEOPLE, [f"{at}.png" for at in range(7)])
    _part(train, [0, 1, 2], ["a.png", "b.png", "c.png"])
    (part.raw_folder(test) / "00.png").write_bytes(b"")
    part.write_items(test, {"00.png": (6, 6)})
    for name in ("gallery", "original"):
        (tmp_path / name).mkdir()
        Gallery(_directions([0, 40, 90]), np.int64([0, 1, 2])).write(tmp_path / name)
    about = {"runtime": "r", "accelerator": "cpu", "measured_on": "here", "model_sha256": "1"}
    same = {"outputs_differ": 0, "max_step_difference": 0, "reference_bit_equal": 1}
    raw = {"embedding": _directions(ANGLES)}
    outputs.write(tmp_path / "outputs", raw, MODEL, {**about, "difference": same})
    for name, digest in (("default", "1"), ("float", "2")):
        folder = tmp_path / "reference" / name
        outputs.write(folder, raw, MODEL, {**about, "model_sha256": digest})

    def run(threshold, **params):
        (tmp_path / "decision.json").write_text(json.dumps({"threshold": threshold}))
        inputs = ("outputs", "reference", "train", "gallery", "original", "decision.json")
        report = tmp_path / "report.json"
        metrics = score(test, *(tmp_path / name for name in inputs), report, **params)
        return metrics, json.loads(report.read_text()), grids

    return run


def test_drawn_faces_are_answered_but_not_counted(scored):
    metrics, report, _ = scored(0.9)
    assert (metrics["test_faces"], metrics["test_people"], metrics["rank1"]) == (6, 3, 1)
    [answer] = report["answers"]
    assert answer["rows"][0]["name"] == "ann" and answer["rows"][0]["bottom"] == 50


def test_a_high_threshold_rejects_and_a_low_one_accepts_strangers(scored):
    high, _, _ = scored(0.9999)
    low, _, _ = scored(0.1)
    assert high["false_reject"] == 1 and high["false_accept"] == 0
    assert low["false_reject"] == 0 and low["false_accept"] == 1


def test_faces_are_shown_only_if_the_user_wants(scored):
    assert scored(0.9999)[2] == []
    assert scored(0.9999, show_faces=True)[2] == ["rejected or wrongly named"]


def test_the_report_has_neither_embeddings_nor_names_of_files(scored):
    _, report, _ = scored(0.9)
    assert "embedding" not in str(report["answers"]) and "0.png" not in str(report["card"])


def test_a_packed_face_that_is_unlike_the_others_is_named_without_a_file(
    scored, tmp_path, monkeypatch
):
    told: list[str] = []
    monkeypatch.setattr(_suspects, "note", told.append)
    people = np.int64([0, 0, 0, 0, 0, 1, 2, 0])  # the last one is in the part `train`
    Gallery(_directions([0, 1, 2, 3, 170, 40, 90, 1]), people).write(tmp_path / "gallery")
    truth = json.loads((tmp_path / "train/truth.json").read_text())
    (tmp_path / "train/truth.json").write_text(json.dumps({**truth, "names": ["a.png"]}))
    metrics, _, _ = scored(0.9)
    assert metrics["suspects"] == 1 and ": ann/(packed)" in told[0]
