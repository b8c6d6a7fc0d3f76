"""Validation errors of a use case, a stage, a target or an asset."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine import asset, spec, target
from engine.errors import raise_all
from tests.messages.rows import Subject, Told, told

FORMS = {
    "no_name": ({"name": None}, "u.yaml: name", "name", "name: ..."),
    "name": ({"name": "u u"}, "u.yaml: name", "u u", "letters, digits"),
    "no_stages": ({"stages": None}, "u.yaml: stages", "stages", "stages: ..."),
    "empty_stages": ({"stages": {}}, "u.yaml: stages", "item", "docs/reference.md"),
    "stage_name": ({"stages": {"a-b": {}}}, "u.yaml: stages.a-b", "a-b", "letters, digits"),
    "unknown_key": ({"param": {}}, "u.yaml: param", "param", "params"),
    "parameter": ({"params": {"x": {"y": {"z": 1}}}}, "u.yaml: params.x", "z", "a number, text"),
    "asset": ({"assets": {"x": 3}}, "u.yaml: assets.x", "3", "text"),
}
STAGE_FORMS = {
    "retries": ({"retries": "many"}, "u.yaml: stages.a.retries", "many", "whole number"),
    "many_retries": ({"retries": 99}, "u.yaml: stages.a.retries", "20", "smaller"),
    "runs_on": ({"runs_on": "device"}, "u.yaml: stages.a.runs_on", "device", "choose one"),
    "params": ({"params": 3}, "u.yaml: stages.a.params", "3", "key: value"),
    "outputs": ({"outputs": "x"}, "u.yaml: stages.a.outputs", "x", "[a, b]"),
    "rule": ({"require": {"a": "high"}}, "u.yaml: stages.a.require.a", "high", ">= 0.85"),
    "no_rule": ({"require": {"a": None}}, "u.yaml: stages.a.require.a", "null", "'~stages."),
    "memory": (
        {"resources": {"memory": "big"}},
        "u.yaml: stages.a.resources.memory",
        "big",
        "512M",
    ),
    "cpus": ({"resources": {"cpus": 0}}, "u.yaml: stages.a.resources.cpus", "0", "number"),
    "resource": ({"resources": {"cpu": 1}}, "u.yaml: stages.a.resources.cpu", "cpu", "cpus"),
    "env": ({"env": {"A": 1}}, "u.yaml: stages.a.env.A", "1", "text"),
    "command": ({"command": "ls"}, "u.yaml: stages.a.command", "ls", "[a, b]"),
    "input": ({"inputs": {"x": 5}}, "u.yaml: stages.a.inputs.x", "5", "text"),
    "output_in_a_folder": (
        {"outputs": ["../model"]},
        "u.yaml: stages.a.outputs.0",
        "../model",
        "model.keras",
    ),
    "mlproject_as_text": (
        {"mlproject": "fit/x"},
        "u.yaml: stages.a.mlproject",
        "fit/x",
        "mlproject: {uri: fit/x}",
    ),
    "timeout": ({"timeout": -1}, "u.yaml: stages.a.timeout", "-1", "30m"),
    "env_name": ({"env": {"A=B": "x"}}, "u.yaml: stages.a.env.A=B", "A=B", "letters, digits"),
    "env_value": ({"env": {"A": "x\0y"}}, "u.yaml: stages.a.env.A", "NUL", "remove"),
    "pass_env_name": (
        {"pass_env": ["TOKEN", "9A"]},
        "u.yaml: stages.a.pass_env.1",
        "9A",
        "letters, digits",
    ),
    "pass_env": ({"pass_env": "TOKEN"}, "u.yaml: stages.a.pass_env", "TOKEN", "[a, b]"),
    "parameter_name": (
        {"params": {"a b": 1}},
        "u.yaml: stages.a.params.a b",
        "a b",
        "letters, digits",
    ),
}
TARGET_FORMS = {
    "platform": ({"platform": "linux/arm"}, "t.yaml: platform", "linux/arm", "mean 'linux/arm"),
    "runtime": ({"runtime": "onnx"}, "t.yaml: runtime", "onnx", "choose one"),
    "memory": ({"memory": "4 gigs"}, "t.yaml: memory", "4 gigs", "512M"),
    "unknown_key": ({"acelerator": "gpu"}, "t.yaml: acelerator", "acelerator", "accelerator"),
    "accelerator": ({"accelerator": "edgtpu"}, "t.yaml: accelerator", "edgtpu", "mean 'edgetpu'"),
    "bus": ({"accelerator": "edgetpu", "bus": "i2c"}, "t.yaml: bus", "i2c", "choose one"),
    "bus_of_nothing": ({"bus": "pcie"}, "t.yaml: bus", "none", "accelerator: edgetpu"),
    "device": ({"device": "pi@raspberrypi"}, "t.yaml: device", "pi@raspberrypi", "ssh://user@host"),
    "device_that_is_an_option": (
        {"device": "ssh://-oProxyCommand=x/y"},
        "t.yaml: device",
        "ssh://-oProxyCommand=x/y",
        "ssh://user@host",
    ),
    "device_with_a_password": (
        {"device": "ssh://pi:secret@host"},
        "t.yaml: device",
        "password",
        "ssh://user@host",
    ),
    "device_port": ({"device": "ssh://pi@host:70000"}, "t.yaml: device", "70000", "65535"),
    "no_name": ({"name": None}, "t.yaml: name", "name", "name: ..."),
}
FILE = {"path": "m", "mirror": "m", "url": "https://x", "sha256": "0" * 64, "bytes": 1}
ASSET_FORMS = {
    "no_origin": ({"files": None}, "a.yaml: ", "files, made_by and path", "write one"),
    "two_origins": (
        {"made_by": {"uses": "x", "output": "y"}},
        "a.yaml: ",
        "files, made_by and path",
        "write one",
    ),
    "no_licence": ({"licence": "absent"}, "a.yaml: licence", "licence", "licence: ..."),
    "sha256": ({"files": [{**FILE, "sha256": "0"}]}, "a.yaml: files.0.sha256", "0", "text"),
    "url": ({"files": [{**FILE, "url": "http://x"}]}, "a.yaml: files.0.url", "http://x", "text"),
    "no_source": ({"files": [{**FILE, "url": None}]}, "a.yaml: files.0", "source", "url or npm"),
    "path": ({"files": [{**FILE, "path": "../m"}]}, "a.yaml: files.0.path", "../m", "without"),
    "unknown_key": ({"file": []}, "a.yaml: file", "file", "files"),
}


def read(data: dict[str, Any], where: str) -> spec.UseCase:
    """Parse a use case, or raise its mistakes."""
    usecase, mistakes = spec.read(data, where)
    raise_all(mistakes)
    return usecase


def _changed(data: dict[str, object], change: dict[str, object]) -> dict[str, object]:
    """The data with these keys; a None that is not allowed removes the key."""
    out = {"absent", None} if "licence" in change else {None}
    return {
        key: value
        for key, value in {**data, **change}.items()
        if not (key in change and isinstance(value, str | None) and value in out)
    }


def _form(parse: Callable[..., Any], data: dict[str, Any], where: str) -> Callable[..., list[Told]]:
    def provoke(change: dict[str, Any], folder: Path) -> list[Told]:
        with pytest.raises(ExceptionGroup) as caught:
            parse(_changed(data, change), where)
        return told(caught.value, folder)

    return provoke


def _stage(change: dict[str, Any], folder: Path) -> list[Told]:
    return _form(read, {"name": "u"}, "u.yaml")({"stages": {"a": {"uses": "x", **change}}}, folder)


USECASE = {"name": "u", "stages": {"a": {"uses": "x"}}}
TARGET = {"name": "t", "platform": "linux/arm64", "runtime": "litert"}
ASSET = {"name": "a", "description": "", "licence": None, "files": [FILE]}
SUBJECTS = {
    "form": Subject(FORMS, _form(read, USECASE, "u.yaml")),
    "stage": Subject(STAGE_FORMS, _stage),
    "target": Subject(TARGET_FORMS, _form(target.parse, TARGET, "t.yaml")),
    "asset": Subject(ASSET_FORMS, _form(asset.parse, ASSET, "a.yaml")),
}
