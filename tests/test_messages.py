"""What mistakes are answered with, word for word: place, what is wrong, the way out.

One table for each way to make them.
"""

import ast
import functools
import hashlib
import os
import re
from pathlib import Path

import pytest

from engine import asset, check, compose, digest, fetch, foreach, images, layout, spec, target, when, yamlfile
from engine.asset import AssetFile
from engine.containers import tunnel
from engine.containers.tunnel import Tunnel
from engine.drive import build_images
from engine.errors import UserError, raise_all
from engine.executors import device
from engine.placement import Placement, Setting
from engine.signature import Library
from engine.store import Store
from tests.conftest import ROOT

# --- a use case against the stages that it names

SOURCES = {  # of stages that are wrong themselves, or need something
    "torn": "x = 1\nx = = 1\n",
    "nameless": "def other(): ...\n",
    "vague": "from engine.stage import Out\ndef vague(data: Out, n: int) -> None: ...\n",
    "lazy": "from engine.stage import Out\ndef lazy(data: Out, *, n: int = len([])) -> None: ...\n",
    "needs": "from engine.stage import Out\ndef needs(data: Out, *, rate: float) -> None: ...\n",
    "_helper": "from engine.stage import Out\ndef _helper(data: Out) -> None: ...\n",
}

HEAD = "params: {n: 3}\nassets: {data: null}\nstages:\n"
A = "  a: {uses: mystages.make}\n"
HERE = Placement("linux/amd64", False, "x86_64")

NAME_RULE = "write letters, digits and _ only, a letter first"

MISTAKES = {
    "unknown_stage_key": (
        A + "  b: {uses: mystages.double, input: {number: a.data}}",
        ["u.yaml: stages.b.input", "there is no key 'input' here", "did you mean 'inputs'?"],
    ),
    "unknown_stage": (
        "  a: {uses: mystages.mak}",
        ["u.yaml: stages.a.uses", "there is no stage 'mystages.mak'", "did you mean 'mystages.make'?"],
    ),
    "code_outside": (
        "  a: {uses: os.system}",
        [
            "u.yaml: stages.a.uses",
            "'os.system' is outside the stage library",
            "name a stage under 'mystages.'",
        ],
    ),
    "unknown_parameter": (
        "  a: {uses: mystages.make, params: {m: 1}}",
        ["u.yaml: stages.a.params.m", "'mystages.make' has no parameter 'm'", "choose one of: n"],
    ),
    "wrong_type": (
        "  a: {uses: mystages.make, params: {n: many}}",
        ["u.yaml: stages.a.params.n", "'many' is not of the type int", "write a value of type int"],
    ),
    "unknown_reference": (
        A + "  b: {uses: mystages.double, inputs: {number: a.date}}",
        ["u.yaml: stages.b.inputs.number", "no stage makes 'a.date'", "did you mean 'a.data'?"],
    ),
    "no_reference": (
        A + "  b: {uses: mystages.double, inputs: {number: a}}",
        ["u.yaml: stages.b.inputs.number", "'a' is no reference", "write stage.output, or asset:key"],
    ),
    "unknown_asset": (
        "  b: {uses: mystages.double, inputs: {number: 'asset:date'}}",
        ["u.yaml: stages.b.inputs.number", "there is no asset 'date'", "did you mean 'asset:data'?"],
    ),
    "null_asset": (
        "  b: {uses: mystages.double, inputs: {number: 'asset:data'}}",
        [
            "u.yaml: assets.data",
            "the stage 'b' needs this asset, and it is null",
            "write assets.data=NAME_OR_PATH",
        ],
    ),
    "missing_input": (
        "  b: {uses: mystages.double}",
        [
            "u.yaml: stages.b.inputs",
            "'mystages.double' needs the input 'number'",
            "add 'number: stage.output' or 'number: asset:name'",
        ],
    ),
    "unknown_metric": (
        A + "  b: {uses: mystages.double, inputs: {number: a.data}, require: {totl: '> 1'}}",
        [
            "u.yaml: stages.b.require.totl",
            "'mystages.double' returns no metric 'totl'",
            "did you mean 'total'?",
        ],
    ),
    "cycle": (
        "  a: {uses: mystages.double, inputs: {number: c.data}}\n  b: {uses: mystages.double, inputs: "
        "{number: a.data}}\n"
        "  c: {uses: mystages.double, inputs: {number: b.data}}",
        [
            "u.yaml: stages.a.inputs.number",
            "these stages wait for one another: a -> b -> c -> a",
            "take one of these inputs from an earlier stage",
        ],
    ),
    "two_kinds": (
        "  a: {uses: mystages.make, command: ['true']}",
        [
            "u.yaml: stages.a",
            "a stage has one of 'command' and 'uses'",
            "write 'uses: stages.<domain>.<stage>'",
        ],
    ),
    "placeholder": (
        "  a: {command: [cp, '{inputs.y}', '{outputs.x}'], outputs: [x]}",
        ["u.yaml: stages.a.command", "there is no 'inputs.y' to fill in", "choose one of: outputs.x"],
    ),
    "output_twice": (
        "  a: {command: [touch, '{outputs.x}'], outputs: [x, x]}",
        ["u.yaml: stages.a.outputs", "'x' has two producers: it stands twice", "keep one of the two"],
    ),
    "metric_of_a_command": (
        "  a: {command: [touch, '{outputs.x}'], outputs: [x], require: {accuracy: '> 1'}}",
        [
            "u.yaml: stages.a.require.accuracy",
            "a command returns no metric 'accuracy'",
            "there is none to choose from",
        ],
    ),
    "no_outputs": (
        "  a: {command: ['true']}",
        ["u.yaml: stages.a.outputs", "a command says what it writes", "write 'outputs: [name]'"],
    ),
    "dots": (
        "  a: {command: ['true'], outputs: ['../x']}",
        [
            "u.yaml: stages.a.outputs.0",
            "'../x' is not a name",
            "write letters, digits and _ only, a letter first",
        ],
    ),
    "duration": (
        "  a: {uses: mystages.make, timeout: soon}",
        ["u.yaml: stages.a.timeout", "'soon' is not a duration", "write 90s, 30m or 2h"],
    ),
    "outputs_of_a_function": (
        "  a: {uses: mystages.make, outputs: [x]}",
        ["u.yaml: stages.a.outputs", "a function's outputs stand in its signature", "remove the key"],
    ),
    "unknown_input": (
        A + "  b: {uses: mystages.double, inputs: {number: a.data, numbr: a.data}}",
        ["u.yaml: stages.b.inputs.numbr", "'mystages.double' has no input 'numbr'", "did you mean 'number'?"],
    ),
    "missing_parameter": (
        "  a: {uses: mystages.needs}",
        ["u.yaml: stages.a.params", "'mystages.needs' needs the parameter 'rate'", "add 'rate: <float>'"],
    ),
    "unknown_objective": (
        A + "  b: {uses: mystages.double, inputs: {number: a.data}}\nobjective: b.totl",
        ["u.yaml: objective", "no stage returns 'b.totl'", "did you mean 'b.total'?"],
    ),
    "broken_stage": (
        "  a: {uses: mystages.torn}",
        [
            "{here}/mystages/torn.py, line 2",
            "Python cannot read it: invalid syntax",
            "mend the stage's source",
        ],
    ),
    "no_function": (
        "  a: {uses: mystages.nameless}",
        [
            "{here}/mystages/nameless.py",
            "it has no function 'nameless'",
            "a stage is a function named as its file",
        ],
    ),
    "neither_in_nor_out": (
        "  a: {uses: mystages.vague}",
        [
            "{here}/mystages/vague.py, line 2",
            "'n' is neither In nor Out",
            "annotate paths as In or Out, and put parameters behind a *",
        ],
    ),
    "default_that_is_no_value": (
        "  a: {uses: mystages.lazy}",
        [
            "{here}/mystages/lazy.py, line 2",
            "a default must be a plain value",
            "write a number, text, a list or None",
        ],
    ),
    "helper": (
        "  a: {uses: mystages._helper}",
        [
            "u.yaml: stages.a.uses",
            "there is no stage 'mystages._helper'",
            "did you mean 'mystages.needs'?",
        ],
    ),
}


