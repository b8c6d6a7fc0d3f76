"""YOLO as people and tools write it."""

import shutil

import pytest

from engine.stage import StageError
from tests.stages.detection import annotated
from tests.stages.detection.annotated import entries

SHARES = [0.333, 0.125, 0.667, 0.625]
NAMES = "names: [cat, dog]\n"


@pytest.fixture
def root(tmp_path):
    return annotated.write(tmp_path / "data", "yolo", entries())


@pytest.fixture
def split(tmp_path):
    """The pictures in images/train, images/val and images/test, the texts in labels/."""
    given, root = entries(), tmp_path / "data"
    for part, rows in (("train", given[:7]), ("val", given[7:9]), ("test", given[9:])):
        for entry in rows:
            annotated.picture(root / "images" / part / entry.name, given.index(entry))
            text = annotated.line(int(entry.boxes[0][0] == "dog"), *entry.boxes[0][1:], entry.size)
            annotated.write_text(root / "labels" / part / f"{entry.stem}.txt", text)
    return root


def line(made, root, text):
    """Run the stage with one more line for the first picture."""
    with (root / "labels" / "00.txt").open("a") as file:
        file.write(f"{text}\n")
    return made(root)


@pytest.mark.parametrize("text", ["7 0.5 0.5 0.1 0.1", "-1 0.5 0.5 0.1 0.1"])
def test_an_unknown_class_is_named(made, root, text):
    found = line(made, root, text)
    assert found.counted() == {"unknown_classes": 1}
    assert f"labels/00.txt, line 2 (class {text.split()[0]})" in found.notes[0]
    assert found.objects("00.png") == [("cat", SHARES)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0 0.5 0.5 0.1", "3 coordinates, but a box has 4"),
        ("0", "0 coordinates, but a box has 4"),
        ("cat 0.5 0.5 0.1 0.1", "class is 'cat'"),
        ("0.5 0.5 0.5 0.1 0.1", "class is 0.5"),
        ("0 0.5 0.5 inf 0.1", "coordinate is inf"),
    ],
)
def test_a_line_that_is_no_box_is_named(made, root, text, reason):
    found = line(made, root, text)
    assert found.counted() == {"broken_boxes": 1}
    assert f"labels/00.txt, line 2 ({reason})" in found.notes[0]


def test_a_polygon_counts_as_the_box_round_it(made, root):
    found = line(made, root, "1 0.2 0.3 0.6 0.3 0.4 0.9")
    assert found.objects("00.png")[1] == ("dog", [0.3, 0.2, 0.9, 0.6])


def test_the_confidence_of_a_prediction_is_not_read(made, root):
    found = line(made, root, "1 0.5 0.5 0.2 0.2 0.87")
    assert found.objects("00.png")[1] == ("dog", [0.4, 0.4, 0.6, 0.6])


def test_a_file_that_is_no_text_is_named(made, root):
    (root / "labels" / "00.txt").write_bytes(b"\xff\xfe\x00")
    found = made(root)
    assert found.counted() == {"broken_annotations": 1}
    assert found.objects("00.png") is None


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("classes.txt", "cat\ndog\n"),
        ("labels/classes.txt", "cat\r\ndog\r\n"),
        ("obj.names", "cat\ndog\n"),
        ("data.yaml", NAMES),
        ("data.yml", "names:\n  0: cat\n  1: dog\n"),
    ],
)
def test_class_names_come_from_a_file(made, root, file, text):
    (root / "classes.txt").unlink()
    annotated.write_text(root / file, text)
    found = made(root)
    assert (found.counted(), found.part("train").labels) == ({}, ["cat", "dog"])


def test_without_class_names_it_is_refused(made, root):
    (root / "classes.txt").unlink()
    with pytest.raises(StageError, match=r"have no class names: add classes\.txt"):
        made(root)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("names: [cat", "data.yaml is not valid YAML"),
        ("names: 7", "data.yaml has wrong class names"),
        ("names: [cat, [dog]]", "its class is a list"),
        ("names: [cat, '']", "it has no class"),
    ],
)
def test_a_broken_data_yaml_is_refused(made, root, text, reason):
    annotated.write_text(root / "data.yaml", text)
    with pytest.raises(StageError) as caught:
        made(root)
    assert reason in str(caught.value)


def test_texts_may_be_beside_the_pictures(made, root):
    for path in list((root / "labels").iterdir()):
        path.rename(root / "images" / path.name)
    found = made(root)
    assert (found.counted(), found.metrics["boxes"]) == ({}, 12)


@pytest.mark.parametrize(
    "text",
    [
        "train: images/train\nval: images/val\ntest: images/test\n",
        "path: ../datasets/mine\ntrain: images/train\nval: images/val\ntest: images/test\n",
        "train: ../images/train\nval: ../images/val\ntest: ../images/test\n",
        "train: /home/me/images/train\nval: [C:\\me\\images\\val]\ntest: ./images/test\n",
        "",
    ],
)
def test_data_yaml_or_the_folders_are_the_split(made, split, text):
    annotated.write_text(split / "data.yaml", NAMES + text)
    found = made(split)
    assert found.notes == []
    assert found.names("val") == ["07.png", "08.png"]
    assert found.names("test") == ["09.png", "10.png", "11.png"]


def test_without_a_test_part_validation_is_the_test_part(made, split):
    for kind in ("images", "labels"):
        shutil.rmtree(split / kind / "test")
    annotated.write_text(split / "data.yaml", f"{NAMES}train: images/train\nval: images/val\n")
    found = made(split)
    assert found.names("test") == ["07.png", "08.png"] and found.names("val")


def test_lists_of_pictures_are_the_split(made, root):
    text = "train: train.txt\nval: val.txt\ntest: test.txt\n"
    annotated.write_text(root / "data.yaml", NAMES + text)
    for part, rows in (("train", range(7)), ("val", (7, 8)), ("test", (9, 10, 11))):
        names = "".join(f"./images/{at:02}.png\n" for at in rows)
        annotated.write_text(root / f"{part}.txt", names)
    found = made(root)
    assert (found.notes, found.names("val")) == ([], ["07.png", "08.png"])


def test_one_folder_for_all_parts_is_no_split(made, root):
    annotated.write_text(root / "data.yaml", f"{NAMES}train: images\nval: images\ntest: images\n")
    found = made(root)
    assert [len(found.names(name)) for name in ("train", "val", "test")] == [7, 2, 3]


def test_data_yaml_reaches_no_file_outside_the_folder(made, root, tmp_path):
    annotated.write_text(tmp_path / "secret.txt", "00.png\n")
    text = f"train: {tmp_path}/secret.txt\nval: ../secret.txt\n"
    annotated.write_text(root / "data.yaml", NAMES + text)
    found = made(root)
    assert sum(len(found.names(name)) for name in ("train", "val", "test")) == 12
