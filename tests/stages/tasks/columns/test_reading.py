"""Rows of a user's file, found by the names or the places of the columns that the model knows."""

import pytest

from stages.media.unreadable import Unreadable
from stages.tasks.columns import reading
from stages.tasks.columns.column import LEFT_OUT, TARGET, Column, Feature
from stages.tasks.columns.schema import Schema

NUMBER = (Feature("a", edges=(0.0, 1.0)),)
COLUMNS = (
    Column("id", "number", LEFT_OUT),
    Column("Air speed", "number", features=NUMBER),
    Column("colour", "category", features=(Feature("colour", categories=("red", "blue")),)),
    Column("state", "category", TARGET),
)
NAMED, PLACED = Schema(COLUMNS), Schema(COLUMNS, has_header=False)


@pytest.fixture
def said(monkeypatch):
    notes: list[str] = []
    monkeypatch.setattr(reading, "note", notes.append)
    return notes


@pytest.fixture
def read(tmp_path, said):
    def done(text: str, schema: Schema = NAMED, name: str = "rows.csv"):
        (tmp_path / name).write_bytes(text.encode())
        return [(one.number, dict(one.cells)) for one in reading.rows(tmp_path / name, schema)]

    return done


ROW = {"Air speed": "1,5", "colour": "red"}


@pytest.mark.parametrize(
    "text",
    [
        'Air speed,colour\n"1,5",red\n',
        "\ufeffcolour;AIR  SPEED\nred;1,5\n",
        "colour\tair speed\r\nred\t1,5\r\n",
        "# comment\n\nAir speed|colour\n1,5|red\n\n",
    ],
)
def test_columns_are_found_by_name_in_any_order(read, said, text):
    assert read(text) == [(1, ROW)] and said == []


def test_further_columns_are_kept_if_known_and_ignored_if_not(read, said):
    [(_, row)] = read("id,x,state,colour,Air speed,y\n7,1,ok,red,2,3\n")
    assert {name: row[name] for name in ("id", "state", "colour", "Air speed")} == {
        "id": "7",
        "state": "ok",
        "colour": "red",
        "Air speed": "2",
    }
    assert said == ["ignored 2 columns that the model does not know: x, y"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            "Air speeed,colour\n1,red\n",
            "lacks the column Air speed; if its 'Air speeed' is 'Air speed', rename it",
        ),
        ("1,red\n", "lacks the 2 columns Air speed, colour; its first line must have the names"),
        ("Air speed,colour\n1,red,x\n", "line 2 has 3 cells instead of 2: put quotes"),
        ("Air speed,colour\n1\n", "line 2 has 1 cell instead of 2"),
        ("Air speed,colour\n", "it has no row"),
        ("", "it has no row"),
    ],
)
def test_a_file_without_the_columns_is_refused(read, text, why):
    with pytest.raises(Unreadable) as error:
        read(text)
    assert why in str(error.value)


def test_no_row_is_answered_if_a_later_one_is_damaged(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("Air speed,colour\n1,red\n2,red,x\n")
    with pytest.raises(Unreadable, match="line 3 has 3 cells"):
        next(reading.rows(path, NAMED))


@pytest.mark.parametrize("text", ["7,2,red,ok\n", "7,2,red\n", "no,speed,colour\n7,2,red\n"])
def test_without_names_columns_are_found_by_their_place(read, text):
    [(number, row)] = read(text, PLACED)
    assert number == 1
    assert (row["id"], row["Air speed"], row["colour"]) == ("7", "2", "red")


def test_without_names_another_number_of_columns_is_refused(read):
    with pytest.raises(Unreadable, match="has 2 cells instead of 3, or of 4 with the target"):
        read("2,red\n", PLACED)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", '[{"Air speed": 2, "colour": "red"}, {"colour": null}]'),
        ("a.jsonl", '{"air speed": 2, "colour": "red"}\n\n{"colour": null}\n'),
    ],
)
def test_objects_of_json_are_rows(read, name, text):
    assert read(text, name=name) == [
        (1, {"Air speed": 2, "colour": "red"}),
        (2, {"colour": None}),
    ]


def test_a_single_object_is_a_row(read, said):
    assert read('{"colour": "red", "x": 1}', name="a.json") == [(1, {"colour": "red"})]
    assert said == ["ignored column that the model does not know: x"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('[{"colour": "red"}, 3]', "entry 2 is no object: write"),
        ('{"colour": "red"}\n{"colour"\n', "line 2 is not JSON"),
        ('{"color": "red"}', "lacks the 2 columns Air speed, colour"),
        ("[]", "it has no row"),
    ],
)
def test_json_without_rows_is_refused(read, text, why):
    with pytest.raises(Unreadable) as error:
        read(text, name="a.json")
    assert why in str(error.value)


def test_a_file_too_large_to_read_is_refused(read, monkeypatch):
    monkeypatch.setattr(reading.reading, "MOST_BYTES", 5)
    with pytest.raises(Unreadable, match="larger than"):
        read("Air speed,colour\n1,red\n")
