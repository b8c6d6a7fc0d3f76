"""Pascal VOC as people and tools write it."""

import pytest

from engine.stage import StageError
from tests.stages.detection import annotated
from tests.stages.detection.annotated import CORNERS, Entry, xml

BOMB = """<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<annotation><filename>&b;</filename></annotation>"""
EXTERNAL = """<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]>
<annotation><filename>&a;</filename></annotation>"""


@pytest.fixture
def root(tmp_path):
    return annotated.write(tmp_path / "data", "voc", annotated.entries())


@pytest.mark.parametrize("folder", ["annotations", "Annotations", "images", "deep/er"])
def test_annotations_are_in_any_folder(made, root, folder):
    for path in list((root / "annots").iterdir()):
        (root / folder).mkdir(parents=True, exist_ok=True)
        path.rename(root / folder / path.name)
    (root / "annots").rmdir()
    found = made(root)
    assert (found.counted(), found.metrics["boxes"]) == ({}, 12)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no element found"),
        ("<annotation><object>", "no element found"),
        ("<annotation></object>", "mismatched tag"),
        (BOMB, "it declares entities"),
        (EXTERNAL, "it declares entities"),
        ("<annotations/>", "its first element is annotations"),
        ("<?xml version='1.0' encoding='klingon'?><annotation/>", "encoding"),
    ],
)
def test_xml_that_cannot_be_read_is_named_and_its_picture_skipped(made, root, text, reason):
    annotated.write_text(root / "annots" / "03.xml", text)
    found = made(root)
    assert found.counted() == {"broken_annotations": 1}
    assert "annots/03.xml (" in found.notes[0] and reason in found.notes[0]
    assert found.objects("03.png") is None


def test_nothing_but_broken_xml_is_refused(made, tmp_path):
    annotated.picture(tmp_path / "1.png")
    annotated.write_text(tmp_path / "1.xml", "<annotation>")
    with pytest.raises(StageError, match=r": 1\.xml \(no element found"):
        made(tmp_path)


@pytest.mark.parametrize(
    ("inside", "reason"),
    [
        ("<name>cat</name>", "it has no bndbox"),
        ("<name/><bndbox/>", "it has no class"),
        ("<name>cat</name><bndbox><xmin>1</xmin></bndbox>", "ymin is missing"),
        (
            "<name>cat</name><bndbox><xmin>nan</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax>"
            "</bndbox>",
            "xmin is nan",
        ),
    ],
)
def test_a_broken_object_is_named(made, root, inside, reason):
    text = xml(Entry("03.png")).replace("</annotation>", f"<object>{inside}</object></annotation>")
    annotated.write_text(root / "annots" / "03.xml", text)
    found = made(root)
    assert found.counted() == {"broken_boxes": 1}
    assert f"annots/03.xml ({reason}" in found.notes[0]


def test_difficult_objects_are_ignored(made, root):
    text = xml(Entry("03.png"), extra="<difficult>1</difficult>")
    annotated.write_text(root / "annots" / "03.xml", text)
    found = made(root)
    ignored = sum(found.part(name).ignored.sum() for name in ("train", "val", "test"))
    assert (ignored, found.metrics["boxes"]) == (1, 12)


def test_the_boxes_of_an_objects_parts_are_not_its_own(made, root):
    extra = (
        "<part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax>"
        "<ymax>2</ymax></bndbox></part>"
    )
    annotated.write_text(root / "annots" / "03.xml", xml(Entry("03.png"), extra))
    found = made(root)
    assert found.objects("03.png") == [("cat", [0.333, 0.125, 0.667, 0.625])]


def test_a_size_that_is_missing_is_that_of_the_picture(made, root):
    text = xml(Entry("03.png", size=(0, 0)))
    annotated.write_text(root / "annots" / "03.xml", text)
    found = made(root)
    assert found.counted() == {"unsized": 1}
    assert found.objects("03.png") == [("cat", [0.333, 0.125, 0.667, 0.625])]


