"""The rules of gates: the same verdict on this machine and in a pod."""

import pytest

from engine.stage.rules import holds


@pytest.mark.parametrize(
    ("rule", "value", "kept"),
    [
        (">= 1", 1, True),
        ("> 1", 1, False),
        ("<= 1", 1, True),
        ("< 1", 1, False),
        ("== 1", 1, True),
        ("== 1", 2, False),
        ("<= 1 if measured", 1, True),
        ("<= 1 if measured", 2, False),
    ],
)
def test_a_rule_holds_at_its_bound(rule, value, kept):
    assert holds(value, rule) is kept


@pytest.mark.parametrize(("rule", "kept"), [("<= 1", False), ("<= 1 if measured", None)])
def test_without_a_value_a_rule_is_broken_or_not_judged(rule, kept):
    assert holds(None, rule) is kept
