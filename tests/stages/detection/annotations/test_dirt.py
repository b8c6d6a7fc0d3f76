"""What is wrong in a data set is fixed or left out, counted and named, in every format."""

import shutil

import pytest

from engine.stage import StageError
from tests.stages.detection import annotated
from tests.stages.detection.annotated import CORNERS, FORMATS

SHARES = [0.333, 0.125, 0.667, 0.625]  # of CORNERS


@pytest.fixture(params=FORMATS)
def form(request):
    return request.param


@pytest.fixture
def boxes(made, tmp_path, form):
    """Run the stage with these boxes on the first picture."""

    def run(*given):
        first, *others = annotated.entries()
        return made(annotated.write(tmp_path / "data", form, [first.with_boxes(*given), *others]))

    return run


def test_a_clean_set_has_nothing_to_report(boxes):
    found = boxes(("cat", *CORNERS))
    assert (found.counted(), found.notes) == ({}, [])
    assert found.objects("00.png") == [("cat", SHARES)]


def test_a_box_without_an_area_is_dropped(boxes):
    found = boxes(("cat", *CORNERS), ("cat", 20.0, 10.0, 40.0, 10.0))
    assert found.counted() == {"empty_boxes": 1}
    assert found.objects("00.png") == [("cat", SHARES)]
    assert found.notes == ["dropped 1 box without an area: images/00.png"]


def test_swapped_corners_are_put_in_order(boxes):
    found = boxes(("cat", 40.0, 50.0, 20.0, 10.0))
    assert found.counted() == {"swapped_boxes": 1}
    assert found.objects("00.png") == [("cat", SHARES)]


def test_a_box_is_clipped_to_the_picture(boxes):
    found = boxes(("cat", -30.0, 10.0, 30.0, 200.0))
    assert found.counted() == {"clipped_boxes": 1}
    assert found.objects("00.png") == [("cat", [0.0, 0.125, 0.5, 1.0])]


def test_a_pixel_beyond_the_picture_is_not_reported(boxes):
    assert boxes(("cat", 1.0, 1.0, 61.0, 81.0)).counted() == {}


def test_a_box_outside_the_picture_is_dropped(boxes):
    found = boxes(("cat", *CORNERS), ("cat", 70.0, 10.0, 90.0, 50.0))
    assert found.counted() == {"outside_boxes": 1}
    assert found.objects("00.png") == [("cat", SHARES)]


def test_a_box_that_is_annotated_twice_is_there_once(boxes):
    found = boxes(("cat", *CORNERS), ("cat", *CORNERS))
    assert found.counted() == {"repeated_boxes": 1}
    assert found.objects("00.png") == [("cat", SHARES)]


def test_a_box_with_a_broken_number_is_dropped(boxes):
    found = boxes(("cat", *CORNERS), ("cat", 1.0, "abc", 9.0, 9.0))
    assert found.counted() == {"broken_boxes": 1}
    assert "abc" in found.notes[0]
    assert found.objects("00.png") == [("cat", SHARES)]


@pytest.mark.parametrize("only", [(70.0, 10.0, 90.0, 50.0), (1.0, "abc", 9.0, 9.0)])
def test_a_picture_that_loses_all_its_boxes_is_not_background(boxes, only):
    found = boxes(("cat", *only))
    assert found.metrics["unusable"] == 1
    assert found.objects("00.png") is None
    assert "skipped 1 picture without a usable box: images/00.png" in found.notes


def test_a_picture_without_an_object_is_background(boxes):
    found = boxes()
    assert (found.counted(), found.metrics["background_pictures"]) == ({}, 1)
    assert found.objects("00.png") == []


def test_spellings_of_a_class_become_the_most_frequent_one(boxes):
    found = boxes(("CAT", *CORNERS))
    assert found.counted() == {"respelt_labels": 1}
    assert found.notes == [
        "renamed 1 class spelt differently in upper and lower case: CAT (now cat)"
    ]
    assert found.objects("00.png") == [("cat", SHARES)]


def test_classes_are_sorted_in_every_part(boxes):
    found = boxes(("Zebra", *CORNERS), ("dog", 1.0, 1.0, 9.0, 9.0))
    assert {tuple(found.part(name).labels) for name in ("train", "val", "test")} == {
        ("Zebra", "cat", "dog")
    }


def test_a_picture_without_an_annotation_is_skipped(made, tmp_path, form):
    root = annotated.write(tmp_path / "data", form, annotated.entries())
    annotated.picture(root / "images" / "new.png", 99)
    found = made(root)
    assert found.counted() == {"unannotated": 1}
    assert found.notes == ["skipped 1 picture without an annotation: images/new.png"]


def test_an_annotation_without_a_picture_is_skipped(made, tmp_path, form):
    root = annotated.write(tmp_path / "data", form, annotated.entries())
    (root / "images" / "03.png").unlink()
    found = made(root)
    assert found.counted() == {"orphaned": 1}
    assert "03" in found.notes[0]


def test_a_truncated_picture_is_skipped(made, tmp_path, form):
    root = annotated.write(tmp_path / "data", form, annotated.entries())
    path = root / "images" / "03.png"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found = made(root)
    assert found.counted() == {"unreadable": 1}
    assert found.notes[0].startswith("skipped 1 unreadable picture: images/03.png (")


def test_a_picture_stored_under_two_names_is_there_once(made, tmp_path, form):
    root = annotated.write(tmp_path / "data", form, annotated.entries())
    shutil.copy(root / "images" / "03.png", root / "images" / "04.png")
    found = made(root)
    assert found.counted() == {"repeated_pictures": 1}
    assert found.notes == [
        "dropped 1 picture stored under two names: images/04.png (the same as images/03.png)"
    ]


def test_both_names_of_a_picture_give_their_boxes(made, tmp_path, form):
    given = annotated.entries()
    given[4] = given[4].with_boxes(("dog", 45.0, 60.0, 60.0, 80.0))
    root = annotated.write(tmp_path / "data", form, given)
    shutil.copy(root / "images" / "03.png", root / "images" / "04.png")
    found = made(root)
    assert found.objects("03.png") == [("cat", SHARES), ("dog", [0.75, 0.75, 1.0, 1.0])]
    assert "which gains 1 box" in found.notes[0]


def test_other_files_are_named(made, tmp_path, form):
    root = annotated.write(tmp_path / "data", form, annotated.entries())
    annotated.write_text(root / "README.md", "my pictures")
    found = made(root)
    assert found.notes == ["ignored 1 file not used by this data set: README.md"]


def test_a_note_names_at_most_five_files(made, tmp_path, form):
    root = annotated.write(tmp_path / "data", form, annotated.entries(20))
    for at in range(8):
        annotated.picture(root / "images" / f"new{at}.png", 100 + at)
    (note,) = made(root).notes
    assert note.startswith("skipped 8 pictures without an annotation: images/new0.png, ")
    assert note.endswith("images/new4.png and 3 more")


def test_nothing_but_orphans_is_refused(made, tmp_path, form):
    annotated.annotate(tmp_path, form, annotated.entries(3))
    with pytest.raises(StageError, match=r"has no annotations|belongs to a picture"):
        made(tmp_path)


def test_pictures_none_of_which_can_be_read_are_refused(made, tmp_path, form):
    root = annotated.write(tmp_path / "data", form, annotated.entries(3))
    for path in (root / "images").iterdir():
        path.write_bytes(b"")
    with pytest.raises(StageError, match=r"no annotated picture can be used: skipped 3 unreadable"):
        made(root)