def _told(raised: BaseException, here: Path) -> list[list[str]]:
    """Each mistake in its three lines; the test's own folder is {here}."""
    leaves = raised.exceptions if isinstance(raised, ExceptionGroup) else [raised]
    return [
        [part.replace(str(here), "{here}") for part in (leaf.where, leaf.what, leaf.fix)] for leaf in leaves
    ]


@pytest.fixture
def mistakes_of(project):
    """The mistakes of a use case whose stages are these."""
    for name, source in SOURCES.items():
        project.stage(name, source)

    def found(stages: str) -> list[list[str]]:
        path = project.path / "u.yaml"
        path.write_text("name: u\n" + HEAD + stages)
        with pytest.raises(ExceptionGroup) as caught:
            check.check(
                _read(yamlfile.load(path), "u.yaml"),
                Library(["mystages"], [project.path]),
                lambda *_: HERE,
                "u.yaml",
            )
        return _told(caught.value, project.path)

    return found


@pytest.mark.parametrize(("stages", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_answered_with_the_way_out(mistakes_of, stages, said):
    [found] = mistakes_of(stages)
    assert found[: len(said)] == said


def test_two_mistakes_are_told_at_once_in_the_order_of_the_file(mistakes_of):
    found = mistakes_of("  a: {uses: mystages.mak}\n  b: {uses: mystages.double, inputs: {numbr: a.data}}")
    assert [where for where, *_ in found] == [
        "u.yaml: stages.a.uses",
        "u.yaml: stages.b.inputs.numbr",
        "u.yaml: stages.b.inputs",
    ]


# --- foreach and when

P = "  p: {uses: mystages.make, foreach: {n: [1, 2]}, params: {n: '${each.n}'}}\n"
CHARACTERS = "write letters, digits, '_', '.', '+' and '-' only"
FOREACH = "  a: {uses: mystages.make, foreach: "
LEFT_OUT = "  a: {uses: mystages.make, when: {accelerator: edgetpu}}\n"
REASON = "it is there only when accelerator is edgetpu, and pi's is none"
VALUES = {
    "no_keys": (
        FOREACH + "[1, 2]}",
        [
            "u.yaml: stages.a.foreach",
            "a key with its values is expected here",
            "write foreach: {key: [value, value]}",
        ],
    ),
    "no_values": (
        FOREACH + "{n: []}}",
        [
            "u.yaml: stages.a.foreach.n",
            "a list of values is expected here",
            "write foreach: {key: [value, value]}",
        ],
    ),
    "no_file_name": (
        FOREACH + "{n: [1, linux/amd64]}}",
        ["u.yaml: stages.a.foreach.n", "'linux/amd64' cannot be a part of a file's name", CHARACTERS],
    ),
    "a_value_twice": (
        FOREACH + "{n: [1, '1']}}",
        ["u.yaml: stages.a.foreach.n", "the value '1' stands twice", "keep one of the two"],
    ),
    "a_name_twice": (
        FOREACH + "{m: [a-b, a], n: [c, b-c]}}",
        [
            "u.yaml: stages.a.foreach",
            "two combinations are called 'a@a-b-c'",
            "leave '-' out of the values",
        ],
    ),
    "a_long_name": (
        FOREACH + "{n: [" + "x" * 127 + "]}}",
        [
            "u.yaml: stages.a.foreach",
            "'a@" + "x" * 38 + "...' is longer than 128 characters",
            "write shorter values",
        ],
    ),
    "everything_excluded": (
        FOREACH + "{n: [1]}, exclude: [{n: 1}]}",
        ["u.yaml: stages.a.exclude", "it removes every combination", "keep one"],
    ),
    "no_list_excluded": (
        FOREACH + "{n: [1]}, exclude: {n: 1}}",
        [
            "u.yaml: stages.a.exclude",
            "a list of combinations is expected here",
            "write exclude: [{key: value}]",
        ],
    ),
    "unknown_key_excluded": (
        FOREACH + "{platform: [x]}, exclude: [{platfrom: x}]}",
        [
            "u.yaml: stages.a.exclude",
            "there is no 'platfrom' in this stage's foreach",
            "did you mean 'platform'?",
        ],
    ),
    "unknown_value_excluded": (
        FOREACH + "{n: [amd64, arm64]}, exclude: [{n: arm46}]}",
        ["u.yaml: stages.a.exclude", "'arm46' is no value of 'n'", "did you mean 'arm64'?"],
    ),
    "unknown_each": (
        FOREACH + "{platform: [x, y]}, params: {n: '${each.platfrom}'}}",
        [
            "u.yaml: stages.a.params.n",
            "there is no 'platfrom' in this stage's foreach",
            "did you mean 'platform'?",
        ],
    ),
    "each_without_foreach": (
        "  a: {uses: mystages.make, params: {n: '${each.n}'}}",
        [
            "u.yaml: stages.a.params.n",
            "there is no 'n' in this stage's foreach",
            "write ${each.key} in a stage with foreach",
        ],
    ),
    "a_name_with_a_value": (
        "  a@1: {uses: mystages.make}",
        ["u.yaml: stages.a@1", "'a@1' is not a name", NAME_RULE],
    ),
    "unknown_value": (
        P + "  b: {uses: mystages.double, inputs: {number: p@3.data}}",
        ["u.yaml: stages.b.inputs.number", "no stage makes 'p@3.data'", "did you mean 'p@2.data'?"],
    ),
    "unknown_output_of_all": (
        P + "  b: {uses: mystages.double, inputs: {number: 'p@*.dta'}}",
        ["u.yaml: stages.b.inputs.number", "no stage makes 'p@*.dta'", "did you mean 'p@*.data'?"],
    ),
    "a_value_left_out": (
        P + "  b: {uses: mystages.double, inputs: {number: p.data}}",
        [
            "u.yaml: stages.b.inputs.number",
            "'p' has a foreach: there is one 'data' for each value",
            "write p@*.data, or p@1.data",
        ],
    ),
    "all_values_of_no_foreach": (
        A + "  b: {uses: mystages.double, inputs: {number: 'a@*.data'}}",
        ["u.yaml: stages.b.inputs.number", "'a' has no foreach", "write a.data"],
    ),
    "unknown_key_of_a_target": (
        "  a: {uses: mystages.make, when: {acelerator: edgetpu}}",
        [
            "u.yaml: stages.a.when.acelerator",
            "a target has no key 'acelerator'",
            "did you mean 'accelerator'?",
        ],
    ),
    "unknown_value_of_a_target": (
        "  a: {uses: mystages.make, when: {accelerator: [none, edgtpu]}}",
        [
            "u.yaml: stages.a.when.accelerator",
            "'edgtpu' is no value of a target's 'accelerator'",
            "did you mean 'edgetpu'?",
        ],
    ),
    "a_required_input_of_a_stage_left_out": (
        LEFT_OUT + "  b: {uses: mystages.double, inputs: {number: a.data}}",
        [
            "u.yaml: stages.b.inputs.number",
            f"'a' is left out: {REASON}",
            "make the input optional (In | None), or give 'b' the same 'when'",
        ],
    ),
    "an_objective_of_a_stage_left_out": (
        A
        + "  b: {uses: mystages.double, inputs: {number: a.data}, when: {accelerator: edgetpu}}\n"
        + "objective: b.total",
        [
            "u.yaml: objective",
            f"'b' is left out: {REASON}",
            "choose a metric of another stage, or another target",
        ],
    ),
}


@pytest.mark.parametrize(("stages", "said"), VALUES.values(), ids=VALUES)
def test_a_mistake_in_foreach_or_when_is_answered_with_the_way_out(project, stages, said):
    path = project.path / "u.yaml"
    path.write_text("name: u\n" + HEAD + stages)
    data = yamlfile.load(path)
    data["stages"], found = foreach.expand(data["stages"], "u.yaml")
    if not found:
        usecase = _read(data, "u.yaml")
        aim = target.Target(name="pi", platform="linux/arm64")
        found = list(when.mistakes(usecase.stages, "u.yaml"))
        left_out = when.left_out(usecase.stages, aim)
    if not found:
        with pytest.raises(ExceptionGroup) as caught:
            library = Library(["mystages"], [project.path])
            check.check(usecase, library, lambda *_: HERE, "u.yaml", left_out)
        found = caught.value.exceptions
    assert [_told(one, project.path) for one in found] == [[said]]


# --- the form of a use case, a target, an asset

WRITE_TEXT, SEE = (
    "write text, in quotes where it looks like a number",
    "see docs/reference.md for what stands here",
)
VARIABLE_RULE = "write letters, digits and _ only, no digit first"
FORMS = {
    "no_name": ({"name": None}, ["u.yaml: name", "the key 'name' is missing", "add 'name: ...'"]),
    "name": ({"name": "u u"}, ["u.yaml: name", "'u u' is not a name", NAME_RULE]),
    "no_stages": ({"stages": None}, ["u.yaml: stages", "the key 'stages' is missing", "add 'stages: ...'"]),
    "empty_stages": (
        {"stages": {}},
        ["u.yaml: stages", "dictionary should have at least 1 item after validation, not 0 (it is {})", SEE],
    ),
    "stage_name": ({"stages": {"a-b": {}}}, ["u.yaml: stages.a-b", "'a-b' is not a name", NAME_RULE]),
    "unknown_key": (
        {"param": {}},
        ["u.yaml: param", "there is no key 'param' here", "did you mean 'params'?"],
    ),
    "parameter": (
        {"params": {"x": {"y": 1}}},
        [
            "u.yaml: params.x",
            "a plain value is expected here (it is {'y': 1})",
            "write a number, text, true, false or null, or a list of them",
        ],
    ),
    "asset": (
        {"assets": {"x": 3}},
        ["u.yaml: assets.x", "input should be a valid string (it is 3)", WRITE_TEXT],
    ),
}
STAGE_FORMS = {
    "retries": (
        {"retries": "many"},
        [
            "retries",
            "input should be a valid integer, unable to parse string as an integer (it is 'many')",
            "write a whole number",
        ],
    ),
    "many_retries": (
        {"retries": 99},
        ["retries", "input should be less than or equal to 20 (it is 99)", "write a smaller number"],
    ),
    "runs_on": (
        {"runs_on": "device"},
        [
            "runs_on",
            "input should be 'build', 'target' or 'host' (it is 'device')",
            "choose one of the values named",
        ],
    ),
    "params": (
        {"params": 3},
        ["params", "input should be a valid dictionary (it is 3)", "write 'key: value' lines below it"],
    ),
    "outputs": (
        {"outputs": "x"},
        ["outputs", "input should be a valid tuple (it is 'x')", "write a list: [a, b]"],
    ),
    "rule": ({"require": {"a": "high"}}, ["require.a", "'high' is not a rule", 'write ">= 0.85"']),
    "memory": (
        {"resources": {"memory": "big"}},
        ["resources.memory", "'big' is not a size", "write 512M or 2G"],
    ),
    "cpus": (
        {"resources": {"cpus": 0}},
        ["resources.cpus", "input should be greater than 0 (it is 0)", "write a larger number"],
    ),
    "resource": (
        {"resources": {"cpu": 1}},
        ["resources.cpu", "there is no key 'cpu' here", "did you mean 'cpus'?"],
    ),
    "env": ({"env": {"A": 1}}, ["env.A", "input should be a valid string (it is 1)", WRITE_TEXT]),
    "command": (
        {"command": "ls"},
        ["command", "input should be a valid tuple (it is 'ls')", "write a list: [a, b]"],
    ),
    "input": (
        {"inputs": {"x": None}},
        ["inputs.x", "input should be a valid string (it is None)", WRITE_TEXT],
    ),
    "timeout": ({"timeout": -1}, ["timeout", "'-1' is not a duration", "write 90s, 30m or 2h"]),
    "env_name": (
        {"env": {"A=B": "x"}},
        ["env.A=B", "'A=B' is not the name of an environment variable", VARIABLE_RULE],
    ),
    "env_value": (
        {"env": {"A": "x\0y"}},
        ["env.A", "an environment variable cannot hold the character NUL", "leave it out"],
    ),
    "pass_env_name": (
        {"pass_env": ["TOKEN", "9A"]},
        ["pass_env.1", "'9A' is not the name of an environment variable", VARIABLE_RULE],
    ),
    "pass_env": (
        {"pass_env": "TOKEN"},
        ["pass_env", "input should be a valid tuple (it is 'TOKEN')", "write a list: [a, b]"],
    ),
    "parameter_name": ({"params": {"a b": 1}}, ["params.a b", "'a b' is not a name", NAME_RULE]),
}
DEVICE = "ssh://user@host, with :port and /path/to/docker.sock where they differ"
TARGET_FORMS = {
    "platform": (
        {"platform": "linux/arm"},
        [
            "t.yaml: platform",
            "input should be 'linux/amd64', 'linux/arm64' or 'linux/arm/v7' (it is 'linux/arm')",
            "choose one of the values named",
        ],
    ),
    "runtime": (
        {"runtime": "onnx"},
        [
            "t.yaml: runtime",
            "input should be 'litert' or 'tflite_runtime' (it is 'onnx')",
            "choose one of the values named",
        ],
    ),
    "memory": ({"memory": "4 gigs"}, ["t.yaml: memory", "'4 gigs' is not a size", "write 512M or 2G"]),
    "unknown_key": (
        {"acelerator": "gpu"},
        ["t.yaml: acelerator", "there is no key 'acelerator' here", "did you mean 'accelerator'?"],
    ),
    "bus": (
        {"accelerator": "edgetpu", "bus": "i2c"},
        ["t.yaml: bus", "input should be 'usb' or 'pcie' (it is 'i2c')", "choose one of the values named"],
    ),
    "bus_of_nothing": (
        {"bus": "pcie"},
        ["t.yaml: bus", "only an Edge TPU has a bus", "write accelerator: edgetpu, or leave bus out"],
    ),
    "device": (
        {"device": "pi@raspberrypi"},
        ["t.yaml: device", "'pi@raspberrypi' is no device's address", f"write {DEVICE}"],
    ),
    "device_that_is_an_option": (
        {"device": "ssh://-oProxyCommand=x/y"},
        ["t.yaml: device", "'ssh://-oProxyCommand=x/y' is no device's address", f"write {DEVICE}"],
    ),
    "device_with_a_password": (
        {"device": "ssh://pi:secret@host"},
        [
            "t.yaml: device",
            "a password has no place in a device's address",
            f"use a key (ssh-copy-id), and write {DEVICE}",
        ],
    ),
    "device_port": (
        {"device": "ssh://pi@host:70000"},
        ["t.yaml: device", "70000 is no port", "write one between 1 and 65535"],
    ),
    "no_name": ({"name": None}, ["t.yaml: name", "the key 'name' is missing", "add 'name: ...'"]),
}
FILE = {"path": "m", "mirror": "m", "url": "https://x", "sha256": "0" * 64, "bytes": 1}
ASSET_FORMS = {
    "no_origin": ({"files": None}, ["a.yaml: ", "an asset has either files or made_by", "write one of them"]),
    "two_origins": (
        {"made_by": {"uses": "x", "output": "y"}},
        ["a.yaml: ", "an asset has either files or made_by", "write one of them"],
    ),
    "no_licence": (
        {"licence": "absent"},
        ["a.yaml: licence", "the key 'licence' is missing", "add 'licence: ...'"],
    ),
    "sha256": (
        {"files": [{**FILE, "sha256": "0"}]},
        ["a.yaml: files.0.sha256", "string should match pattern '^[0-9a-f]{64}$' (it is '0')", WRITE_TEXT],
    ),
    "url": (
        {"files": [{**FILE, "url": "http://x"}]},
        ["a.yaml: files.0.url", "string should match pattern '^https://' (it is 'http://x')", WRITE_TEXT],
    ),
    "path": (
        {"files": [{**FILE, "path": "../m"}]},
        [
            "a.yaml: files.0.path",
            "'../m' is not a path inside a folder",
            "write it without a leading /, '.' and '..'",
        ],
    ),
    "unknown_key": ({"file": []}, ["a.yaml: file", "there is no key 'file' here", "did you mean 'files'?"]),
}


def _changed(data: dict[str, object], change: dict[str, object]) -> dict[str, object]:
    """The data with these keys; a None that may not stand there takes the key out."""
    out = {"absent", None} if "licence" in change else {None}
    return {
        key: value
        for key, value in {**data, **change}.items()
        if not (key in change and isinstance(value, str | None) and value in out)
    }


def _form(parse, data, where: str, change, said) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        parse(_changed(data, change), where)
    assert _told(caught.value, Path("/nowhere")) == [said]


def _read(data, where: str) -> spec.UseCase:
    usecase, mistakes = spec.read(data, where)
    raise_all(mistakes)
    return usecase


@pytest.mark.parametrize(("change", "said"), FORMS.values(), ids=FORMS)
def test_the_form_of_a_use_case(change, said):
    _form(_read, {"name": "u", "stages": {"a": {"uses": "x"}}}, "u.yaml", change, said)


@pytest.mark.parametrize(("change", "said"), STAGE_FORMS.values(), ids=STAGE_FORMS)
def test_the_form_of_a_stage(change, said):
    change = {"stages": {"a": {"uses": "x", **change}}}
    _form(_read, {"name": "u"}, "u.yaml", change, [f"u.yaml: stages.a.{said[0]}", *said[1:]])


@pytest.mark.parametrize(("change", "said"), TARGET_FORMS.values(), ids=TARGET_FORMS)
def test_the_form_of_a_target(change, said):
    _form(target.parse, {"name": "t", "platform": "linux/arm64", "runtime": "litert"}, "t.yaml", change, said)


@pytest.mark.parametrize(("change", "said"), ASSET_FORMS.values(), ids=ASSET_FORMS)
def test_the_form_of_an_asset(change, said):
    _form(
        asset.parse,
        {"name": "a", "description": "", "licence": None, "files": [FILE]},
        "a.yaml",
        change,
        said,
    )


# --- a YAML file

YAML = {
    "empty": (b"", ["{here}/f.yaml", "the file is empty", "write the YAML, or remove the file"]),
    "list": (b"- a\n", ["{here}/f.yaml", "a mapping is expected, not a list", "begin with 'name: ...'"]),
    "large": (
        b"#" * 10_000_001,
        ["{here}/f.yaml", "more than 10,000,000 bytes are too many for a YAML file", "split the file"],
    ),
    "latin": (b"a: \xe4\n", ["{here}/f.yaml", "it is not UTF-8 text (byte 3)", "save it as UTF-8"]),
    "absent": (
        None,
        [
            "{here}/f.yaml",
            "it cannot be read: No such file or directory",
            "check the path and its permissions",
        ],
    ),
    "loop": (
        b"x: &x [*x]\n",
        ["{here}/f.yaml", "*x stands inside what it names: it would never end", "write the value out"],
    ),
    "bomb": (
        b"a: &a [x,x,x,x,x,x,x,x,x,x]\n"
        + b"".join(b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 10)) for c in b"bcdefg"),
        [
            "{here}/f.yaml",
            "its aliases expand to more than 500,000 values",
            "write the values out, or split the file",
        ],
    ),
    "deep": (
        b"a: " + b"[" * 50 + b"]" * 50,
        ["{here}/f.yaml", "it is nested more than 40 levels deep", "flatten it"],
    ),
    "braces": (
        b"a: 1\nb: {n: ${params.n}}\n",
        [
            "{here}/f.yaml, line 2",
            "inside { } a value with ${...} needs quotes: YAML takes its braces for a mapping",
            'write {epochs: "${params.epochs}"}, or one key a line',
        ],
    ),
    "tag": (
        b"a: !!python/name:os.system x\n",
        [
            "{here}/f.yaml, line 1",
            "tags are not allowed: 'tag:yaml.org,2002:python/name:os.system'",
            "write plain values",
        ],
    ),
    "tab": (
        b"a:\n\tb: 1\n",
        [
            "{here}/f.yaml, line 2",
            "a tab stands where YAML wants spaces",
            "indent with two spaces, 'key: value' a line",
        ],
    ),
    "twice": (b"a: 1\na: 2\n", ["{here}/f.yaml, line 2", "the key 'a' stands twice", "keep one of the two"]),
}


