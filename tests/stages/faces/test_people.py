"""Pictures of people as they come: read, aligned, divided, and the faulty ones named."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from engine.stage import StageError
from stages.faces.face_sample import face_sample
from stages.faces.people import people
from stages.tasks.face_input import FaceInput
from stages.tflite import part


@pytest.fixture
def pictures(tmp_path):
    face_sample(tmp_path / "people", count=6, each=4, side=64)
    return tmp_path / "people"


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Run the stage without a detector; return its metrics and what it noted."""
    said: list[str] = []
    monkeypatch.setattr("stages.faces.people.note", said.append)

    def run(folder, **params):
        face = tmp_path / "face.json"
        face.write_text(json.dumps(FaceInput(32, 32).constants()))
        parts = tmp_path / "train", tmp_path / "test"
        return people(folder, *parts, face=face, **params), said

    return run


def _names(folder):
    return json.loads((folder / "truth.json").read_text())["names"]


def test_each_person_is_in_the_gallery_and_in_one_other_part(made, pictures, tmp_path):
    metrics, said = made(pictures)
    assert (metrics["people"], metrics["gallery_faces"]) == (6, 6)
    assert metrics["val_faces"] + metrics["test_faces"] + metrics["repeated"] == 18
    owners = np.load(tmp_path / "train" / "truth_person.npy")
    assert owners.tolist() == [0, 1, 2, 3, 4, 5]
    assert part.read(tmp_path / "train").tensors["picture"].shape == (6, 32, 32, 3)
    assert said == [] or said[0].startswith("left out")


def test_to_finetune_some_people_have_a_part_of_their_own(made, pictures, tmp_path):
    metrics, _ = made(pictures, method="finetune")
    assert metrics["train_faces"] == part.read(tmp_path / "train/training").examples > 0
    owners = [
        set(np.load(tmp_path / folder / "truth_person.npy").tolist()) - {-1}
        for folder in ("train/training", "train/validation", "test")
    ]
    assert sum(len(one) for one in owners) == len(set.union(*owners))


def test_no_picture_of_a_person_is_a_raw_item(made, pictures, tmp_path):
    made(pictures)
    items = part.items(tmp_path / "test")
    owners = np.load(tmp_path / "test" / "truth_person.npy")
    assert len(items) == 4 and {owners[one.first] for one in items} == {-1}
    assert _names(tmp_path / "test")[items[0].first] == "drawn 0"


def test_test_pictures_are_raw_items_if_the_user_wants(made, pictures, tmp_path):
    made(pictures, show_faces=True)
    names = _names(tmp_path / "test")
    for item in part.items(tmp_path / "test"):
        assert item.path.read_bytes() == (pictures / names[item.first]).read_bytes()


def test_what_is_not_usable_is_named_and_counted(made, pictures):
    (pictures / "person_00" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    (pictures / "person_00" / "notes.txt").write_text("hair cut")
    (pictures / "nobody").mkdir()
    metrics, said = made(pictures)
    assert metrics["unreadable"] == 1
    told = " ".join(said)
    assert all(word in told for word in ("broken.jpg", "notes.txt", "nobody"))


def test_the_same_picture_in_two_folders_is_left_out(made, pictures):
    picture = Image.open(pictures / "person_00" / "03.png").copy()
    picture.save(pictures / "person_01" / "04.png")
    metrics, said = made(pictures)
    assert metrics["ambiguous"] == 2 and any("of two people" in text for text in said)


def test_fewer_than_two_people_are_refused(made, tmp_path):
    (tmp_path / "few" / "ann").mkdir(parents=True)
    with pytest.raises(StageError, match="one folder per person"):
        made(tmp_path / "few")


def test_forms_of_one_name_are_one_person(made, pictures, tmp_path):
    for at, name in enumerate(("Zo\u00eb", "Zoe\u0308", " Zo\u00eb ")):
        (pictures / f"person_0{at}").rename(pictures / name)
    metrics, _ = made(pictures, enrolled=3)
    labels = (tmp_path / "train/labels.txt").read_text(encoding="utf-8").splitlines()
    assert metrics["people"] == 4 and labels[0] == "Zo\u00eb"
    own = [name for name in _names(tmp_path / "train") if name.startswith("Zo")]
    assert len(own) == 3 and all(name.startswith("Zo\u00eb/") for name in own)


@pytest.mark.parametrize("name", ["unknown", " unknown"])
def test_nobody_can_be_called_unknown(made, pictures, name):
    (pictures / "person_00").rename(pictures / name)
    with pytest.raises(StageError, match=r"'unknown'.*rename the folder"):
        made(pictures)


def test_people_who_have_only_pictures_of_two_people_are_not_counted(made, pictures):
    for person in range(2, 6):
        shutil.rmtree(pictures / f"person_0{person}")
    shutil.rmtree(pictures / "person_01")
    shutil.copytree(pictures / "person_00", pictures / "person_01")
    with pytest.raises(
        StageError, match=r"fewer than two people have a usable face: 8 pictures show"
    ):
        made(pictures)


def test_a_share_that_leaves_nobody_to_test_is_refused(made, pictures):
    with pytest.raises(StageError, match=r"params\.val_share=0\.65.*below 0\.65"):
        made(pictures, method="finetune", val_share=0.65)


def test_without_a_model_of_its_role_there_is_no_detector(made, pictures, tmp_path):
    (tmp_path / "models").mkdir()
    metrics, _ = made(pictures, detector=tmp_path / "models")
    assert metrics["people"] == 6 and metrics["faceless"] == 0
