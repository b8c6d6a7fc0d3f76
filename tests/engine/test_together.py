"""Optional inputs that are useless without others. The messages are in tests/messages."""

import pytest

from engine import check
from engine.placement import Placement
from engine.signature import Library
from engine.spec import UseCase

STAGES = {
    "make": "from engine.stage import Out\ndef make(data: Out) -> None: ...\n",
    "both": (
        "from engine.stage import In, Out\n"
        'TOGETHER = {"a": ["b"]}\n'
        "def both(out: Out, a: In | None = None, b: In | None = None) -> None: ...\n"
    ),
}


@pytest.fixture
def mistakes(tmp_path):
    """Check a stage with these inputs; return the locations of the mistakes."""
    (tmp_path / "lib").mkdir()
    for name, source in STAGES.items():
        (tmp_path / "lib" / f"{name}.py").write_text(source)

    def found(left_out=(), **inputs):
        stages = {"made": {"uses": "lib.make"}, "s": {"uses": "lib.both", "inputs": inputs}}
        assets = {"given": "photos", "none": None}
        usecase = UseCase.model_validate({"name": "u", "assets": assets, "stages": stages})
        here = Placement("linux/amd64", False, "x86_64")
        reasons = dict.fromkeys(left_out, "x must be 1")
        try:
            check.check(usecase, Library(["lib"], [tmp_path]), lambda *_: here, "u", reasons)
        except ExceptionGroup as group:
            return [mistake.where for mistake in group.exceptions]
        return []

    return found


@pytest.mark.parametrize(
    "inputs",
    [{}, {"b": "made.data"}, {"a": "asset:given", "b": "made.data"}, {"a": "asset:none"}],
)
def test_neither_both_or_only_the_useful_one_is_valid(mistakes, inputs):
    assert mistakes(**inputs) == []


def test_a_missing_asset_is_reported_as_the_asset(mistakes):
    assert mistakes(a="asset:given", b="asset:none") == ["u: assets.none"]


def test_an_input_whose_maker_is_left_out_is_reported_as_the_one_that_needs_it(mistakes):
    assert mistakes(["made"], a="asset:given", b="made.data") == ["u: assets.given"]


def test_an_input_that_is_not_connected_is_reported_as_missing(mistakes):
    assert mistakes(a="made.data") == ["u: stages.s.inputs"]


def test_an_invalid_reference_is_reported_only_once(mistakes):
    assert mistakes(a="made.data", b="made.date") == ["u: stages.s.inputs.b"]


def test_a_stage_that_is_left_out_needs_nothing(mistakes):
    assert mistakes(["s"], a="asset:given", b="asset:none") == []