@pytest.mark.parametrize(("data", "said"), YAML.values(), ids=YAML)
def test_a_yaml_file(tmp_path, data, said):
    if data is not None:
        (tmp_path / "f.yaml").write_bytes(data)
    with pytest.raises(UserError) as caught:
        yamlfile.load(tmp_path / "f.yaml")
    assert _told(caught.value, tmp_path) == [said]


# --- files and folders that are digested

DIGESTS = {
    "loop": (
        lambda folder: (folder / "up").symlink_to(folder),
        ["{here}/data/up", "a symbolic link leads back to a folder above it", "remove the link"],
    ),
    "dangling": (
        lambda folder: (folder / "x").symlink_to("nowhere"),
        ["{here}/data/x", "it cannot be read: No such file or directory", "remove it, or mend the link"],
    ),
    "pipe_inside": (
        lambda folder: os.mkfifo(folder / "x"),
        [
            "{here}/data/x",
            "it is neither a file nor a folder",
            "remove it: artifacts and assets hold files and folders",
        ],
    ),
    "pipe": (
        lambda folder: (folder.rmdir(), os.mkfifo(folder)),
        ["{here}/data", "it is neither a file nor a folder", "give a file or a folder"],
    ),
    "kernel": (
        lambda folder: (folder / "x").symlink_to("/proc/version"),
        [
            "{here}/data/x",
            "it is on proc, a file system of the kernel",
            "copy the data you need to a folder of your own",
        ],
    ),
    "absent": (
        lambda folder: folder.rmdir(),
        ["{here}/data", "it cannot be read: No such file or directory", "check the path and its permissions"],
    ),
}


