"""Dates and times in the forms that people write."""

import pytest

from stages.tasks.columns import dates

DAY = 19723  # of 2024-01-01


@pytest.mark.parametrize(
    ("text", "form", "time", "month", "weekday", "hour"),
    [
        ("2024-01-01", dates.YEAR_FIRST, DAY, 1, 0, 0),
        ("2024/1/2 12:00", dates.YEAR_FIRST, DAY + 1.5, 1, 1, 12),
        ("2024-01-01T06:00:00.250Z", dates.YEAR_FIRST, DAY + 0.25, 1, 0, 6),
        ("2024-01-01 18:00:00+02:00", dates.YEAR_FIRST, DAY + 0.75, 1, 0, 18),
        ("31.12.2023", dates.DAY_FIRST, DAY - 1, 12, 6, 0),
        ("31/12/23", dates.DAY_FIRST, DAY - 1, 12, 6, 0),
        ("12/31/2023 11:00 PM", dates.MONTH_FIRST, DAY - 1 + 23 / 24, 12, 6, 23),
        ("12/31/2023 12:00 AM", dates.MONTH_FIRST, DAY - 1, 12, 6, 0),
        ("1 Jan 2024", dates.YEAR_FIRST, DAY, 1, 0, 0),
        ("January 1st, 2024", dates.YEAR_FIRST, DAY, 1, 0, 0),
        ("1704067200", dates.SECONDS, DAY, 1, 0, 0),
        ("1704088800000", dates.MILLISECONDS, DAY + 0.25, 1, 0, 6),
        ("18:30", dates.CLOCK, 18.5 / 24, 1, 3, 18),
        ("06.30.00", dates.CLOCK, 6.5 / 24, 1, 3, 6),
        ("6:30:00 pm", dates.CLOCK, 18.5 / 24, 1, 3, 18),
        ("01.01.69", dates.DAY_FIRST, 36160, 1, 1, 0),
        ("01.01.70", dates.DAY_FIRST, 0, 1, 3, 0),
    ],
)
def test_a_date_has_time_month_weekday_and_hour(text, form, time, month, weekday, hour):
    assert dates.moment(text, form) == pytest.approx((time, month, weekday, hour))


@pytest.mark.parametrize(
    "text",
    ["", "2024", "2023-02-29", "2024-13-01", "31.12", "1 Foo 2024", "2024-01-01 25:00", "12:30"],
)
def test_anything_else_is_no_date(text):
    assert dates.moment(text, dates.YEAR_FIRST) is None


@pytest.mark.parametrize("text", ["", "25:00", "18:60", "18", "18:5", "18:30.00", "2024-01-01"])
def test_anything_else_is_no_time_of_day(text):
    assert dates.moment(text, dates.CLOCK) is None


@pytest.mark.parametrize("text", ["x", "nan", "inf", "1e300", "-1e300"])
def test_a_time_beyond_the_calendar_is_no_date(text):
    assert dates.moment(text, dates.SECONDS) is None
