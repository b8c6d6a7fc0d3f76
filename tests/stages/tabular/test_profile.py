"""The types of columns, found from their cells."""

import numpy as np
import pytest

from stages.tabular import _profile
from stages.tabular.formats._findings import Findings
from stages.tabular.formats._sheet import Table
from stages.tasks.columns import dates


@pytest.fixture
def typed(said):
    """Return the profile of the first of these columns, and the kinds of findings."""

    def done(*columns: list[str], name: str = "a"):
        names = [name, *(f"other {at}" for at in range(1, len(columns)))]
        table = Table(names, list(columns), True, [None] * len(columns[0]), [])
        findings = Findings()
        [first, *_] = _profile.profiles(table, findings)
        return first, {kind: count for kind, count in findings.counts().items() if count}

    return done


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["1", "2.5", "", "-3e2"], [1, 2.5, None, -300]),
        (["1,5", "2", "1.000,25", "NA"], [1.5, 2, 1000.25, None]),
        (["1,000", "2,500.5", "3", "-"], [1000, 2500.5, 3, None]),
        (["12 %", "5%", "7", "?"], [12, 5, 7, None]),
        (["$1,200.50", "$3", "none", "$4"], [1200.5, 3, None, 4]),
        (["inf", "1", "2", "-Infinity"], [None, 1, 2, None]),
        (["0", "0.5", "00.5", "1"], [0, 0.5, 0.5, 1]),
    ],
)
def test_numbers_are_read_as_their_column_writes_them(typed, cells, numbers):
    one, _ = typed(cells)
    expected = [float("nan") if number is None else number for number in numbers]
    assert one.column.type == "number"
    assert np.array_equal(one.numbers, expected, equal_nan=True)
    assert one.column.missing == pytest.approx(sum(map(np.isnan, expected)) / 4)
    assert (one.codes == -1).tolist() == np.isnan(expected).tolist()


@pytest.mark.parametrize(
    "cells",
    [
        ["01067", "99423", "10115", "80331"],  # postcodes
        ["5 kg", "3 g", "7 kg", "1 kg"],  # two units
        ["M1", "M2", "L3", "M4"],
        ["true", "False", "", "TRUE"],
        ["1", "two", "3", "four"],
        ["12:30", "14:00", "late", "early"],
    ],
)
def test_anything_else_is_a_category(typed, cells):
    one, _ = typed(cells)
    assert one.column.type == "category" and one.numbers is None


def test_the_other_columns_decide_on_a_number_in_doubt(typed):
    doubtful = ["1.234", "2.345"]
    assert typed(doubtful, ["1,5", "2,5"])[0].numbers.tolist() == [1234, 2345]
    assert typed(doubtful, ["1.5", "2.5"])[0].numbers.tolist() == [1.234, 2.345]


def test_few_words_among_numbers_are_missing_values_and_named(typed):
    cells = [*map(str, range(40)), "error", "error", "1e999", "-1.797e308"]
    one, found = typed(cells)
    assert one.column.type == "number" and np.isnan(one.numbers[-4:]).all()
    assert found == {"words_in_numbers": 1, "infinite": 2}


def test_a_number_beyond_float32_among_digits_is_missing(typed):
    one, found = typed(["1.5", "2", "1.797e308"])
    assert one.numbers[:2].tolist() == [1.5, 2] and np.isnan(one.numbers[2])
    assert found == {"infinite": 1}


def test_words_that_differ_in_letter_case_are_one_category(typed):
    one, found = typed(["Yes", "yes", "yes ", "NO", "?"])
    assert one.keys == ["no", "yes"] and one.codes.tolist() == [1, 1, 1, 0, -1]
    assert one.spoken == {"yes": "yes", "no": "NO"} and found == {"respelt": 1}


@pytest.mark.parametrize(
    ("cells", "form"),
    [
        (["2024-01-31", "2024-02-01"], dates.YEAR_FIRST),
        (["31.01.2024", "01.02.2024"], dates.DAY_FIRST),
        (["31/01/2024", "01/02/2024"], dates.DAY_FIRST),
        (["01/31/2024", "02/01/2024"], dates.MONTH_FIRST),
    ],
)
def test_dates_have_the_order_that_all_cells_allow(typed, said, cells, form):
    one, _ = typed(cells)
    assert (one.column.type, one.column.form) == ("date", form) and said.notes == []
    assert np.diff(one.numbers).tolist() == [1]


@pytest.mark.parametrize(
    ("cells", "form"),
    [
        (["01.02.2024", "03.04.2024"], dates.DAY_FIRST),
        (["01/02/2024", "3/4/2024"], dates.MONTH_FIRST),
    ],
)
def test_an_order_in_doubt_is_said(typed, said, cells, form):
    assert typed(cells)[0].column.form == form
    [note] = said.notes
    assert f"read with the {form}; write them as 2024-12-31" in note


@pytest.mark.parametrize("cells", [["12:30", "18:00"], ["12.30.00", "18.00.00"]])
def test_a_time_of_day_is_a_part_of_a_day(typed, cells):
    one, _ = typed(cells)
    assert one.column.form == dates.CLOCK
    assert (24 * one.numbers).tolist() == pytest.approx([12.5, 18])


def test_seconds_since_1970_are_dates_if_the_name_says_time(typed):
    cells = ["1704067200", "1704153600"]
    assert typed(cells, name="timestamp")[0].column.form == dates.SECONDS
    assert typed([f"{one}000" for one in cells], name="Time")[0].column.form == dates.MILLISECONDS
    assert typed(cells, name="serial")[0].column.type == "number"
