"""Which files of a folder are the table, in every format."""

import gzip

import pytest

from engine.stage import StageError
from stages.tabular.formats import _find

ROWS = "a,b\n1,x\n2,y\n"


def test_files_with_the_same_columns_are_one_table(read):
    found = read({"1.csv": ROWS, "2.tsv": "B\ta\nz\t3\n", "sub/10.csv": "a;b\n4;w\n"})
    assert found.table.names == ["a", "b"]
    assert found.rows == [("1", "x"), ("2", "y"), ("3", "z"), ("4", "w")]
    assert [found.table.place(at) for at in (0, 2, 3)] == [
        "1.csv, line 2",
        "2.tsv, line 2",
        "sub/10.csv, line 2",
    ]
    assert found.table.splits == [None] * 4 and found.counts == {}


@pytest.mark.parametrize(
    "names",
    [
        ("train.csv", "test.csv"),
        ("my_Train.csv", "my_TEST.csv"),
        ("Training/a.csv", "Testing/a.csv"),
    ],
)
def test_names_of_files_or_folders_say_the_part(read, names):
    found = read({names[0]: ROWS, names[1]: "b,a\nz,3\n"})
    assert found.table.names == ["a", "b"], "the order of the training file"
    assert sorted(zip(found.table.splits, found.rows, strict=True)) == [
        ("test", ("3", "z")),
        ("train", ("1", "x")),
        ("train", ("2", "y")),
    ]


def test_a_single_file_has_no_part_whatever_its_name(read):
    assert read({"test.csv": ROWS}, only="test.csv").table.splits == [None, None]


def test_files_about_something_else_are_named(read):
    found = read(
        {
            "a.csv": ROWS,
            "test.csv": "c,d\n5,6\n",
            "README.txt": "one, two\n",
            "photo.jpg": b"\xff\xd8",
            "old.xlsx": b"PK",
            ".hidden.csv": ROWS,
        }
    )
    assert found.table.rows == 2 and found.counts == {"ignored_files": 4}
    said = found.findings.sentence("ignored_files")
    assert "test.csv (it lacks the column a, b of a.csv)" in said
    assert "old.xlsx (save the sheet as CSV)" in said


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"train.csv": ROWS, "test.csv": "a\n3\n"}, "test.csv lacks the column b of train.csv: add it"),
        ({"train.csv": "a\n3\n", "test.csv": ROWS}, "train.csv lacks the column b of test.csv: add it"),
        ({"train.csv": ROWS, "test.csv": "a,b,c\n3,x,1\n"}, "train.csv lacks the column c of test.csv: add"),
        ({"train.csv": ROWS, "test.csv": "5,z\n"}, "test.csv lacks the 2 columns a, b of train.csv: add them"),
        ({"1.csv": "height,b\n1,x\n2,y\n", "2.csv": "heigth,b\n3,z\n"}, "2.csv lacks the column height of 1.csv: rename its 'heigth'"),
    ],
)  # fmt: skip
def test_a_part_of_the_table_with_other_columns_is_refused(read, files, why):
    with pytest.raises(StageError) as error:
        read(files)
    assert why in str(error.value) and "out of the folder" in str(error.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.csv.gz", gzip.compress(ROWS.encode(), mtime=0)),
        ("x", ROWS),
        ("x.data", "1 x\n2 y\n"),
        ("x.json", '[{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]'),
        ("x.jsonl", '{"a": 1, "b": "x"}\n{"b": "y", "a": 2}\n'),
        (
            "x.arff",
            "@relation r\n@attribute a numeric\n@ATTRIBUTE 'b' {x,y}\n@data\n% no\n1,x\n2,'y'\n",
        ),
    ],
)
def test_a_table_is_read_in_each_format(read, name, content):
    assert read({name: content}, only=name).rows == [("1", "x"), ("2", "y")]


def test_files_in_other_encodings_are_read_and_named(read):
    found = read(
        {"1.csv": "Größe;b\nx;ä\n".encode("cp1252"), "2.csv": "größe;b\ny;ä\n".encode("utf-16")}
    )
    assert found.table.names == ["Größe", "b"] and found.rows == [("x", "ä"), ("y", "ä")]
    said = found.findings.sentence("recoded")
    assert (
        said == "converted 2 files from other encodings than UTF-8: 1.csv (cp1252), 2.csv (UTF-16)"
    )


def test_objects_of_json_may_lack_keys_and_have_values_of_any_type(read):
    found = read({"x.json": '[{"a": true}, 7, {"b": [1], "a": null}, {"a": 1.5}]'})
    assert found.rows == [("True", ""), ("", "[1]"), ("1.5", "")]
    assert found.findings.sentence("broken_rows").endswith("x.json, entry 2 (it is no object)")


def test_names_of_arff_may_be_quoted(read):
    found = read(
        {"x.arff": "@attribute 'it\\'s, a' real\n@attribute \"b b\" {x}\n@data\n1,'x, y'\n"}
    )
    assert found.table.names == ["it's, a", "b b"] and found.rows == [("1", "x, y")]


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("x.xlsx", b"PK", "x.xlsx has no table: save the sheet as CSV"),
        ("x.zip", b"PK", "x.zip has no table: unpack it first"),
        ("x.pkl", b"\x80", "a pickle can run any code: save it as CSV"),
        ("x.json", "{", "x.json: line 1 is not JSON"),
        ("x.json", '{"a": {"0": 1, "1": 2}, "y": {"0": 3, "1": 4}}', "to_json(orient='records')"),
        ("x.arff", "hello", "x.arff has no @attribute or no @data"),
        ("x.arff", "@attribute a real\n@data\n{0 1}\n", "a sparse ARFF file"),
        ("x.csv.gz", b"\x1f\x8bxx", "x.csv.gz cannot be unpacked"),
    ],
)
def test_a_file_without_a_table_is_refused_with_what_to_do(read, name, content, why):
    with pytest.raises(StageError) as error:
        read({name: content}, only=name)
    assert why in str(error.value)


def test_a_file_that_is_too_large_is_refused(read, monkeypatch):
    monkeypatch.setattr(_find, "MOST_BYTES", 1_000)
    for name, content in (("x.csv", "1\n" * 600), ("x.csv.gz", gzip.compress(b"1\n" * 600))):
        with pytest.raises(StageError, match=r"is larger than .*: give a part of its rows"):
            read({name: content}, only=name)
