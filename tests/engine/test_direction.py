"""Whether more or less of a metric is better."""

import pytest

from engine import direction


@pytest.mark.parametrize(
    ("metric", "rules", "better"),
    [
        ("accuracy", [">= 0.8"], 1),
        ("latency_ms", ["> 1"], 1),
        ("accuracy_drop", ["<= 0.01"], -1),
        ("latency_ms", [], -1),
        ("latency_ms.mean", [], -1),
        ("frames_per_s", [], 1),
        ("accuracy", [], 0),
        ("accuracy", ["== 1"], 0),
    ],
)
def test_a_gate_decides_or_else_the_unit(metric, rules, better):
    assert direction.better(metric, rules) == better


@pytest.mark.parametrize("metric", ["loss", "val_loss", "eer", "mean_error", "latency_ms"])
def test_errors_and_costs_are_minimised(metric):
    assert direction.is_minimised(metric, [])


@pytest.mark.parametrize(
    ("metric", "rules"), [("accuracy", []), ("loss", ["> 1"]), ("closeness", [])]
)
def test_everything_else_is_maximised(metric, rules):
    assert not direction.is_minimised(metric, rules)
