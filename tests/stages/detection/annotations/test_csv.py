"""CSV tables as people and tools write them."""

import pytest

from engine.stage import StageError
from tests.stages.detection import annotated
from tests.stages.detection.annotated import entries

SHARES = [0.333, 0.125, 0.667, 0.625]
HEADER = "filename,width,height,class,xmin,ymin,xmax,ymax"


@pytest.fixture
def root(tmp_path):
    return annotated.write(tmp_path / "data", "csv", entries())


def rewritten(root, change):
    """Change each line of the table."""
    path = root / "boxes.csv"
    lines = path.read_text().splitlines()
    path.write_text("".join(f"{change(line)}\n" for line in lines), encoding="utf-8")
    return root


def test_the_file_itself_may_be_given(made, root):
    assert made(root / "boxes.csv").metrics["boxes"] == 12


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_delimiters_are_read(made, root, delimiter):
    rewritten(root, lambda line: line.replace(",", delimiter))
    assert made(root).objects("00.png") == [("cat", SHARES)]


def test_a_byte_order_mark_and_spaces_are_ignored(made, root):
    text = (root / "boxes.csv").read_text().replace(",", " , ")
    (root / "boxes.csv").write_text(f"\ufeff{text}\n\n", encoding="utf-8")
    assert made(root).counted() == {}


@pytest.mark.parametrize(
    "header",
    [
        "image_path,width,height,label,x_min,y_min,x_max,y_max",
        "Image,Image Width,Image Height,Category,Left,Top,Right,Bottom",
        "file,a,b,name,x1,y1,x2,y2",
    ],
)
def test_columns_may_have_other_names(made, root, header):
    rewritten(root, lambda line: header if line.startswith("filename") else line)
    assert made(root).objects("00.png") == [("cat", SHARES)]


def test_a_table_with_other_columns_is_told_the_right_ones(made, root):
    rewritten(root, lambda line: line.replace("filename", "number"))
    with pytest.raises(StageError) as caught:
        made(root)
    assert f"write {HEADER} in its first line" in str(caught.value)
    assert "boxes.csv has the columns number,width" in str(caught.value)


@pytest.mark.parametrize("text", ["", "\n", "\0\0"])
def test_an_empty_table_is_refused(made, root, text):
    (root / "boxes.csv").write_text(text)
    with pytest.raises(StageError, match="write filename,width"):
        made(root)


def test_shares_and_names_without_a_suffix_are_those_of_open_images(made, root):
    rows = ["ImageID,Source,LabelName,XMin,XMax,YMin,YMax,IsGroupOf"]
    rows += [f"{at:02},x,cat,0.125,0.625,0.25,0.75,{int(at == 3)}" for at in range(12)]
    annotated.write_text(root / "boxes.csv", "\n".join(rows))
    found = made(root)
    assert found.objects("00.png") == [("cat", [0.25, 0.125, 0.75, 0.625])]
    assert sum(found.part(name).ignored.sum() for name in ("train", "val", "test")) == 1


@pytest.mark.parametrize(
    "corners", ["0.125,0.25,,,0.625,0.75,,", "0.125,0.25,0.625,0.25,0.625,0.75,0.125,0.75"]
)
def test_google_automl_has_no_header(made, root, corners):
    parts = ["TRAIN"] * 7 + ["VALIDATE"] * 2 + ["TEST"] * 3
    rows = [f"{part},gs://bucket/images/{at:02}.png,cat,{corners}" for at, part in enumerate(parts)]
    annotated.write_text(root / "boxes.csv", "\n".join(rows))
    found = made(root)
    assert found.objects("00.png") == [("cat", [0.25, 0.125, 0.75, 0.625])]
    assert found.names("val") == ["07.png", "08.png"]
    assert found.names("test") == ["09.png", "10.png", "11.png"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("03.png,80,60,cat,1,2,x,4", "line 14 (xmax is 'x')"),
        ("03.png,80,60,cat,1,2,3", "line 14 (ymax is missing)"),
        ("03.png,80,60,,1,2,3,4", "line 14 (it has no class)"),
        (",80,60,cat,1,2,3,4", "line 14 (it has no file name)"),
        ("03.png,80,60,cat,1,2,1e999,4", "line 14 (xmax is 1e999)"),
    ],
)
def test_a_broken_row_is_named(made, root, line, reason):
    with (root / "boxes.csv").open("a") as file:
        file.write(f"{line}\n")
    found = made(root)
    assert found.counted() == {"broken_boxes": 1}
    assert reason in found.notes[0]


def test_tables_for_training_and_test_are_the_split(made, root):
    lines = (root / "boxes.csv").read_text().splitlines()
    for part, rows in (("train", lines[1:10]), ("test", lines[10:])):
        annotated.write_text(root / f"{part}_labels.csv", "\n".join([HEADER, *rows]))
    found = made(root)
    assert found.notes == []  # boxes.csv has the same boxes
    assert found.names("test") == ["09.png", "10.png", "11.png"]


def test_a_column_may_be_the_split(made, root):
    parts = iter(["split"] + ["train"] * 8 + ["valid"] * 2 + ["test"] * 2)
    rewritten(root, lambda line: f"{line},{next(parts)}")
    found = made(root)
    assert (found.names("val"), found.names("test")) == (
        ["08.png", "09.png"],
        ["10.png", "11.png"],
    )


def test_a_size_that_is_empty_is_that_of_the_picture(made, root):
    rewritten(root, lambda line: line.replace(",80,60,", ",,,"))
    assert made(root).objects("00.png") == [("cat", SHARES)]


def test_a_table_for_a_part_means_the_pictures_in_its_folder(made, tmp_path):
    root = tmp_path / "data"
    for part, first in (("train", 0), ("test", 10)):
        rows = [f"{at}.png,80,60,cat,10,20,50,40" for at in range(3)]
        annotated.write_text(root / "tables" / f"{part}_labels.csv", "\n".join([HEADER, *rows]))
        for at in range(3):
            annotated.picture(root / "images" / part / f"{at}.png", first + at)
    found = made(root)
    assert found.notes == []
    assert found.part("test").names == [f"images/test/{at}.png" for at in range(3)]
