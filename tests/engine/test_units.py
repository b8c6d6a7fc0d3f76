"""A metric's unit is the end of its name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import units

SPACE = "\N{NO-BREAK SPACE}"
GROUP = "\N{NARROW NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("metric", "value", "exact", "brief"),
    [
        ("latency_median_ms", 21.468, "21.47 ms", "21.5 ms"),
        ("latency_median_ms", 0.01468, "0.01468 ms", "14.7 µs"),
        ("latency_sum_ms", 2500.0, "2~500 ms", "2.5 s"),
        ("model_size_bytes", 126880.0, "126~880 bytes", "127 kB"),
        ("model_size_bytes", 12.0, "12 bytes", "12 bytes"),
        ("peak_memory_mb", 43.49, "43.49 MB", "43.5 MB"),
        ("throughput_per_s", 14597.3, "14~597 per s", "14~597 per s"),
        ("time_s", 0.5, "0.5 s", "0.5 s"),
        ("edgetpu_op_ratio", 0.875, "87.5 %", "87.5 %"),
        ("accuracy", 0.98765, "0.9877", "0.988"),
        ("correct", 36.0, "36", "36"),
        ("accuracy.mean", 0.5, "0.5", "0.5"),
        ("time_s.mean", 0.5, "0.5 s", "0.5 s"),
    ],
)
def test_a_value_is_written_with_its_unit(metric, value, exact, brief):
    found = [units.exact(metric, value), units.brief(metric, value)]
    assert [one.replace(SPACE, " ").replace(GROUP, "~") for one in found] == [exact, brief]


def test_a_metric_that_was_not_returned_has_no_unit():
    assert units.exact("time_s", None) == "none"


def test_the_title_of_a_metric_has_no_unit_and_no_underscores():
    assert units.title("latency_median_ms") == "Latency median"
    assert units.title("accuracy") == "Accuracy"
    assert units.title("r2") == "R²"
    assert units.title("eer") == "Equal error rate"


def test_less_time_and_size_are_better_and_more_throughput():
    names = ("latency_ms", "size_bytes", "throughput_per_s", "accuracy")
    assert [units.unit(name).better for name in names] == [-1, -1, 1, 0]


def test_a_figure_with_an_interval_has_three_decimals():
    assert [units.share(value) for value in (1.0, 0.9, 1234.0)] == [
        "1.000",
        "0.900",
        f"1{GROUP}234",
    ]


@given(st.sampled_from([*units.UNITS, "accuracy"]), st.floats())
def test_any_value_can_be_written(suffix, value):
    assert units.exact(f"x{suffix}", value) and units.brief(f"x{suffix}", value)
