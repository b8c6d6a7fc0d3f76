"""Which stages a target has. What is refused is in tests/test_messages.py."""

import pytest

from engine.spec import StageSpec
from engine.target import Target
from engine.when import left_out

CORAL = Target(name="coral", platform="linux/arm64", accelerator="edgetpu")


@pytest.mark.parametrize(
    ("when", "is_there"),
    [
        ({}, True),
        ({"accelerator": "edgetpu"}, True),
        ({"accelerator": "none"}, False),
        ({"accelerator": ["none", "edgetpu"]}, True),
        ({"accelerator": "edgetpu", "platform": "linux/amd64"}, False),
        ({"bus": None}, False),
    ],
)
def test_a_stage_is_there_if_the_target_has_one_of_the_values_of_each_key(when, is_there):
    spec = StageSpec.model_validate({"uses": "x", "when": when})
    assert ("a" not in left_out({"a": spec}, CORAL)) is is_there