@pytest.mark.parametrize(("harm", "said"), DIGESTS.values(), ids=DIGESTS)
def test_what_cannot_be_digested(tmp_path, harm, said):
    (tmp_path / "data").mkdir()
    harm(tmp_path / "data")
    with pytest.raises(UserError) as caught:
        digest.of(tmp_path / "data")
    assert _told(caught.value, tmp_path) == [said]


# --- assets that are fetched

WANTED = hashlib.sha256(b"wanted").hexdigest()
OTHER = hashlib.sha256(b"other").hexdigest()
FETCHES = {
    "other_in_the_mirror": (
        {"url": "https://x/m", "mirrored": b"other"},
        [
            "{here}/mirror/m",
            f"its sha256 is {OTHER[:12]}..., the asset's is {WANTED[:12]}...",
            "remove it, or bring the file of https://x/m",
        ],
    ),
    "nowhere": (
        {"url": "file:///no/such/file"},
        [
            "asset a: m",
            "it is not on this machine, and file:///no/such/file cannot be reached ([Errno 2] No such "
            "file or directory: '/no/such/file')",
            "put the file at {here}/mirror/m and add mirror={here}/mirror",
        ],
    ),
    "other_at_the_source": (
        {"url": "file://{here}/source", "source": b"other"},
        [
            "asset a: m",
            f"file://{{here}}/source sent another file (sha256 {OTHER[:12]}..., 5 bytes)",
            "try again, or put the right file into a folder and name it with mirror=",
        ],
    ),
}


