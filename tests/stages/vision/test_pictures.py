"""Which pictures a user's folder or CSV holds, and of which class each is."""

from pathlib import Path

import pytest

from engine.stage import StageError
from stages.vision import _pictures


def lay(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def found(root: Path) -> list[tuple[str, str, str | None]]:
    return [(one.name, one.label, one.split) for one in _pictures.find(root).sources]


def test_a_folder_is_a_class_with_all_that_is_below_it(tmp_path):
    lay(tmp_path, "cat/2.jpg", "cat/10.PNG", "cat/more/a.webp", "dog/x.jpeg", "dog/.hidden.jpg")
    assert found(tmp_path) == [
        ("cat/2.jpg", "cat", None),
        ("cat/10.PNG", "cat", None),
        ("cat/more/a.webp", "cat", None),
        ("dog/x.jpeg", "dog", None),
    ]


def test_what_is_no_picture_is_named(tmp_path):
    lay(tmp_path, "cat/1.jpg", "dog/1.jpg", "dog/notes.txt", "README.md")
    assert _pictures.find(tmp_path).ignored == ["dog/notes.txt", "README.md"]


def test_a_class_without_a_picture_is_named(tmp_path):
    lay(tmp_path, "cat/1.jpg", "dog/1.jpg", "owl/notes.txt")
    (tmp_path / "yak").mkdir()
    looked = _pictures.find(tmp_path)
    assert (looked.labels, looked.empty) == (["cat", "dog"], ["owl", "yak"])


def test_spaces_around_a_folders_name_are_no_part_of_the_class(tmp_path):
    lay(tmp_path, "cat /1.jpg", " dog/1.jpg", "dog/2.jpg")
    assert found(tmp_path) == [
        (" dog/1.jpg", "dog", None),
        ("cat /1.jpg", "cat", None),
        ("dog/2.jpg", "dog", None),
    ]


def test_classes_that_differ_in_case_alone_are_named_together(tmp_path):
    lay(tmp_path, "Cat/1.jpg", "cat/1.jpg", "dog/1.jpg")
    assert _pictures.find(tmp_path).alike == ["Cat", "cat"]


def test_the_parts_that_it_brings_stay(tmp_path):
    lay(tmp_path, "Train/cat/1.jpg", "Train/dog/1.jpg", "val/cat/2.jpg")
    assert [split for *_, split in found(tmp_path)] == ["train", "train", "test"]


@pytest.mark.parametrize("where", ["", "list.csv"])
def test_a_csv_lists_files_beside_it(tmp_path, where):
    lay(tmp_path, "all/1.jpg", "all/2.jpg")
    text = "\ufeffFile, Label,split\nall/1.jpg, cat,train\nall/2.jpg,dog,Valid\n"
    (tmp_path / "list.csv").write_text(text, encoding="utf-8")
    assert found(tmp_path / where) == [("all/1.jpg", "cat", "train"), ("all/2.jpg", "dog", "val")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,class\n", "has the columns name, class: write file,label"),
        ("", "has the columns none"),
        ("file,label\n1.jpg,\n", "line 2: a file and a label are required"),
        ("file,label\ngone.jpg,cat\n", "lists gone.jpg, not found in data/"),
        (
            "file,label,split\n1.jpg,cat,dev\n",
            "line 2: 'dev' is not a split: write train, val or test",
        ),
        (
            "file,label,split\n1.jpg,cat,train\n2.jpg,dog,\n",
            "has a split for some files only",
        ),
    ],
)
def test_a_csv_that_cannot_be_meant_is_refused(tmp_path, text, said):
    folder = lay(tmp_path / "data", "1.jpg", "2.jpg")
    (folder / "list.csv").write_text(text)
    with pytest.raises(StageError) as caught:
        _pictures.find(folder)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("1.jpg",), "has no folders: make one folder per class"),
        (("cat/1.jpg",), "at least two classes, but the only one is cat"),
        (("cat/1.txt", "dog/2.txt"), "at least two classes, but there are none"),
        (("train/cat/1.jpg", "test/cat/2.jpg", "new/3.jpg"), "the pictures contain new"),
        (("cat/1.jpg", "do\x07g/1.jpg"), "'do\\x07g' is not a valid class name"),
        (("cat/1.jpg", " /1.jpg"), "' ' is not a valid class name"),
    ],
)
def test_a_folder_of_another_layout_is_refused(tmp_path, names, said):
    with pytest.raises(StageError) as caught:
        _pictures.find(lay(tmp_path, *names))
    assert said in str(caught.value)