def test_the_files_own_name_counts_and_not_the_one_in_it(made, root):
    text = xml(Entry("03.png", (("owl", *CORNERS),)), filename="04.png")
    annotated.write_text(root / "annots" / "03.xml", text)
    annotated.write_text(root / "annots" / "05.xml", xml(Entry("05.png", (("owl", *CORNERS),))))
    annotated.write_text(root / "annots" / "07.xml", xml(Entry("07.png", (("owl", *CORNERS),))))
    found = made(root)
    assert found.counted() == {"renamed": 1}
    assert found.objects("03.png")[0][0] == "owl" and found.objects("04.png")[0][0] == "cat"


def test_the_name_in_an_annotation_finds_a_picture_of_another_name(made, root):
    (root / "annots" / "03.xml").rename(root / "annots" / "image-3.xml")
    found = made(root)
    assert found.counted() == {"renamed": 1}
    assert found.objects("03.png") is not None


def test_a_second_annotation_of_a_picture_is_named(made, root):
    annotated.write_text(root / "annots" / "copy.xml", xml(Entry("03.png")))
    found = made(root)
    assert found.notes == [
        "skipped 1 annotation without a picture: annots/copy.xml (annots/03.xml describes 03.png)"
    ]


def test_of_pictures_with_one_stem_the_nearest_is_annotated(made, tmp_path):
    root = tmp_path / "data"
    for at, part in enumerate(["train", "test"] * 3):
        name = f"{at // 2}.png"
        annotated.picture(root / "images" / part / name, at)
        label = "cat" if part == "train" else "dog"
        text = xml(Entry(name, ((label, *CORNERS), ("cat", 1.0, 1.0, 9.0, 9.0))))
        text = text.replace("dog", "cat")
        annotated.write_text(root / "annotations" / part / f"{at // 2}.xml", text)
    found = made(root)
    assert found.part("test").names == [f"images/test/{at}.png" for at in range(3)]


def test_image_sets_are_the_split(made, root):
    sets = root / "ImageSets" / "Main"
    annotated.write_text(sets / "trainval.txt", "\n".join(f"{at:02}" for at in range(9)))
    annotated.write_text(sets / "train.txt", "\n".join(f"{at:02}  1" for at in range(6)))
    annotated.write_text(sets / "val.txt", "06\n07\n08\n")
    annotated.write_text(sets / "test.txt", "09\n10\n")
    annotated.write_text(sets / "cat_train.txt", "09 -1\n")
    found = made(root)
    assert found.names("val") == ["06.png", "07.png", "08.png"]
    assert found.names("test") == ["09.png", "10.png"]
    assert found.notes == ["skipped 1 picture missing from the existing split: images/11.png"]


def test_validation_is_cut_from_trainval(made, root):
    sets = root / "ImageSets" / "Main"
    annotated.write_text(sets / "trainval.txt", "\n".join(f"{at:02}" for at in range(9)))
    annotated.write_text(sets / "test.txt", "09\n10\n11\n")
    found = made(root)
    assert len(found.names("train")) + len(found.names("val")) == 9
    assert found.names("test") == ["09.png", "10.png", "11.png"] and found.names("val")


def test_of_two_pictures_with_one_stem_the_one_in_the_annotation_counts(made, root):
    annotated.picture(root / "images" / "03.bmp", 99)
    found = made(root)
    assert found.notes == ["skipped 1 picture without an annotation: images/03.bmp"]


@pytest.mark.parametrize("name", ["C:\\pictures\\03.PNG", "/home/me/03.png", "03", ""])
def test_the_name_in_an_annotation_may_be_a_path_or_missing(made, root, name):
    text = xml(Entry("03.png")).replace("<filename>03.png", f"<filename>{name}")
    annotated.write_text(root / "annots" / "03.xml", text)
    assert made(root).counted() == {}
