"""The package is opened in the same way as on a device, and answers raw items as `score` expects."""

import json

import numpy as np
import pytest

from engine.stage import StageError
from stages.edge.verify import verify
from stages.tasks.keypoints.table import write_clip
from stages.tflite import part
from tests.stages.tasks import packages


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return packages.activity(tmp_path_factory.mktemp("packages") / "package", 8)


@pytest.fixture
def verified(package, tmp_path):
    """Verify the package on a clip of 12 frames, which has two windows."""
    points = np.random.default_rng(0).uniform(10, 90, (12, 17, 3))
    points[:, :, 2] = 0.5
    part.write(tmp_path / "test", {"features": np.zeros((2, 1), np.float32)})
    write_clip(part.raw_folder(tmp_path / "test") / "00.csv", points, "coco17")
    part.write_items(tmp_path / "test", {"00.csv": (0, 1)})

    def run(*expected, test=tmp_path / "test"):
        answers = [{"file": "00.csv", "rows": list(expected)}]
        (tmp_path / "score").write_text(json.dumps({"answers": answers if expected else []}))
        golden = tmp_path / "golden"
        return verify(package, test, golden, tmp_path / "score", task="activity"), golden

    return run


RIGHT = {"activity": "second", "probability": 0.75}


def test_answers_that_are_expected_agree(verified):
    metrics, _ = verified(RIGHT, {**RIGHT, "probability": 0.5})
    assert metrics == {"items": 1, "answers": 2, "agreement": 1, "max_difference": 0.25}


def test_other_words_disagree(verified):
    assert verified(RIGHT, {**RIGHT, "activity": "first"})[0]["agreement"] == 0.5


def test_without_expectations_nothing_disagrees(verified):
    assert verified()[0]["agreement"] == 1


def test_golden_holds_the_inputs_and_their_answers(verified, tmp_path):
    _, golden = verified(RIGHT, RIGHT)
    about = json.loads((golden / "answers.json").read_text())
    copied = (golden / "inputs/00.csv").read_bytes()
    assert copied == (tmp_path / "test/raw/00.csv").read_bytes()
    assert about["task"] == "activity" and about["ran_on"].startswith("LiteRT ")
    assert [row["activity"] for row in about["answers"]["00.csv"]] == ["second", "second"]


def test_a_part_without_raw_items_is_refused(verified, tmp_path):
    part.write(tmp_path / "bare", {"features": np.zeros((2, 1), np.float32)})
    with pytest.raises(StageError, match="the test part has no raw item"):
        verified(test=tmp_path / "bare")


def test_an_item_that_cannot_be_read_is_refused(verified, tmp_path):
    (tmp_path / "test/raw/00.csv").write_text("nonsense")
    with pytest.raises(
        StageError, match=r"00\.csv cannot be read: 00\.csv \(its columns are nonsense"
    ):
        verified(RIGHT)