@pytest.mark.parametrize(("facts", "said"), FETCHES.values(), ids=FETCHES)
def test_an_asset_that_cannot_be_had(tmp_path, facts, said):
    (tmp_path / "mirror").mkdir()
    for name, place in (("mirrored", "mirror/m"), ("source", "source")):
        if name in facts:
            (tmp_path / place).write_bytes(facts[name])
    file = AssetFile(**{**FILE, "sha256": WANTED, "bytes": 6}).model_copy(
        update={"url": facts["url"].replace("{here}", str(tmp_path))}
    )
    wanted = asset.parse(
        {"name": "a", "description": "", "licence": None, "files": [FILE]}, "a.yaml"
    ).model_copy(update={"files": (file,)})
    with pytest.raises(UserError) as caught:
        fetch.bring(wanted, Store(tmp_path / "store"), tmp_path / "mirror", lambda *_: None)
    assert _told(caught.value, tmp_path) == [said]


# --- the command line

FILES = {
    "conf/usecases/odd.yaml": "defaults: edge_export\nstages: {a: {uses: mystages.make}}\n",
    "conf/usecases/typo.yaml": "param: {n: 1}\nstages: {a: {uses: mystages.make}}\n",
    "conf/usecases/lost.yaml": (
        'params: {epochs: 1}\nstages: {a: {uses: mystages.make, params: {n: "${params.epoch}"}}}\n'
    ),
    "conf/usecases/data.yaml": (
        'assets: {mine: yoga}\nstages: {a: {uses: mystages.double, inputs: {number: "asset:mine"}}}\n'
    ),
    "conf/usecases/clash.yaml": (
        'assets: {mine: made}\nstages: {mine: {uses: mystages.double, inputs: {number: "asset:mine"}}}\n'
    ),
    "conf/usecases/packs.yaml": "stages: {a: {uses: mystages.pack}}\n",
    "crowded/.engine": "",
    "conf/asset/made.yaml": (
        "name: made\ndescription: x\nlicence: MIT\nmade_by: {uses: mystages.make, output: data}\n"
    ),
    "mystages/pack.py": (
        "from engine.stage import Out\ndef pack(package: Out) -> None:\n    "
        "package.mkdir()\n    (package / 'x').touch()\n"
    ),
}
COMMANDS = {
    "command": (["explian"], ["run.py explian", "there is no such command", "did you mean 'explain'?"]),
    "commands": (
        ["plan", "list"],
        ["run.py plan list", "these are several commands", "give one: run.py plan key=value ..."],
    ),
    "usecase": (["usecase=chian"], ["usecase=chian", "there is no such use case", "did you mean 'chain'?"]),
    "usecase_file": (
        ["usecase=no/chain.yaml"],
        ["usecase=no/chain.yaml", "there is no such file", "did you mean 'chain'?"],
    ),
    "target": (
        ["target=rpi4_corl"],
        ["target=rpi4_corl", "there is no such target", "did you mean 'rpi4_coral'?"],
    ),
    "executor": (["executor=lcal"], ["executor=lcal", "there is no such executor", "did you mean 'local'?"]),
    "parameter": (["params.m=1"], ["params.m", "Could not override 'params.m'.", "did you mean 'params.n'?"]),
    "setting": (
        ["fail_fsat=true"],
        ["fail_fsat", "Could not override 'fail_fsat'.", "did you mean 'fail_fast'?"],
    ),
    "grammar": (
        ["params.n=[1"],
        ["params.n=[1", "this value cannot be read", "as text it stands in quotes: 'params.n=\"[1\"'"],
    ),
    "blank": (
        ["params.n=my videos (1)"],
        [
            "params.n=my videos (1)",
            "this value cannot be read",
            "as text it stands in quotes: 'params.n=\"my videos (1)\"'",
        ],
    ),
    "home": (
        ["params.n=~/videos"],
        [
            "params.n=~/videos",
            "this value cannot be read",
            f"as text it stands in quotes: 'params.n=\"{Path.home()}/videos\"'",
        ],
    ),
    "key": (
        ["params n=1"],
        ["params n=1", "this cannot be read", "write key=value; see python run.py --help"],
    ),
    "several": (
        ["target=rpi3,rpi4"],
        [
            "target=rpi3,rpi4",
            "these are several values",
            "for a run with each of them add --multirun; a list stands in brackets: key=[a,b]",
        ],
    ),
    "range": (
        ["params.n=range(3)"],
        [
            "params.n=range(3)",
            "these are several values",
            "for a run with each of them add --multirun; a list stands in brackets: key=[a,b]",
        ],
    ),
    "no_usecase": (
        ["usecase="],
        [
            "usecase=",
            "there is no such use case",
            "choose one of: chain, clash, containers, data, edgetpu_images, lost, odd, packs, "
            "pose_activity, typo",
        ],
    ),
    "no_outputs": (
        ["outputs="],
        [
            "the command line: outputs",
            "string should have at least 1 character (it is '')",
            "write text, in quotes where it looks like a number",
        ],
    ),
    "no_asset": (
        ["usecase=data", "assets.mine="],
        [
            "conf/usecases/data.yaml: assets.mine",
            "'' is neither a declared asset nor a path that exists",
            "choose one of: activity_sample, exercise, jhmdb, made, movenet_lightning, yoga",
        ],
    ),
    "executor_name": (
        ["executor.name=lcal"],
        ["executor.name=lcal", "there is no such executor", "did you mean 'local'?"],
    ),
    "no_choice": (
        ["~target"],
        ["~target", "there is no run without target", "leave the word out, or write target=NAME"],
    ),
    "hydras_own": (
        ["~hydra/launcher=[a b]"],
        [
            "the command line",
            "Config group override deletion value must be a string",
            "write key=value; see python run.py --help",
        ],
    ),
    "hydras_launcher": (
        ["hydra/launcher=[1,2]"],
        [
            "the command line",
            "argument of type 'int' is not iterable",
            "write key=value; see python run.py --help",
        ],
    ),
    "clean_outputs": (
        ["clean", "outputs=mystages/make.py"],
        [
            "outputs={here}/mystages/make.py",
            "it cannot be made: Not a directory",
            "name a folder that can be written: outputs=DIR",
        ],
    ),
    "edgetpu_outputs": (
        ["edgetpu", "model=mystages/make.py", "outputs=mystages/make.py"],
        [
            "outputs={here}/mystages/make.py",
            "it cannot be made: Not a directory",
            "name a folder that can be written: outputs=DIR",
        ],
    ),
    "picture_place": (
        ["graph", "output=mystages/no/dag.svg"],
        [
            "output=mystages/no/dag.svg",
            "it cannot be written: No such file or directory",
            "name a file in a folder that is yours",
        ],
    ),
    "top_level_key": (
        ["usecase=typo"],
        ["conf/usecases/typo.yaml: param", "there is no key 'param' here", "did you mean 'params'?"],
    ),
    "interpolation": (
        ["usecase=lost"],
        [
            "conf/usecases/lost.yaml: stages.a.params.n",
            "Interpolation key 'params.epoch' not found",
            "did you mean 'params.epochs'?",
        ],
    ),
    "asset": (
        ["usecase=data", "assets.mine=yogga"],
        [
            "conf/usecases/data.yaml: assets.mine",
            "'yogga' is neither a declared asset nor a path that exists",
            "did you mean 'yoga'?",
        ],
    ),
    "asset_and_stage": (
        ["usecase=clash"],
        [
            "conf/usecases/clash.yaml: stages.mine",
            "the asset 'mine' is made by a stage of that name",
            "give the stage another name",
        ],
    ),
    "mirror": (
        ["usecase=data", "mirror=nowhere"],
        ["mirror=nowhere", "there is no such folder", "name a folder that holds copies of assets"],
    ),
    "until": (["until=[d]"], ["until=d", "there is no stage 'd'", "choose one of: a, b, c"]),
    "explain_stage": (
        ["explain", "stage=d"],
        ["stage=d", "there is no such stage", "choose one of: a, b, c"],
    ),
    "no_run": (
        ["status"],
        [
            "{here}/outputs",
            "there is no run here yet",
            "start one: python run.py usecase=pose_activity target=rpi4_coral",
        ],
    ),
    "unknown_run": (["logs", "run=x"], ["run=x", "there is no such run", "there is none to choose from"]),
    "picture": (
        ["graph", "output=dag.gif"],
        ["output=dag.gif", "a picture is written as .svg or .png", "write output=dag.svg"],
    ),
    "keep_last": (
        ["clean", "clean.keep_last=0"],
        [
            "the command line: clean.keep_last",
            "input should be greater than or equal to 1 (it is 0)",
            "write a larger number",
        ],
    ),
    "older_than": (
        ["clean", "clean.older_than=soon"],
        ["the command line: clean.older_than", "'soon' is not a duration", "write 90s, 30m or 2h"],
    ),
    "max_size": (
        ["clean", "clean.max_size=big"],
        ["the command line: clean.max_size", "'big' is not a size", "write 512M or 2G"],
    ),
    "nameless_target": (
        ["plan", "target=4"],
        [
            "target=4",
            "a name is expected here",
            "choose one of: coral_dev_board, rpi3, rpi4, rpi4_coral, rpi5, rpi5_coral, x86_64",
        ],
    ),
    "defaults": (
        ["plan", "usecase=odd"],
        [
            "conf/usecases/odd.yaml: defaults",
            "a list of choices is expected",
            "write a line '- /pipeline@stages: edge_export', or '- _self_'",
        ],
    ),
    "no_model": (["edgetpu"], ["model", "edgetpu needs a model to look at", "add model=FILE.tflite"]),
    "no_such_model": (
        ["edgetpu", "model=no.tflite"],
        ["model=no.tflite", "there is no such file", "give the path of a .tflite file"],
    ),
    "model_is_none": (
        ["edgetpu", "model=conf/usecases/typo.yaml"],
        [
            "model=conf/usecases/typo.yaml",
            "typo.yaml is no TFLite model: it lacks the mark 'TFL3' of one",
            "give a .tflite file as the converter or the Edge TPU's compiler wrote it",
        ],
    ),
    "image": (
        ["images", "image=runtim"],
        ["image=runtim", "there is no such image", "did you mean 'runtime'?"],
    ),
    "images_word": (
        ["images", "bild"],
        ["run.py images bild", "there is no such action", "did you mean 'build'?"],
    ),
    "no_package": (
        ["predict", "input=."],
        [
            "chain for x86_64",
            "there is no packed model of a finished run",
            "make one: python run.py usecase=chain target=x86_64",
        ],
    ),
    "tracking_folder": (
        ["sync", "tracking=mlflow", "tracking.uri=mlruns"],
        [
            "tracking.uri",
            "MLflow no longer records in a folder of files (its file store is refused since 3.13)",
            "leave it null, or name a database: sqlite:////path/to/mlflow.db",
        ],
    ),
    "tracking_port": (
        ["sync", "tracking=mlflow", "tracking.uri=http://ann:secret@host:x"],
        [
            "tracking.uri",
            "no MLflow is reached by 'http://***@host:x'",
            "write http://host:port, https://host or sqlite:////path/to/mlflow.db",
        ],
    ),
    "tracking_sqlite": (
        ["sync", "tracking=mlflow", "tracking.uri='sqlite:///:memory:'"],
        [
            "tracking.uri",
            "'sqlite:///:memory:' names no file of a database",
            "write sqlite:////path/to/mlflow.db, with %25 for % and %3F for ? in the path",
        ],
    ),
    "tracking_scheme": (
        ["sync", "tracking=mlflow", "tracking.uri=ftp://ann:secret@host"],
        [
            "tracking.uri",
            "no MLflow is reached by 'ftp://***@host'",
            "write http://host:port, https://host or sqlite:////path/to/mlflow.db",
        ],
    ),
}
PREDICTIONS = {
    "no_input": ([], ["input", "predict needs something to look at", "add input=VIDEO_OR_FOLDER"]),
    "no_such_input": (
        ["input=no.mp4"],
        [
            "input=no.mp4",
            "there is no such file or folder",
            "give the path of a video, a picture or a folder",
        ],
    ),
    "no_predict": (
        ["input=."],
        [
            "conf/usecases/packs.yaml: predict",
            "this use case names no stage for it",
            "add 'predict: stages.<domain>.predict'",
        ],
    ),
}


