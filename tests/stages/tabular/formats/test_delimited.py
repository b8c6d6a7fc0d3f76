"""CSV and the like: names or none, rows of another length, titles and quotes."""

import pytest

from engine.stage import StageError

ROWS = "1,red,x\n2,blue,y\n3,red,x\n4,green,y\n"
NAMES = ["column 1", "column 2", "column 3"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a,b,c\n" + ROWS, ["a", "b", "c"]),
        (ROWS, NAMES),
        (
            "colour,class\nred,yes\nblue,no\nred,no\n",
            ["colour", "class"],
        ),  # words that do not recur
        ("red,yes\nblue,no\nred,no\n", ["column 1", "column 2"]),  # words that do
        ("x,?\ny,2\n", ["column 1", "column 2"]),  # a missing value is no name
        ("1.5;2\n2.5;3\n", ["column 1", "column 2"]),
        ("id;\n1;x\n", ["id", "column 2"]),
    ],
)
def test_names_are_told_from_values(read, text, names):
    assert read({"a.csv": text}).table.names == names


def test_names_that_are_numbers_are_told_by_the_user(read, said):
    text = "2019,2020\n1,5\n2,6\n"
    assert read({"a.csv": text}, header=True).table.names == ["2019", "2020"]
    assert said.notes == []
    assert read({"a.csv": text}).rows[0] == ("2019", "2020")
    assert "no line with the names of the columns" in said.notes[0]
    assert "set params.header=true" in said.notes[0]
    assert read({"a.csv": "a,b\n1,2\n"}, header=False).rows[0] == ("a", "b")


def test_cells_lose_spaces_and_a_byte_order_mark(read):
    found = read({"a.csv": '\ufeffa , b\n\t1 , "x y "\n'})
    assert found.table.names == ["a", "b"] and found.rows == [("1", "x y")]


def test_names_are_made_unique_and_complete(read):
    found = read({"a.csv": "a,A,,a\n" + "1,2,3,4\n"})
    assert found.table.names == ["a", "A (2)", "column 3", "a (3)"]
    assert found.counts == {"repeated_names": 2}


def test_rows_with_another_number_of_cells_are_named(read):
    found = read({"a.csv": "a,b\n1,2\n3\n4,5,6\n7,8,,\n9,10\n"})
    assert found.rows == [("1", "2"), ("7", "8"), ("9", "10")]
    assert found.findings.sentence("broken_rows") == (
        "skipped 2 rows that cannot be used: a.csv, line 3 (1 cells, not 2), a.csv, line 4 (3 cells, not 2)"
    )


def test_the_names_of_rows_that_r_writes_are_a_column(read):
    found = read({"a.txt": '"a" "b"\n"1" 5 "x"\n"2" 6 "y"\n'})
    assert found.table.names == ["row", "a", "b"] and found.rows[1] == ("2", "6", "y")


def test_a_title_above_the_table_is_left_out(read):
    found = read({"a.csv": "Report 2024;;\n;;\na;b;c\n1;2;x\n3;4;y\n"})
    assert found.table.names == ["a", "b", "c"] and found.table.rows == 2
    assert found.table.place(1) == "a.csv, line 5"
    assert found.counts == {"broken_rows": 1}


@pytest.mark.parametrize("count", [10, 300])
def test_a_quote_that_never_ends_does_not_swallow_the_rows(read, count):
    rows = "".join(f"{at},word\n" for at in range(count))
    found = read({"a.csv": f'a,b\n0,"open\n{rows}'})
    assert found.table.rows == count + 1 and found.rows[0] == ("0", '"open')
    assert found.counts == {"stray_quotes": 1}


def test_a_cell_that_is_too_long_is_not_blamed_on_quotes(read):
    with pytest.raises(StageError) as error:
        read({"a.csv": f"a,b\n1,x\n2,{'y' * 200_000}\n"})
    assert "a.csv: line 3 has a cell of more than 131072 characters: shorten it" in str(error.value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "has no table: give a CSV"),
        ("a,b\n", "a.csv has no rows: add some below the names"),
        ("a,b,c\n1,2\n3,4\n", "its first line has 3 cells, but those below have 2"),
    ],
)
def test_a_file_without_rows_is_refused(read, text, why):
    with pytest.raises(StageError) as error:
        read({"a.csv": text}, only="a.csv")
    assert why in str(error.value)
