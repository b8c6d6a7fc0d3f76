"""Features made from training values."""

import numpy as np
import pytest

from stages.tabular import _fit
from stages.tabular._profile import Profile
from stages.tasks.columns import dates
from stages.tasks.columns.column import Column

NAN = float("nan")


def test_longer_tables_have_more_bins_and_wider_ones_fewer():
    assert [_fit.usual_bins(rows, 10) for rows in (100, 1200, 10_000)] == [8, 10, 32]
    assert [_fit.usual_bins(10_000, columns) for columns in (128, 1000, 9000)] == [32, 4, 1]


def test_few_values_have_a_bin_each():
    assert _fit.edges(np.array([3.0, 1.0, 1.0, 7.0]), 8) == (1, 3, 7)


def test_many_values_have_bins_at_their_quantiles():
    found = _fit.edges(np.arange(1001.0) ** 2, 10)
    assert len(found) == 11 and (found[0], found[5], found[-1]) == (0, 500**2, 1000**2)


def test_a_value_that_fills_bins_does_not_use_them_up():
    values = np.concatenate([np.zeros(900), np.linspace(1, 100, 100)])
    found = _fit.edges(values, 10)
    assert found[0] == 0 and len(found) == 11 and found[-1] == 100


def test_a_missing_value_has_a_component_if_training_has_enough_of_them():
    values = np.arange(20.0)
    values[:4] = NAN
    assert not _fit.number("a", values, 8).has_missing
    values[4] = NAN
    found = _fit.number("a", values, 8)
    assert found.has_missing and found.median == 12


def _category(words: list[str], rows: int):
    keys = sorted(set(words) - {""})
    codes = np.array([keys.index(word) if word else -1 for word in words])
    one = Profile(Column("c", "category"), codes, None, keys, {key: key.upper() for key in keys})
    return _fit.fitted(one, np.arange(rows), 8, words, False)


def test_rare_categories_are_joined():
    column = _category(["b"] * 4 + ["a"] * 2 + ["x", "y", ""], 9)
    [feature] = column.features
    assert (feature.categories, column.rare) == (("a", "b"), ("x", "y"))
    assert feature.has_other and not feature.has_missing and feature.size == 3


def test_only_training_rows_count():
    [feature] = _category(["a", "a", "b", "b", "c", "c"], 4).features
    assert feature.categories == ("a", "b") and not feature.has_other


def test_there_are_at_most_so_many_categories():
    words = [f"{at // 8:04}" for at in range(8 * 200)]
    [feature] = _category(words, len(words)).features
    assert len(feature.categories) == _fit.MOST_CATEGORIES and feature.has_other


def _parts(first: str, days: list[float], is_split: bool = False) -> list[str]:
    start = np.datetime64(first, "s")
    texts = [str(start + np.timedelta64(int(day * 86400), "s")) for day in days]
    numbers = np.array([dates.moment(text, dates.YEAR_FIRST).time for text in texts])
    column = Column("d", "date", form=dates.YEAR_FIRST)
    one = Profile(column, np.arange(len(texts)), numbers)
    found = _fit.fitted(one, np.arange(len(texts)), 8, texts, is_split)
    return [feature.part for feature in found.features]


@pytest.mark.parametrize(
    ("days", "parts"),
    [
        (list(range(10)), ["time"]),
        (list(range(20)), ["time", "weekday"]),
        (list(range(0, 900, 30)), ["time", "month", "weekday"]),
        ([at / 8 for at in range(20)], ["time", "hour"]),
        (list(range(0, 70, 7)), ["time"]),
    ],
)
def test_a_date_has_the_parts_that_repeat_and_differ(days, parts):
    assert _parts("2024-01-01", days) == parts


def test_time_is_no_feature_of_a_table_that_is_split_by_it():
    assert _parts("2024-01-01", list(range(20)), is_split=True) == ["weekday"]
