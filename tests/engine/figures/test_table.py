"""Tables: a cell for each value, numbers right-aligned."""

import xml.etree.ElementTree as ElementTree

import pytest

from engine.figures import table

ROWS = [["walking", 98.251, 1200, True, None], ["sitting", 5, 3, False, None]]


def _figure(rows, names="abcde"):
    return {"columns": [{"name": name, "unit": "ms"} for name in names], "rows": rows}


def _cells(figure) -> list[list[tuple[str, str]]]:
    rows = ElementTree.fromstring(table.draw(figure)).iter("tr")
    return [[(one.text, one.get("class", "")) for one in row] for row in rows]


def test_a_column_has_its_unit_and_numbers_stand_at_the_right():
    head, first, second = _cells(_figure(ROWS))
    assert head[:2] == [("a (ms)", ""), ("b (ms)", "right")]
    assert [text for text, _ in first] == ["walking", "98.25", "1\u202f200", "yes", "–"]
    assert [side for _, side in second] == ["", "right", "right", "", ""]


def test_of_a_long_table_the_first_rows_are_shown_and_the_others_counted():
    figure = _figure([[1]] * (table.MOST_SHOWN + 7), "a")
    assert len(_cells(figure)) == table.MOST_SHOWN + 1
    assert "7 more rows" in table.draw(figure)


def test_a_row_with_another_number_of_values_is_refused():
    with pytest.raises(ValueError, match=r"^row 1 must have a value for each of the 5 columns"):
        table.check(_figure([ROWS[0], [1]]))
