"""One stage per value: names, values inside the stage, combinations that are left out.

Refusals are in tests/messages.
"""

import pytest

from engine.foreach import base_of, expand, value_of


def _made(stages):
    made, mistakes = expand(stages, "u.yaml")
    assert mistakes == []
    return made


def _names(**stage):
    return list(_made({"a": stage}))


def test_a_stage_becomes_one_per_value_in_the_place_where_it_stood():
    stages = {"first": {}, "build": {"foreach": {"arch": ["amd64", "arm64"]}}, "last": {}}
    assert list(_made(stages)) == ["first", "build@amd64", "build@arm64", "last"]


def test_several_keys_make_the_product():
    assert _names(foreach={"model": ["cnn", "rnn"], "fold": [0, 1]}) == [
        "a@cnn-0",
        "a@cnn-1",
        "a@rnn-0",
        "a@rnn-1",
    ]


def test_excluded_combinations_are_not_made():
    exclude = [{"model": "rnn", "fold": 1}, {"fold": 2}]
    assert _names(foreach={"model": ["cnn", "rnn"], "fold": [0, 1, 2]}, exclude=exclude) == [
        "a@cnn-0",
        "a@cnn-1",
        "a@rnn-0",
    ]


@pytest.mark.parametrize(
    ("value", "name"),
    [(0.1, "a@0.1"), (1e-05, "a@1e-05"), (-1, "a@-1"), (True, "a@true"), ("v1.2", "a@v1.2")],
)
def test_a_value_is_written_in_the_name_as_in_yaml(value, name):
    assert _names(foreach={"x": [value]}) == [name]


@pytest.mark.parametrize(
    ("written", "read"), [("${each.x}", 1), ("x=${each.x}", "x=1"), ("${params.x}", "${params.x}")]
)
def test_each_is_the_value_alone_and_text_in_a_longer_text(written, read):
    assert _made({"a": {"foreach": {"x": [1]}, "params": {"n": [written]}}})["a@1"] == {
        "params": {"n": [read]}
    }


def test_each_is_filled_in_everywhere_in_the_stage():
    stage = {
        "foreach": {"x": ["pi"]},
        "image": "${each.x}",
        "inputs": {"i": "base@${each.x}.rootfs"},
    }
    assert _made({"a": stage}) == {"a@pi": {"image": "pi", "inputs": {"i": "base@pi.rootfs"}}}


def test_a_name_falls_apart_into_what_the_use_case_says_and_the_values():
    assert (base_of("train@cnn-0.1"), value_of("train@cnn-0.1")) == ("train", "cnn-0.1")
    assert (base_of("train"), value_of("train")) == ("train", "")
