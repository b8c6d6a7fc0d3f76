"""Which stages a target has. Refusals are in tests/messages."""

import pytest

from engine.spec import StageSpec
from engine.target import Target
from engine.when import left_out, mistakes

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
    assert ("a" not in left_out({"a": spec}, CORAL, {})) is is_there


def _stages(**conditions):
    return {
        name: StageSpec.model_validate({"uses": "x", "when": {"params.method": wanted}})
        for name, wanted in conditions.items()
    }


BOTH = {"train": "finetune", "embed": ["last_layer", "imprint"]}


@pytest.mark.parametrize(
    ("method", "gone"), [("finetune", "embed"), ("imprint", "train"), ("last_layer", "train")]
)
def test_a_parameter_chooses_stages(method, gone):
    assert list(left_out(_stages(**BOTH), CORAL, {"method": method})) == [gone]


def test_the_reason_names_the_parameter_and_its_value():
    found = left_out(_stages(**BOTH), CORAL, {"method": "finetune"})
    reason = "params.method must be last_layer or imprint, but it is 'finetune'"
    assert found == {"embed": reason}


def test_a_value_that_chooses_no_stage_is_a_mistake_and_leaves_out_none():
    assert left_out(_stages(**BOTH), CORAL, {"method": "finetuned"}) == {}
    [mistake] = mistakes(_stages(**BOTH), {"method": "finetuned"}, "u.yaml")
    assert (mistake.where, mistake.fix) == ("u.yaml: params.method", "did you mean 'finetune'?")


@pytest.mark.parametrize(("wanted", "value"), [(True, False), ("debug", "fast"), (3, 4)])
def test_a_switch_that_is_off_is_no_mistake(wanted, value):
    stages = _stages(a=wanted)
    assert list(left_out(stages, CORAL, {"method": value})) == ["a"]
    assert list(mistakes(stages, {"method": value}, "u.yaml")) == []


WITH, WITHOUT = {"assets.pack": True}, {"assets.pack": False}


def _on_assets(**conditions):
    return {
        name: StageSpec.model_validate({"uses": "x", "when": when, "inputs": {"old": "asset:old"}})
        for name, when in conditions.items()
    }


@pytest.mark.parametrize(("pack", "gone"), [("/pack", "train"), (None, "extend")])
def test_an_asset_chooses_stages_by_whether_it_is_given(pack, gone):
    found = left_out(_on_assets(extend=WITH, train=WITHOUT), CORAL, {}, {"pack": pack})
    assert found == {gone: f"assets.pack is {'given' if pack else 'not given'}"}


def test_an_asset_that_needs_another_one_is_a_mistake_without_it():
    [mistake] = mistakes(_on_assets(extend=WITH), {}, "u.yaml", {"pack": None, "old": "/old"})
    assert (mistake.where, mistake.what) == (
        "u.yaml: assets.old",
        "it has no effect without assets.pack",
    )


@pytest.mark.parametrize(
    ("stages", "old"), [({"extend": WITH, "train": WITHOUT}, "/old"), ({"extend": WITH}, None)]
)
def test_an_asset_that_is_read_or_not_given_is_no_mistake(stages, old):
    assert list(mistakes(_on_assets(**stages), {}, "u.yaml", {"pack": None, "old": old})) == []


@pytest.mark.parametrize(("task", "gone"), [("detect", []), ("table", ["a"]), (None, ["a"])])
def test_the_task_chooses_stages(task, gone):
    stages = {"a": StageSpec(uses="x", when={"task": ["classify", "detect"]})}
    assert list(mistakes(stages, {}, "u.yaml")) == []
    assert list(left_out(stages, CORAL, {}, task=task)) == gone


def test_the_reason_names_the_task():
    stages = {"a": StageSpec(uses="x", when={"task": "detect"})}
    found = left_out(stages, CORAL, {}, task="table")
    assert found == {"a": "the task must be detect, but it is table"}