@pytest.fixture
def refused(project, give):
    """Give a command that must end with status 2, and return what it is answered with."""
    for name, text in FILES.items():
        (project.path / name).parent.mkdir(exist_ok=True)
        (project.path / name).write_text(text)

    def answer(words: list[str]) -> list[str]:
        said = give(*words)
        assert (said.status, said.out) == (2, "")
        return [line.strip().replace(str(project.path), "{here}") for line in said.err.splitlines()]

    return answer


@pytest.mark.parametrize(("words", "said"), COMMANDS.values(), ids=COMMANDS)
def test_a_command_that_cannot_be_done(refused, words, said):
    assert refused(words) == said


def test_the_defaults_of_a_target_are_told_with_its_file(refused, project):
    (project.path / "conf" / "target").mkdir(exist_ok=True)
    (project.path / "conf" / "target" / "odd.yaml").write_text("platform: linux/amd64\ndefaults: {}\n")
    assert refused(["target=odd"])[:2] == ["conf/target/odd.yaml: defaults", "a list of choices is expected"]


@pytest.mark.parametrize(("words", "said"), PREDICTIONS.values(), ids=PREDICTIONS)
def test_a_prediction_that_cannot_be_made(refused, give, words, said):
    assert give("usecase=packs").status == 0
    assert refused(["predict", "usecase=packs", *words]) == said


def test_the_page_of_a_server_is_the_servers(give):
    said = give("mlflow", "tracking=mlflow", "tracking.uri=http://host")
    assert said.status == 2
    assert said.err.splitlines() == [
        "tracking.uri",
        "  runs are recorded on a server, which has a page of its own",
        "  open http://host",
    ]


def test_no_address_is_printed_for_a_page_that_there_is_not(refused):
    refused(["mlflow", "tracking=mlflow", "tracking.uri=http://host"])


def test_a_run_that_two_beginnings_share(project, refused):
    names = [layout.new_run_dir(project.outputs, "chain", "x86_64", 1_800_000_000 + n) for n in range(2)]
    for folder in names:
        (folder / "journal.jsonl").touch()
    assert refused(["status", "run=2027"])[:2] == ["run=2027", "2 runs begin so"]


def test_a_file_system_that_cannot_be_written(project, give, monkeypatch):
    def refuse(*_):
        raise OSError(30, "Read-only file system", str(project.outputs))

    monkeypatch.setattr(layout, "new_run_dir", refuse)
    said = give()
    assert said.status == 1
    assert (
        said.err
        == f"{project.outputs}\n  the machine says: Read-only file system\n  name a folder that can be "
        "written: outputs=DIR\n"
    )


# --- the settings of the command line

