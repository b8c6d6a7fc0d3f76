"""Mistakes in stages with `foreach` or `when`."""

from pathlib import Path

import pytest

from engine import check, foreach, target, when, yamlfile
from engine.signature import Library
from tests.conftest import Project
from tests.messages.forms import read
from tests.messages.rows import Subject, Told, told
from tests.messages.usecases import HEAD, HERE, A

P = "  p: {uses: mystages.make, foreach: {n: [1, 2]}, params: {n: '${each.n}'}}\n"
FOREACH = "  a: {uses: mystages.make, foreach: "
LEFT_OUT = "  a: {uses: mystages.make, when: {accelerator: edgetpu}}\n"

MISTAKES = {
    "no_keys": (
        FOREACH + "[1, 2]}",
        "u.yaml: stages.a.foreach",
        "here",
        "foreach: {key: [value, value]}",
    ),
    "no_values": (
        FOREACH + "{n: []}}",
        "u.yaml: stages.a.foreach.n",
        "here",
        "foreach: {key: [value, value]}",
    ),
    "no_file_name": (
        FOREACH + "{n: [1, linux/amd64]}}",
        "u.yaml: stages.a.foreach.n",
        "linux/amd64",
        "only letters, digits, '_', '.', '+' and '-'",
    ),
    "a_value_twice": (
        FOREACH + "{n: [1, '1']}}",
        "u.yaml: stages.a.foreach.n",
        "1",
        "keep one of the two",
    ),
    "a_name_twice": (
        FOREACH + "{m: [a-b, a], n: [c, b-c]}}",
        "u.yaml: stages.a.foreach",
        "a@a-b-c",
        "remove '-' from the values",
    ),
    "a_long_name": (
        FOREACH + "{n: [" + "x" * 127 + "]}}",
        "u.yaml: stages.a.foreach",
        "characters",
        "shorter values",
    ),
    "everything_excluded": (
        FOREACH + "{n: [1]}, exclude: [{n: 1}]}",
        "u.yaml: stages.a.exclude",
        "combination",
        "keep one",
    ),
    "no_list_excluded": (
        FOREACH + "{n: [1]}, exclude: {n: 1}}",
        "u.yaml: stages.a.exclude",
        "here",
        "exclude: [{key: value}]",
    ),
    "unknown_key_excluded": (
        FOREACH + "{platform: [x]}, exclude: [{platfrom: x}]}",
        "u.yaml: stages.a.exclude",
        "platfrom",
        "you mean 'platform'",
    ),
    "unknown_value_excluded": (
        FOREACH + "{n: [amd64, arm64]}, exclude: [{n: arm46}]}",
        "u.yaml: stages.a.exclude",
        "arm46",
        "you mean 'arm64'",
    ),
    "unknown_each": (
        FOREACH + "{platform: [x, y]}, params: {n: '${each.platfrom}'}}",
        "u.yaml: stages.a.params.n",
        "platfrom",
        "you mean 'platform'",
    ),
    "each_without_foreach": (
        "  a: {uses: mystages.make, params: {n: '${each.n}'}}",
        "u.yaml: stages.a.params.n",
        "n",
        "${each.key} in a stage with foreach",
    ),
    "a_name_with_a_value": (
        "  a@1: {uses: mystages.make}",
        "u.yaml: stages.a@1",
        "a@1",
        "only letters, digits and _, and start with a letter",
    ),
    "unknown_value": (
        P + "  b: {uses: mystages.double, inputs: {number: p@3.data}}",
        "u.yaml: stages.b.inputs.number",
        "p@3.data",
        "you mean 'p@2.data'",
    ),
    "unknown_output_of_all": (
        P + "  b: {uses: mystages.double, inputs: {number: 'p@*.dta'}}",
        "u.yaml: stages.b.inputs.number",
        "p@*.dta",
        "you mean 'p@*.data'",
    ),
    "a_value_left_out": (
        P + "  b: {uses: mystages.double, inputs: {number: p.data}}",
        "u.yaml: stages.b.inputs.number",
        "p",
        "p@*.data, or p@1.data",
    ),
    "all_values_of_no_foreach": (
        A + "  b: {uses: mystages.double, inputs: {number: 'a@*.data'}}",
        "u.yaml: stages.b.inputs.number",
        "a",
        "a.data",
    ),
    "unknown_key_of_a_target": (
        "  a: {uses: mystages.make, when: {acelerator: edgetpu}}",
        "u.yaml: stages.a.when.acelerator",
        "acelerator",
        "you mean 'accelerator'",
    ),
    "unknown_value_of_a_target": (
        "  a: {uses: mystages.make, when: {accelerator: [none, edgtpu]}}",
        "u.yaml: stages.a.when.accelerator",
        "edgtpu",
        "you mean 'edgetpu'",
    ),
    "unknown_parameter_of_a_condition": (
        "  a: {uses: mystages.make, when: {params.m: x}}",
        "u.yaml: stages.a.when.params.m",
        "m",
        "you mean 'params.n'",
    ),
    "a_parameter_that_chooses_no_stage": (
        "  a: {uses: mystages.make, when: {params.n: [fast, slow]}}",
        "u.yaml: params.n",
        "n=3",
        "choose one of: fast, slow",
    ),
    "unknown_asset_of_a_condition": (
        "  a: {uses: mystages.make, when: {assets.dat: true}}",
        "u.yaml: stages.a.when.assets.dat",
        "dat",
        "you mean 'assets.data'",
    ),
    "an_asset_of_a_condition_by_name": (
        "  a: {uses: mystages.make, when: {assets.data: mine}}",
        "u.yaml: stages.a.when.assets.data",
        "mine",
        "write true",
    ),
    "a_required_input_of_a_stage_left_out": (
        LEFT_OUT + "  b: {uses: mystages.double, inputs: {number: a.data}}",
        "u.yaml: stages.b.inputs.number",
        "a",
        "make the input optional (In | None), or give 'b' the same 'when'",
    ),
    "no_alternative_in_the_plan": (
        LEFT_OUT + "  b: {uses: mystages.double, inputs: {number: [a.data]}}",
        "u.yaml: stages.b.inputs.number",
        "a.data",
        "add an alternative that is always planned",
    ),
    "an_unknown_alternative": (
        A + "  b: {uses: mystages.double, inputs: {number: [a.data, a.dta]}}",
        "u.yaml: stages.b.inputs.number.1",
        "a.dta",
        "you mean 'a.data'",
    ),
    "no_alternative_at_all": (
        A + "  b: {uses: mystages.double, inputs: {number: []}}",
        "u.yaml: stages.b.inputs.number",
        "empty",
        "write stage.output",
    ),
    "an_objective_of_a_stage_left_out": (
        A
        + "  b: {uses: mystages.double, inputs: {number: a.data}, when: {accelerator: edgetpu}}\n"
        + "objective: b.total",
        "u.yaml: objective",
        "b",
        "choose a metric of another stage, or another target",
    ),
}


def provoke(stages: str, folder: Path) -> list[Told]:
    """Return the mistakes of a use case with these stages, expanded for a target without accelerator."""
    project = Project(folder)
    path = folder / "u.yaml"
    path.write_text("name: u\n" + HEAD + stages)
    data = yamlfile.load(path)
    data["stages"], found = foreach.expand(data["stages"], "u.yaml")
    if found:
        return [line for one in found for line in told(one, folder)]
    usecase = read(data, "u.yaml")
    if found := list(when.mistakes(usecase.stages, usecase.params, "u.yaml", usecase.assets)):
        return [line for one in found for line in told(one, folder)]
    aim = target.Target(name="pi", platform="linux/arm64")
    with pytest.raises(ExceptionGroup) as caught:
        library = Library(["mystages"], [project.path])
        gone = when.left_out(usecase.stages, aim, usecase.params)
        check.check(usecase, library, lambda *_: HERE, "u.yaml", gone)
    return told(caught.value, folder)


SUBJECTS = {"values": Subject(MISTAKES, provoke)}
