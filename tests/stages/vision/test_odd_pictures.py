"""What becomes of every picture in tests/stages/odd_pictures.py, in training and in `predict`."""

import importlib.util
import json
from typing import Any

import numpy as np
import pytest

from stages.edge import _items, predict
from stages.tflite import part
from stages.vision import dataset
from tests.stages import odd_pictures as odd
from tests.stages.tasks import packages

HEIC = () if importlib.util.find_spec("pillow_heif") else ("phone.HEIC",)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A class with all of them, and another one."""
    root = tmp_path_factory.mktemp("pictures") / "mine"
    odd.lay(root / "odd", *HEIC)
    (root / "plain").mkdir()
    for number in range(3):
        odd.array(np.roll(odd.NOISE, 9 * number, axis=0))(root / "plain" / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def trained_on(folder, tmp_path_factory):
    """What the stage `dataset` reads: metrics, notes, and pixels by name."""
    work, notes = tmp_path_factory.mktemp("dataset"), []
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(work)
        patch.setattr(dataset, "note", notes.append)
        patch.setattr(dataset, "NAMED", 1000)
        metrics = dataset.dataset(folder, work / "train", work / "test", size=odd.SIDE)
    pixels: dict[str, Any] = {}
    for one in (work / "train", work / "train/validation", work / "test"):
        names = json.loads((one / "truth.json").read_text())["names"] if one.exists() else []
        pixels |= dict(zip(names, part.read(one).tensors["picture"] if names else (), strict=True))
    return metrics, "\n".join(notes), pixels


@pytest.fixture(scope="module")
def answered(folder, tmp_path_factory):
    """What the stage `predict` answers: metrics, notes, and the sources of its rows."""
    work, notes = tmp_path_factory.mktemp("predict"), []
    model = packages.always((1, 8, 8, 3), [0.25, 0.75])
    about = {"size": 8, "fit": "crop", "threshold": 0.5}
    package = packages.write(work / "package", "classify", about, model=model)
    with pytest.MonkeyPatch.context() as patch:
        for module in (_items, predict):
            patch.setattr(module, "note", notes.append)
            patch.setattr(module, "NAMED", 1000)
        metrics = predict.predict(package, work / "result", folder / "odd", task="classify")
    rows = (work / "result/predictions.jsonl").read_text().splitlines()
    return metrics, "\n".join(notes), [json.loads(row)["source"] for row in rows]


@pytest.mark.parametrize("name", odd.READ)
def test_a_picture_is_trained_on_as_a_viewer_shows_it(trained_on, name):
    if name in HEIC:
        pytest.skip("the extra 'heic' is not installed")
    pixels = trained_on[2][f"odd/{name}"].astype(int)
    assert np.abs(pixels - odd.ODD[name].shown).mean() < 8, name


def reason(notes: str, name: str) -> str:
    """Return what a note says of a file: `name (reason)`."""
    assert f"{name} (" in notes
    return notes.partition(f"{name} (")[2].partition(")")[0]


@pytest.mark.parametrize("name", odd.REFUSED)
def test_what_cannot_be_trained_on_is_named_with_its_reason(trained_on, name):
    assert odd.ODD[name].reason in reason(trained_on[1], f"odd/{name}")


def test_training_counts_what_it_leaves_out(trained_on):
    metrics, notes, pixels = trained_on
    assert metrics["unreadable"] == len(odd.REFUSED) + len(odd.NAMED)
    assert len(pixels) == len(odd.READ) - len(HEIC) + 3
    assert "skipped 1 non-picture file: odd/notes.txt" in notes


def test_hidden_files_are_not_named(trained_on):
    assert not [name for name in odd.HIDDEN if f"odd/{name}" in trained_on[1]]


@pytest.mark.slow
def test_predict_answers_the_same_pictures_and_names_the_rest(answered):
    metrics, notes, sources = answered
    assert sorted(sources) == sorted(set(odd.READ) - set(HEIC))
    assert metrics["skipped"] == len(odd.REFUSED)
    assert "skipped 1 file in an unsupported format: notes.txt" in notes
    for name in odd.REFUSED:
        assert odd.ODD[name].reason in reason(notes, name)