SETTINGS = {
    "until": (
        ["until=3"],
        ["the command line: until", "input should be a valid tuple (it is 3)", "write a list: [a, b]"],
    ),
    "cpus": (
        ["executor.cpus=many"],
        [
            "the command line: executor.cpus",
            "input should be a valid number, unable to parse string as a number (it is 'many')",
            "write a number",
        ],
    ),
    "no_cpus": (
        ["executor.cpus=0"],
        [
            "the command line: executor.cpus",
            "input should be greater than 0 (it is 0)",
            "write a larger number",
        ],
    ),
    "memory": (
        ["executor=docker", "executor.memory=banana"],
        ["executor=docker: memory", "'banana' is not a size", "write 512M or 2G"],
    ),
    "memory_of_auto": (
        ["executor=auto", "+executor.memory=banana"],
        ["executor=auto: memory", "'banana' is not a size", "write 512M or 2G"],
    ),
    "memory_of_a_device": (
        ["executor=local", "+executor.memory=9k", "target.device=ssh://pi@nowhere"],
        [
            "executor=local: memory",
            "a container needs 6M of memory at least",
            "write 512M or 2G, or 0 for no limit",
        ],
    ),
    "memory_of_no_machine": (
        ["executor=docker", f"executor.memory={10**30}T"],
        ["executor=docker: memory", f"'{str(10**30)[:20]}' is more than any machine has", "write 512M or 2G"],
    ),
    "pids": (
        ["executor=docker", "executor.pids=-3"],
        ["executor=docker: pids", "input should be greater than 0 (it is -3)", "write a larger number"],
    ),
    "executor_key": (
        ["executor=docker", "+executor.colour=red"],
        [
            "executor=docker: colour",
            "there is no key 'colour' here",
            "choose one of: memory, network, pids, shm, tmp",
        ],
    ),
    "format": (
        ["plan", "format=xml"],
        [
            "the command line: format",
            "input should be 'table', 'json' or 'jsonl' (it is 'xml')",
            "choose one of the values named",
        ],
    ),
    "port": (
        ["port=0"],
        [
            "the command line: port",
            "input should be greater than or equal to 1 (it is 0)",
            "write a larger number",
        ],
    ),
    "fail_fast": (
        ["fail_fast=perhaps"],
        [
            "the command line: fail_fast",
            "input should be a valid boolean, unable to interpret input (it is 'perhaps')",
            "write true or false",
        ],
    ),
    "dry_run": (
        ["clean", "clean.dry_run=perhaps"],
        [
            "the command line: clean.dry_run",
            "input should be a valid boolean, unable to interpret input (it is 'perhaps')",
            "write true or false",
        ],
    ),
    "outputs": (
        ["outputs=null"],
        ["the command line: outputs", "input should be a valid string (it is None)", WRITE_TEXT],
    ),
    "outputs_below_a_file": (
        ["outputs=conf/usecases/chain.yaml"],
        [
            "outputs={here}/conf/usecases/chain.yaml",
            "it cannot be made: Not a directory",
            "name a folder that can be written: outputs=DIR",
        ],
    ),
    "outputs_in_proc": (
        ["outputs=/proc/x"],
        [
            "outputs=/proc/x",
            "it cannot be made: No such file or directory",
            "name a folder that can be written: outputs=DIR",
        ],
    ),
    "not_finite": (
        ["params.n=nan"],
        ["params.n=nan", "nan is not a finite number", 'write a finite number, or text in quotes: "nan"'],
    ),
    "not_finite_inside": (
        ["params.n=[1,inf]"],
        [
            "conf/usecases/chain.yaml: params.n.1",
            "inf is not a finite number",
            'write a finite number, or text in quotes: "inf"',
        ],
    ),
    "too_many_bits": (
        ["params.n=99999999999999999999"],
        [
            "params.n=99999999999999999999",
            "this number has more than 64 bits",
            "write a smaller number, or text in quotes",
        ],
    ),
    "too_many_digits": (
        ["params.n=" + "9" * 5000],
        [
            "the command line",
            "a number has too many digits",
            "write a smaller number, or text in quotes: key='\"...\"'",
        ],
    ),
    "key_is_no_text": (
        ["params.n={1:2}"],
        ["params.n={1:2}", "a key of type int is not allowed", "write the key as text, in quotes"],
    ),
    "path_too_long": (
        ["data=" + "a" * 300],
        ["a" * 80, "this path cannot be followed: File name too long", "name another path"],
    ),
    "kernels_mirror": (
        ["usecase=data", "assets.mine=movenet_lightning", "mirror=/proc"],
        [
            "mirror=/proc",
            "it is on proc, a file system of the kernel",
            "copy the data you need to a folder of your own",
        ],
    ),
    "in_the_way": (
        ["outputs=crowded"],
        [
            "{here}/crowded/.engine",
            "this file is in the engine's way",
            "remove or rename it, and give the same command",
        ],
    ),
    "stage_key": (
        ["stages.a.retries=3"],
        [
            "stages.a.retries",
            "the use case does not set this key",
            "write +stages.a.retries=... where the stage has it",
        ],
    ),
}


@pytest.mark.parametrize(("words", "said"), SETTINGS.values(), ids=SETTINGS)
def test_a_setting_that_cannot_be_taken(refused, words, said):
    assert refused(words) == said


@pytest.mark.parametrize(
    "words", [["fail_fast=no"], ["until=a"], ["stage_packages=mystages"]], ids=lambda words: words[0]
)
def test_a_setting_may_be_written_as_people_do(give, words):
    assert give("plan", *words).status == 0


def test_a_data_folder_that_is_none_is_refused(refused):
    assert refused(["data=null"])[0] == "the command line: data"


# --- containers and devices


def _lines(mistake: UserError) -> list[str]:
    return [mistake.where, mistake.what, mistake.fix]


def test_an_image_for_no_platform(tmp_path):
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "image.yaml").write_text("description: x\nplatforms: [linux/mips]\n")
    with pytest.raises(UserError) as caught:
        images.read(tmp_path, {}, "bootstrap")
    assert _lines(caught.value) == [
        f"{tmp_path}/odd/image.yaml: platforms",
        "'linux/mips' is no platform",
        "write linux/amd64, linux/arm64 or linux/arm/v7",
    ]


def test_an_engine_behind_ssh_is_a_device(refused, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "ssh://pi@raspberry")
    assert refused(["executor=docker", "base=bootstrap"]) == [
        "ssh://pi@raspberry",
        "an engine on another machine does not see this machine's folders",
        "name it as the target's device: target.device=ssh://user@host; or executor=local",
    ]


def test_images_that_cannot_be_built(project, give, capfd):
    folder = project.path / "containers" / "mine"
    folder.mkdir(parents=True)
    (folder / "image.yaml").write_text("description: x\nplatforms: [linux/amd64]\n")
    project.usecase("chain", "stages: {a: {uses: mystages.make, image: mine}}")
    request = compose.single(
        compose.register(
            [
                "--config-dir",
                str(project.path / "conf"),
                "usecase=chain",
                f"outputs={project.outputs}",
                "base=bootstrap",
            ]
        )
    )
    [mine] = list(images.read(project.path / "containers", {}, "bootstrap"))
    with pytest.raises(UserError) as caught:
        build_images(request, [mine], lambda file, done, total: None)
    assert _lines(caught.value) == [
        "usecase=containers",
        "the images could not be built: build_mine@amd64",
        "see what it says above; or executor=local",
    ]
    assert "there is no stage 'build_mine@amd64'" in capfd.readouterr().err


@pytest.fixture
def way(tmp_path, monkeypatch):
    """A way to a device through a program of the test's that stands where ssh does."""
    ways: list[Tunnel] = []

    def through(program: str) -> Tunnel:
        (tmp_path / "ssh").write_text(f"#!/bin/sh\n{program}\n")
        (tmp_path / "ssh").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        ways.append(Tunnel("ssh://pi@raspberry", "target=mine: device", None))
        return ways[-1]

    yield through
    for one in ways:
        one.close()


def test_a_device_that_never_forwards(way, monkeypatch):
    monkeypatch.setattr(tunnel, "OPEN_S", 1.0)
    with pytest.raises(UserError) as caught:
        way("exec cat >/dev/null").connect()
    assert _lines(caught.value) == [
        "target=mine: device",
        "it does not answer within 1 s",
        "try: ssh pi@raspberry",
    ]


def test_an_ssh_that_ends_without_a_word(way):
    with pytest.raises(UserError) as caught:
        way("exit 9").connect()
    assert _lines(caught.value) == ["target=mine: device", "ssh ended with status 9", "try: ssh pi@raspberry"]


def test_a_closed_way_is_not_opened_again(way):
    closed = way("exit 9")
    closed.close()
    with pytest.raises(UserError) as caught:
        closed.connect()
    assert _lines(caught.value) == [
        "target=mine: device",
        "the way to it is closed",
        "give the command again",
    ]


def test_a_target_without_a_device(tmp_path):
    aim = target.Target(name="mine", platform="linux/arm64")
    with pytest.raises(UserError) as caught:
        device.Executor(Setting(aim, (tmp_path,), (), tuple, tmp_path)).missing([])
    assert _lines(caught.value) == [
        "target=mine: device",
        "this target names no device",
        "write device: ssh://user@host",
    ]


