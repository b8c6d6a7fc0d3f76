"""Which values are plain, even if nested."""

import datetime
import math

import pytest

from engine import plain


@pytest.mark.parametrize(
    "value", [None, True, 0, -(2**63), 2**64 - 1, 1e308, "", "text", "\N{SNOWMAN}", "line\nline"]
)
def test_plain_values_have_no_fault(value):
    assert plain.fault(value) is None


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        -math.inf,
        10**400,
        10**5000,
        -(2**64),
        "\0",
        "\ud800",
        b"",
        datetime.date(2024, 1, 31),
        {1},
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_other_value_has_one_with_a_fix(value):
    what, fix = plain.fault(value)
    assert what and fix and len(what) < 200


def test_faults_are_named_by_their_place():
    data = {"a": [1, {"b": math.nan}], "c": {10**5000: 3}, "d": {"\0": 1}, "e": "fine"}
    assert [".".join(place) for place, _, _ in plain.faults(data)] == ["a.1.b", "c", "d"]
