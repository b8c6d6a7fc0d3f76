"""Text with separated cells: which separator it has, and what is not part of the table."""

import pytest

from stages.media.unreadable import Unreadable
from stages.tasks.columns import delimited

ROWS = [["1.5", "red", "x"], ["2.5", "blue", "y"], ["3.5", "red, pale", "x"]]


def _cells(text: str, **options):
    return [one.cells for one in delimited.records(text, **options)]


@pytest.mark.parametrize("sign", ["\t", ";", "|"])
def test_the_separator_is_found(sign):
    assert _cells("".join(sign.join(row) + "\n" for row in ROWS)) == ROWS


def test_commas_may_stand_in_quotes():
    assert _cells('1.5,red,x\n2.5, "blue",y\n3.5,"red, pale",x\n') == ROWS


def test_decimal_commas_do_not_separate():
    assert _cells("1,5;2,7;3\n4,5;1,0;2\n") == [["1,5", "2,7", "3"], ["4,5", "1,0", "2"]]


def test_any_number_of_spaces_separates():
    assert _cells('18.0   8.   307.0\t"a b"\n 15.0  8.  350.0  "c d"\n') == [
        ["18.0", "8.", "307.0", "a b"],
        ["15.0", "8.", "350.0", "c d"],
    ]


def test_a_single_column_has_no_separator():
    assert _cells("a\n1\n2\n") == [["a"], ["1"], ["2"]]


def test_the_line_of_excel_names_the_separator():
    found = list(delimited.records("sep=|\na|b,c\n1|2,3\n"))
    assert found == [(2, ["a", "b,c"]), (3, ["1", "2,3"])]


def test_comments_above_the_table_and_empty_lines_are_left_out():
    found = list(delimited.records("# made by me, today\n\na,b\n1,2\n\n,\n3,4\n"))
    assert found == [(3, ["a", "b"]), (4, ["1", "2"]), (7, ["3", "4"])]


def test_a_line_break_may_stand_in_quotes():
    assert list(delimited.records('a,b\n"x\ny",2\n')) == [(1, ["a", "b"]), (3, ["x\ny", "2"])]


def test_quotes_may_mean_nothing():
    assert _cells('a,"b\nc,d\n', has_quotes=False) == [["a", '"b'], ["c", "d"]]


def test_what_is_expected_decides_between_separators():
    assert delimited.sniffed("a;b,c;d\n", lambda cells: len(cells) == 2) == ","


def test_a_cell_that_is_too_long_for_a_text_is_refused():
    with pytest.raises(Unreadable, match=r"line 1 has a cell .*quote"):
        _cells('"' + "x" * 200_000 + '",1\n', delimiter=",")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_unicode_is_recognised(encoding):
    assert delimited.text_of("größe,ja\r\n1,2\r".encode(encoding), "a.csv") == "größe,ja\n1,2\n"


def test_other_text_is_western_as_a_note_says(monkeypatch):
    said: list[str] = []
    monkeypatch.setattr(delimited, "note", said.append)
    assert delimited.text_of("größe;€".encode("cp1252"), "a.csv") == "größe;€"
    assert said == ["a.csv is not UTF-8: read as Western European (cp1252)"]
