"""The model of a use case: defaults and parsing. Refusals are in tests/messages."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from engine import spec, yamlfile
from engine.spec import UseCase

ROOT = Path(__file__).resolve().parents[2]


def _stage(**keys):
    return spec.read({"name": "u", "stages": {"a": {"uses": "stages.x", **keys}}}, "u.yaml")[
        0
    ].stages["a"]


def test_a_stage_has_these_defaults():
    stage = _stage()
    assert (stage.runs_on, stage.retries, stage.retry_delay, stage.timeout) == (
        "build",
        0,
        1.0,
        None,
    )
    assert (stage.resources.cpus, stage.resources.memory, stage.resources.accelerator) == (
        1,
        0,
        False,
    )
    assert (stage.inputs, stage.outputs, stage.params, stage.require, stage.env) == (
        {},
        (),
        {},
        {},
        {},
    )


@pytest.mark.parametrize(
    ("key", "written", "read"),
    [
        ("timeout", "30m", 1800.0),
        ("timeout", 90, 90.0),
        ("retry_delay", "500ms", 0.5),
        ("require", {"acc": ">=0.85"}, {"acc": ">= 0.85"}),
        ("command", ["cp", "a", "b"], ("cp", "a", "b")),
        ("outputs", ["x"], ("x",)),
    ],
)
def test_values_are_read_into_one_form(key, written, read):
    assert getattr(_stage(**{key: written}), key) == read


def test_resources_are_read_in_bytes_and_cores():
    resources = _stage(resources={"cpus": 0.5, "memory": "2G", "accelerator": True}).resources
    assert (resources.cpus, resources.memory, resources.accelerator) == (0.5, 2 * 10**9, True)


def test_a_use_case_is_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        _stage().retries = 3


def test_parameters_may_be_lists_of_plain_values():
    params = {"sizes": [1, 2.5, "x", None, True], "name": None}
    assert (
        spec.read({"name": "u", "params": params, "stages": {"a": {"uses": "x"}}}, "u")[0].params
        == params
    )


@pytest.mark.parametrize("path", sorted(ROOT.glob("usecases/*.yaml")), ids=lambda path: path.stem)
def test_the_json_schema_knows_every_key_of_a_shipped_use_case(path):
    schema = json.loads((ROOT / "conf" / "schema" / "usecase.json").read_text())
    assert yamlfile.load(path).keys() - {"defaults"} <= schema["properties"].keys()


def test_the_json_schema_asks_for_what_the_model_asks_for():
    schema = json.loads((ROOT / "conf" / "schema" / "usecase.json").read_text())
    assert UseCase.model_json_schema()["properties"].keys() <= schema["properties"].keys()


def test_gates_under_the_former_name_of_a_stage_are_the_stages():
    now = {"uses": "stages.x", "formerly": "b", "require": {"acc": ">= 0.5", "f1": ">= 0.1"}}
    stages = {"a": now, "b": {"require": {"acc": ">= 0.9"}}}
    usecase, mistakes = spec.read({"name": "u", "stages": stages}, "u.yaml")
    assert (mistakes, list(usecase.stages)) == ([], ["a"])
    assert usecase.stages["a"].require == {"acc": ">= 0.9", "f1": ">= 0.1"}


def _use_case(objective: object) -> UseCase:
    return spec.read({"name": "u", "objective": objective, "stages": {"a": {"uses": "x"}}}, "u")[0]


@pytest.mark.parametrize(
    ("written", "objectives"),
    [
        (None, {}),
        ("a.x", {"a.x": None}),
        ({"maximise": "a.x"}, {"a.x": "maximise"}),
        (
            {"minimise": ["a.y", "a.z"], "maximise": "a.x"},
            {"a.x": "maximise", "a.y": "minimise", "a.z": "minimise"},
        ),
    ],
)
def test_objectives_have_an_order_and_directions(written, objectives):
    assert [*_use_case(written).objectives.items()] == [*objectives.items()]


def test_the_rule_for_the_best_job_has_limits_and_a_preference():
    best = _use_case(
        {"maximise": "a.x", "best": {"limits": {"a.x": ">=0.5"}, "prefer": "a.x"}}
    ).best
    assert (best.limits, best.prefer) == ({"a.x": ">= 0.5"}, "a.x")
    assert (_use_case("a.x").best.limits, _use_case("a.x").best.prefer) == ({}, None)


def test_an_input_that_is_null_is_not_given():
    inputs = {"x": None, "y": "b.out", "z": ["b.out", "c.out"]}
    data = {"name": "u", "stages": {"a": {"uses": "mystages.make", "inputs": inputs}}}
    usecase, mistakes = spec.read(data, "u.yaml")
    assert usecase is not None and mistakes == []
    assert usecase.stages["a"].inputs == {"y": "b.out", "z": ["b.out", "c.out"]}
    assert usecase.stages["a"].references == ["b.out", "b.out", "c.out"]
