"""Which picture an annotation describes."""

from pathlib import Path

import pytest

from stages.detection.annotations._files import Files, part_in_name


@pytest.fixture
def files(tmp_path):
    def make(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        return Files(tmp_path)

    return make


@pytest.mark.parametrize(
    ("annotation", "picture"),
    [
        ("labels/train/1.txt", "images/train/1.jpg"),
        ("labels/val/1.txt", "images/val/1.jpg"),
        ("other/train/1.txt", "images/train/1.jpg"),
        ("images/val/1.txt", "images/val/1.jpg"),
        ("2.jpg.txt", "images/2.jpg"),
        ("a.txt", "A.PNG"),
        ("3.txt", None),
    ],
)
def test_the_nearest_picture_of_that_name_is_described(files, annotation, picture):
    found = files("images/train/1.jpg", "images/val/1.jpg", "images/2.jpg", "A.PNG", annotation)
    path = found.picture_of(found.root / annotation)
    assert (path and found.name(path)) == picture


def test_an_exact_name_is_preferred(files):
    found = files("a.jpg", "A.jpg", "A.txt")
    assert found.name(found.picture_of(found.root / "A.txt")) == "A.jpg"


@pytest.mark.parametrize(
    ("name", "picture"),
    [
        ("1.jpg", "train/1.jpg"),
        ("val/1.jpg", "val/1.jpg"),
        ("D:\\data\\val\\1.jpg", "val/1.jpg"),
        ("gs://bucket/val/1.JPG", "val/1.jpg"),
        ("1", "train/1.jpg"),
        ("1.png", None),
        ("", None),
    ],
)
def test_a_name_in_an_annotation_may_be_a_path(files, name, picture):
    found = files("train/1.jpg", "val/1.jpg", "train/list.csv")
    path = found.picture_named(name, found.root / "train" / "list.csv")
    assert (path and found.name(path)) == picture


@pytest.mark.parametrize(
    ("folder", "part"),
    [
        ("train2017", "train"),
        ("images/Valid", "val"),
        ("test_1", "test"),
        ("toy train", None),
        ("a/b", None),
    ],
)
def test_a_folder_names_a_part(files, folder, part):
    found = files(f"{folder}/1.jpg")
    assert found.split(found.pictures[0]) == part


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("instances_train2017.json", "train"),
        ("test_labels.csv", "test"),
        ("annotations_VALID.json", "val"),
        ("raccoon_labels.csv", None),
        ("contest.csv", None),
    ],
)
def test_a_word_of_a_files_name_is_a_part(name, part):
    assert part_in_name(Path(name)) == part