# --- no mistake without its row

# sentences that are costly to provoke, or come with no fixed place: where they are tested, and by which words
ELSEWHERE = {
    "this path is not valid UTF-8": ("tests/engine/test_layout.py", "not valid UTF-8"),
    "no image for x has x, which the stage imports": (
        "tests/engine/test_images.py",
        "no image for linux/amd64 has torch, which the stage imports",
    ),
    "no image serves x": ("tests/engine/test_images.py", "no image serves linux/arm64"),
    "'x' is no platform": ("tests/test_messages.py", "def test_an_image_for_no_platform"),
    "there is no image 'x' for x": ("tests/engine/executors/test_docker.py", "there is no image 'anny' for "),
    "the container engine has no such network": (
        "tests/engine/executors/test_docker.py",
        "the container engine has no such network",
    ),
    "the container engine has no such image": (
        "tests/engine/executors/test_docker.py",
        "the container engine has no such image",
    ),
    "its Python is of another processor than x (ELF machine x), whatever its label says": (
        "tests/test_faults_containers.py",
        "its Python is of another processor than",
    ),
    "this is not the address of a Docker engine: x": (
        "tests/engine/containers/test_daemon.py",
        "this is not the address of a Docker engine: ",
    ),
    "there is no such Docker context": (
        "tests/engine/containers/test_daemon.py",
        "there is no such Docker context",
    ),
    "this Docker configuration is damaged": (
        "tests/engine/containers/test_daemon.py",
        "this Docker configuration is damaged",
    ),
    "no Docker engine answers": ("tests/engine/executors/test_docker.py", "no Docker engine answers"),
    "the Docker engine is too old: x": ("tests/test_faults_containers.py", "the Docker engine is too old: "),
    "the Docker engine and this machine do not agree on TLS: x": (
        "tests/engine/executors/test_docker.py",
        "the Docker engine and this machine do not agree on TLS: ",
    ),
    "root's stages run as an ordinary user in their containers, who may not read it": (
        "tests/test_faults_containers.py",
        "root's stages run as an ordinary user in their containers, who may not read it",
    ),
    "a rootless Docker engine gives stages another user, who may not write here": (
        "tests/engine/executors/test_docker.py",
        "a rootless Docker engine gives stages another user, who may not write here",
    ),
    "this user may not speak to the Docker engine": (
        "tests/test_faults_containers.py",
        "this user may not speak to the Docker engine",
    ),
    "an engine on another machine does not see this machine's folders": (
        "tests/test_messages.py",
        "def test_an_engine_behind_ssh_is_a_device",
    ),
    "the images could not be built: x": ("tests/test_messages.py", "def test_images_that_cannot_be_built"),
    "the device answers, but no Docker engine does at x": (
        "tests/engine/executors/test_device.py",
        "the device answers, but no Docker engine does at ",
    ),
    "the device is x, and the target x": (
        "tests/engine/executors/test_device.py",
        "the device is {HERE}, and the target {other}",
    ),
    "this machine has no ssh": ("tests/engine/executors/test_device.py", "this machine has no ssh"),
    "it does not answer within 9 s": ("tests/test_messages.py", "def test_a_device_that_never_forwards"),
    "ssh ended with status 9": ("tests/test_messages.py", "def test_an_ssh_that_ends_without_a_word"),
    "the way to it is closed": ("tests/test_messages.py", "def test_a_closed_way_is_not_opened_again"),
    "this target names no device": ("tests/test_messages.py", "def test_a_target_without_a_device"),
    "it holds 0 images, not one": ("tests/test_faults_containers.py", "it holds 0 images, not one"),
    "the container engine does not take this archive: x": (
        "tests/test_faults_containers.py",
        "the container engine does not take this archive: ",
    ),
    "the container engine went away while it was given the image: x": (
        "tests/test_faults_containers.py",
        "the container engine went away while it was given the image: ",
    ),
    "the disk of the container engine is full: x": (
        "tests/test_faults_device.py",
        "the disk of the container engine is full: ",
    ),
    "the image under this name is another one than before: x, and it was x": (
        "tests/test_faults_containers.py",
        "the image under this name is another one than before: ",
    ),
    "the experiment 'x' is deleted in MLflow": (
        "tests/engine/mlflow/test_mlflow.py",
        "is deleted in MLflow;",
    ),
    "the database has MLflow's schema x; the MLflow installed here needs x": (
        "tests/engine/mlflow/test_mlflow.py",
        "the database has MLflow's schema ",
    ),
    "a PNG needs Pillow, which is not installed": (
        "tests/engine/drawing/test_picture.py",
        "install the extra 'runtime'",
    ),
    "runs are recorded on a server, which has a page of its own": (
        "tests/test_messages.py",
        "def test_the_page_of_a_server_is_the_servers",
    ),
    "2 runs begin so": ("tests/test_messages.py", "def test_a_run_that_two_beginnings_share"),
    "it was deleted": ("tests/test_faults.py", "def test_a_command_in_a_deleted_folder_says_so"),
    "the container engine does not do its work: x": (
        "tests/engine/executors/test_lying_engine.py",
        "the container engine does not do its work",
    ),
    "the machine says: x": ("tests/test_messages.py", "def test_a_file_system_that_cannot_be_written"),
}
SOURCE_FILES = [ROOT / "run.py", *sorted((ROOT / "engine").rglob("*.py"))]


def _patterns(node: ast.expr, function: ast.AST) -> list[str]:
    """The sentences that an expression may stand for, as regular expressions.

    None where another library words them.
    """
    if isinstance(node, ast.Constant):
        return [re.escape(node.value)]
    if isinstance(node, ast.JoinedStr):
        parts = [re.escape(part.value) if isinstance(part, ast.Constant) else ".+" for part in node.values]
        return [] if parts == [".+"] else ["".join(parts)]
    if isinstance(node, ast.IfExp):
        return _patterns(node.body, function) + _patterns(node.orelse, function)
    if isinstance(node, ast.Name):
        assigned = [
            one.value
            for one in ast.walk(function)
            if isinstance(one, ast.Assign) and [ast.unparse(t) for t in one.targets] == [node.id]
        ]
        return [
            pattern
            for value in assigned
            if not isinstance(value, ast.Name)
            for pattern in _patterns(value, function)
        ]
    return []


@functools.cache
def _sentences() -> list[tuple[str, str]]:
    """Every sentence of a UserError in the engine, with the file and line where it stands."""
    found = []
    for path in SOURCE_FILES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            for call in (
                node
                for node in ast.walk(function)
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "UserError"
            ):
                found += [
                    (pattern, f"{path.relative_to(ROOT)}:{call.lineno}")
                    for pattern in _patterns(call.args[1], function)
                ]
    return sorted(set(found))


def test_the_sentences_of_the_engine_are_found():
    assert len(_sentences()) > 55


@pytest.mark.parametrize(("pattern", "place"), _sentences(), ids=[place for _, place in _sentences()])
def test_every_mistake_has_its_row(pattern, place):
    tables = [
        MISTAKES,
        VALUES,
        FORMS,
        STAGE_FORMS,
        TARGET_FORMS,
        ASSET_FORMS,
        YAML,
        DIGESTS,
        FETCHES,
        COMMANDS,
        PREDICTIONS,
        SETTINGS,
    ]
    rows = [said[1] for table in tables for _, said in table.values()]
    there = [
        (ROOT / file).read_text(encoding="utf-8")
        for sentence, (file, _) in ELSEWHERE.items()
        if re.fullmatch(pattern, sentence)
    ]
    words = [words for sentence, (_, words) in ELSEWHERE.items() if re.fullmatch(pattern, sentence)]
    is_elsewhere = any(word in text for word, text in zip(words, there, strict=True))
    assert any(re.fullmatch(pattern, row) for row in rows) or is_elsewhere, f"{place} has no row: {pattern}"
