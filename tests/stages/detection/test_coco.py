"""COCO as people and tools write it."""

import json

import pytest

from engine.stage import StageError
from tests.stages.detection import annotated
from tests.stages.detection.annotated import CORNERS, coco, entries

SHARES = [0.333, 0.125, 0.667, 0.625]


@pytest.fixture
def root(tmp_path):
    return annotated.write(tmp_path / "data", "coco", entries())


@pytest.fixture
def changed(made, root):
    """Run the stage after a change of the tables."""

    def run(change):
        tables = coco(entries())
        change(tables)
        annotated.write_text(root / "annotations.json", json.dumps(tables))
        return made(root)

    return run


def test_the_file_itself_may_be_given(made, root):
    found = made(root / "annotations.json")
    assert (found.counted(), found.metrics["boxes"]) == ({}, 12)


def test_crowds_are_ignored(changed):
    found = changed(lambda tables: tables["annotations"][3].update(iscrowd=1))
    assert sum(found.part(name).ignored.sum() for name in ("train", "val", "test")) == 1


def test_a_category_without_a_box_is_no_class(changed):
    found = changed(lambda tables: tables["categories"].append({"id": 0, "name": "animals"}))
    assert found.part("train").labels == ["cat", "dog"]


def test_an_unknown_category_is_named(changed):
    found = changed(lambda tables: tables["annotations"][3].update(category_id=77))
    assert found.counted() == {"unknown_classes": 1, "unusable": 1}
    assert "annotations.json, annotation 3 (category 77)" in "".join(found.notes)


def test_annotations_of_an_image_that_is_not_listed_are_named(changed):
    found = changed(lambda tables: tables["annotations"][3].update(image_id=77))
    assert found.counted() == {"orphaned": 1}
    assert "annotation 3 of image 77, which is not listed" in found.notes[0]


@pytest.mark.parametrize(
    "bbox", [None, "abc", [1, 2, 3], [1, 2, 3, None], [1, 2, 3, float("nan")], [1, 2, 3, {}]]
)
def test_a_bbox_that_is_not_one_is_named(changed, bbox):
    found = changed(lambda tables: tables["annotations"][3].update(bbox=bbox))
    assert found.counted() == {"broken_boxes": 1, "unusable": 1}


def test_entries_that_are_no_objects_are_named(changed):
    found = changed(lambda tables: tables["annotations"].append("abc"))
    assert found.counted() == {"broken_annotations": 1}
    assert "annotations.json (annotations[12] is 'abc')" in found.notes[0]


def test_identifiers_may_be_text(changed):
    def change(tables):
        for one in tables["annotations"]:
            one["image_id"] = str(one["image_id"])

    assert changed(change).metrics["boxes"] == 12


def test_an_image_may_be_listed_twice(changed):
    def change(tables):
        tables["images"].append({**tables["images"][3], "id": 99})
        tables["annotations"].append(
            {"id": 99, "image_id": 99, "category_id": 2, "bbox": [0, 0, 8, 6]}
        )

    found = changed(change)
    assert found.objects("03.png") == [("cat", SHARES), ("dog", [0.0, 0.0, 0.1, 0.1])]


@pytest.mark.parametrize(
    "name", ["C:\\pictures\\03.png", "/home/me/images/03.png", "./images/03.png"]
)
def test_paths_of_another_computer_are_found_by_name(changed, name):
    found = changed(lambda tables: tables["images"][3].update(file_name=name))
    assert found.counted() == {}


def test_an_image_without_a_size_has_that_of_its_picture(changed):
    found = changed(lambda tables: tables["images"][3].pop("width"))
    assert found.counted() == {"unsized": 1}
    assert found.objects("03.png") == [("cat", SHARES)]


def test_json_that_cannot_be_parsed_is_named(made, root):
    annotated.write_text(root / "other.json", '{"images": [')
    found = made(root)
    assert found.counted() == {"broken_annotations": 1}
    assert "other.json (Expecting value" in found.notes[0]


def test_nothing_but_broken_json_is_refused(made, root):
    annotated.write_text(root / "annotations.json", '{"images": [')
    with pytest.raises(
        StageError, match=r"data has no annotations \(skipped 1 annotation .*\.json \(Expec"
    ):
        made(root)


def test_other_json_is_ignored(made, root):
    annotated.write_text(root / "settings.json", "{}")
    assert made(root).notes == ["ignored 1 file not used by this data set: settings.json"]


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("instances_{}.json", "annotations"),
        ("instances_{}2017.json", "annotations"),
        ("_annotations.coco.json", "{}"),
    ],
)
def test_several_files_are_the_split(made, tmp_path, name, more):
    given, root = entries(), tmp_path / "data"
    for part, rows in (("train", given[:7]), ("val", given[7:9]), ("test", given[9:])):
        for entry in rows:
            annotated.picture(root / part / entry.name, given.index(entry))
        path = root / more.format(part) / name.format(part)
        annotated.write_text(path, json.dumps(coco(rows)))
    found = made(root)
    assert found.notes == []
    assert found.names("val") == ["07.png", "08.png"]
    assert found.names("test") == ["09.png", "10.png", "11.png"]


def test_of_cocos_own_files_only_those_with_objects_are_read(made, root):
    (root / "annotations.json").rename(root / "instances_all.json")
    captions = coco(entries()) | {"annotations": [{"image_id": 0, "caption": "a cat"}]}
    annotated.write_text(root / "captions_all.json", json.dumps(captions))
    people = coco([entries()[0].with_boxes(("person", *CORNERS))])
    annotated.write_text(root / "person_keypoints_all.json", json.dumps(people))
    found = made(root)
    assert found.part("train").labels == ["cat", "dog"]
    assert found.counted() == {"ignored_files": 2}
