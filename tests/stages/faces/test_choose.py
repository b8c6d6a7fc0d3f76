"""The choice between two embedders: the fine-tuned one must be better on people that it did not see."""

import numpy as np
import pytest

from stages.faces import choose as stage
from stages.tasks.faces import Gallery

ANGLES = {
    "good": [0, 1, 2, 90, 91, 92],
    "poor": [0, 60, 2, 90, 20, 92],
}


@pytest.fixture
def chosen(tmp_path, monkeypatch):
    """Choose between two models, by name; the enrolled face and two validation faces of two people."""
    said: list[str] = []
    monkeypatch.setattr(stage, "note", said.append)

    def embedded(folder, model, people):
        is_enrolled = np.array([True, False, False] * 2)
        if folder.name == "validation":
            is_enrolled = ~is_enrolled
        radians = np.radians(ANGLES[model.read_text()])[is_enrolled]
        return Gallery(np.stack([np.cos(radians), np.sin(radians)], 1).astype(np.float32), people)

    monkeypatch.setattr("stages.faces._embedded.gallery", embedded)

    def run(original, tuned, has_validation=True, owners=(0, 0, 1, 1)):
        for folder, people in (("train", [0, 1]), ("train/validation", owners)):
            if has_validation or folder == "train":
                (tmp_path / folder).mkdir()
                np.save(tmp_path / folder / "truth_person.npy", np.int64(people))
        for name, content in (("original", original), ("tuned", tuned)):
            (tmp_path / name / "embedder").mkdir(parents=True)
            (tmp_path / name / "embedder/int8.tflite").write_text(content)
        models = tmp_path / "models"
        folders = tmp_path / "original", tmp_path / "tuned", tmp_path / "train", models
        metrics = stage.choose(*folders)
        return metrics, (models / "embedder/int8.tflite").read_text(), said

    return run


def test_a_better_model_is_kept(chosen):
    metrics, kept, said = chosen("poor", "good")
    assert (metrics["is_tuned"], kept) == (1, "good")
    assert (
        metrics["tuned_eer"] < metrics["original_eer"] and "fine-tuned embedder is kept" in said[0]
    )


@pytest.mark.parametrize("original", ["good", "poor"])
def test_a_model_that_is_not_better_is_dropped(chosen, original):
    metrics, kept, said = chosen(original, "poor")
    assert (metrics["is_tuned"], kept) == (0, original) and "not better" in said[0]


def test_without_validation_people_the_original_is_kept(chosen):
    metrics, kept, said = chosen("poor", "good", has_validation=False)
    assert (metrics, kept) == ({"is_tuned": 0}, "poor")
    assert "fewer than two people validate" in said[0] and "%" not in said[0]


def test_a_single_validation_person_decides_nothing(chosen):
    metrics, kept, said = chosen("poor", "good", owners=(0, 0, 0, 0))
    assert (metrics, kept) == ({"is_tuned": 0}, "poor") and "%" not in said[0]
