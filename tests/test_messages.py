"""What a use case's mistakes are answered with, word for word: place, what is wrong, the way out."""

import pytest

from engine import check, spec, yamlfile
from engine.check import Placement
from engine.signature import Library

HEAD = "params: {n: 3}\nassets: {data: null}\nstages:\n"
A = "  a: {uses: mystages.make}\n"
PLACES = {"build": Placement("linux/amd64", False, "x86_64"), "target": Placement("linux/arm64", False, "simulated")}

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
        ["u.yaml: stages.a.uses", "'os.system' is outside the stage library", "name a stage under 'mystages.'"],
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
        ["u.yaml: assets.data", "the stage 'b' needs this asset, and it is null", "write assets.data=NAME_OR_PATH"],
    ),
    "missing_input": (
        "  b: {uses: mystages.double}",
        ["u.yaml: stages.b.inputs", "'mystages.double' needs the input 'number'", "add 'number: stage.output' or 'number: asset:name'"],
    ),
    "unknown_metric": (
        A + "  b: {uses: mystages.double, inputs: {number: a.data}, require: {totl: '> 1'}}",
        ["u.yaml: stages.b.require.totl", "'mystages.double' returns no metric 'totl'", "did you mean 'total'?"],
    ),
    "cycle": (
        "  a: {uses: mystages.double, inputs: {number: c.data}}\n  b: {uses: mystages.double, inputs: {number: a.data}}\n"
        "  c: {uses: mystages.double, inputs: {number: b.data}}",
        [
            "u.yaml: stages.a.inputs.number",
            "these stages wait for one another: a -> b -> c -> a",
            "take one of these inputs from an earlier stage",
        ],
    ),
    "two_kinds": (
        "  a: {uses: mystages.make, command: ['true']}",
        ["u.yaml: stages.a", "a stage has one of 'uses' and 'command'", "write 'uses: stages.<domain>.<stage>'"],
    ),
    "placeholder": (
        "  a: {command: [cp, '{inputs.y}', '{outputs.x}'], outputs: [x]}",
        ["u.yaml: stages.a.command", "there is no 'inputs.y' to fill in", "choose one of: outputs.x"],
    ),
    "no_outputs": ("  a: {command: ['true']}", ["u.yaml: stages.a.outputs", "a command says what it writes", "write 'outputs: [name]'"]),
    "dots": (
        "  a: {command: ['true'], outputs: ['../x']}",
        ["u.yaml: stages.a.outputs.0", "'../x' is not a name", "write letters, digits and _ only, a letter first"],
    ),
    "duration": (
        "  a: {uses: mystages.make, timeout: soon}",
        ["u.yaml: stages.a.timeout", "'soon' is not a duration", "write 90s, 30m or 2h"],
    ),
}


@pytest.fixture
def mistakes_of(project):
    """The mistakes of a use case whose stages are these."""

    def found(stages: str) -> list[list[str]]:
        path = project.path / "u.yaml"
        path.write_text("name: u\n" + HEAD + stages)
        with pytest.raises(ExceptionGroup) as caught:
            check.check(spec.parse(yamlfile.load(path), "u.yaml"), Library(["mystages"], [project.path]), PLACES, "u.yaml")
        return [[error.where, error.what, error.fix] for error in caught.value.exceptions]

    return found


@pytest.mark.parametrize(("stages", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_answered_with_the_way_out(mistakes_of, stages, said):
    [found] = mistakes_of(stages)
    assert found[: len(said)] == said


def test_two_mistakes_are_told_at_once_in_the_order_of_the_file(mistakes_of):
    found = mistakes_of("  a: {uses: mystages.mak}\n  b: {uses: mystages.double, inputs: {numbr: a.data}}")
    assert [where for where, *_ in found] == ["u.yaml: stages.a.uses", "u.yaml: stages.b.inputs.numbr", "u.yaml: stages.b.inputs"]
