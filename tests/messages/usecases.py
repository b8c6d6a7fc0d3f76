"""Mistakes in a use case against the stages that it names."""

from pathlib import Path

import pytest

from engine import check, yamlfile
from engine.placement import Placement
from engine.signature import Library
from tests.conftest import Project
from tests.messages.forms import read
from tests.messages.rows import Subject, Told, told

SOURCES = {  # of stages that are themselves invalid, or need something
    "torn": "x = 1\nx = = 1\n",
    "minus": f"x = {'-' * 100_000}1\n",
    "nameless": "def other(): ...\n",
    "vague": "from engine.stage import Out\ndef vague(data: Out, n: int) -> None: ...\n",
    "lazy": "from engine.stage import Out\ndef lazy(data: Out, *, n: int = len([])) -> None: ...\n",
    "dotless": "def dotless(data: Annotated[Out, Suffix('csv')]) -> None: ...\n",
    "needs": "from engine.stage import Out\ndef needs(data: Out, *, rate: float) -> None: ...\n",
    "both": "from engine.stage import In, Out\nTOGETHER = {'a': ['b']}\n"
    "def both(out: Out, a: In | None = None, b: In | None = None) -> None: ...\n",
    "apart": "from engine.stage import In, Out\nTOGETHER = {'a': ['c']}\n"
    "def apart(out: Out, a: In | None = None) -> None: ...\n",
    "calls": "from engine.stage import In, Out\nDEFINES = {'code': {}}\n"
    "def calls(data: Out, coed: In) -> None: ...\n",
    "passes": "from engine.stage import In, Out\nKEYWORDS = {'model': ['code', 'm.py:f']}\n"
    "def passes(data: Out, code: In, *, modl: str = '') -> None: ...\n",
    "_helper": "from engine.stage import Out\ndef _helper(data: Out) -> None: ...\n",
}

HEAD = "params: {n: 3}\nassets: {data: null}\nstages:\n"
A = "  a: {uses: mystages.make}\n"
B = A + "  b: {uses: mystages.double, inputs: {number: a.data}}\n"
HERE = Placement("linux/amd64", False, "x86_64")

MISTAKES = {
    "unknown_stage_key": (
        A + "  b: {uses: mystages.double, input: {number: a.data}}",
        "u.yaml: stages.b.input",
        "input",
        "inputs",
    ),
    "unknown_stage": (
        "  a: {uses: mystages.mak}",
        "u.yaml: stages.a.uses",
        "mystages.mak",
        "mystages.make",
    ),
    "code_outside": ("  a: {uses: os.system}", "u.yaml: stages.a.uses", "os.system", "mystages."),
    "unknown_parameter": (
        "  a: {uses: mystages.make, params: {m: 1}}",
        "u.yaml: stages.a.params.m",
        "m",
        "n",
    ),
    "wrong_type": (
        "  a: {uses: mystages.make, params: {n: many}}",
        "u.yaml: stages.a.params.n",
        "many",
        "int",
    ),
    "unknown_reference": (
        A + "  b: {uses: mystages.double, inputs: {number: a.date}}",
        "u.yaml: stages.b.inputs.number",
        "a.date",
        "a.data",
    ),
    "no_reference": (
        A + "  b: {uses: mystages.double, inputs: {number: a}}",
        "u.yaml: stages.b.inputs.number",
        "'a'",
        "stage.output",
    ),
    "unknown_asset": (
        "  b: {uses: mystages.double, inputs: {number: 'asset:date'}}",
        "u.yaml: stages.b.inputs.number",
        "date",
        "asset:data",
    ),
    "null_asset": (
        "  b: {uses: mystages.double, inputs: {number: 'asset:data'}}",
        "u.yaml: assets.data",
        "b",
        "assets.data=",
    ),
    "missing_input": (
        "  b: {uses: mystages.double}",
        "u.yaml: stages.b.inputs",
        "number",
        "number: stage.output",
    ),
    "unknown_metric": (
        A + "  b: {uses: mystages.double, inputs: {number: a.data}, require: {totl: '> 1'}}",
        "u.yaml: stages.b.require.totl",
        "totl",
        "total",
    ),
    "cycle": (
        "  a: {uses: mystages.double, inputs: {number: c.data}}\n  b: {uses: mystages.double, inputs: "
        "{number: a.data}}\n"
        "  c: {uses: mystages.double, inputs: {number: b.data}}",
        "u.yaml: stages.a.inputs.number",
        "a -> b -> c -> a",
        "earlier stage",
    ),
    "two_kinds": (
        "  a: {uses: mystages.make, command: ['true']}",
        "u.yaml: stages.a",
        "command",
        "uses: stages.<domain>.<stage>",
    ),
    "placeholder": (
        "  a: {command: [cp, '{inputs.y}', '{outputs.x}'], outputs: [x]}",
        "u.yaml: stages.a.command",
        "inputs.y",
        "outputs.x",
    ),
    "output_twice": (
        "  a: {command: [touch, '{outputs.x}'], outputs: [x, x]}",
        "u.yaml: stages.a.outputs",
        "x",
        "keep one",
    ),
    "metric_of_a_command": (
        "  a: {command: [touch, '{outputs.x}'], outputs: [x], require: {accuracy: '> 1'}}",
        "u.yaml: stages.a.require.accuracy",
        "accuracy",
        "none",
    ),
    "no_outputs": (
        "  a: {command: ['true']}",
        "u.yaml: stages.a.outputs",
        "command",
        "outputs: [name]",
    ),
    "dots": (
        "  a: {command: ['true'], outputs: ['../x']}",
        "u.yaml: stages.a.outputs.0",
        "../x",
        "letters, digits",
    ),
    "suffix": (
        "  a: {command: ['true'], outputs: [x.c-v]}",
        "u.yaml: stages.a.outputs.0",
        ".c-v",
        "x.csv",
    ),
    "duration": (
        "  a: {uses: mystages.make, timeout: soon}",
        "u.yaml: stages.a.timeout",
        "soon",
        "30m",
    ),
    "outputs_of_a_function": (
        "  a: {uses: mystages.make, outputs: [x]}",
        "u.yaml: stages.a.outputs",
        "signature",
        "remove",
    ),
    "unknown_input": (
        A + "  b: {uses: mystages.double, inputs: {number: a.data, numbr: a.data}}",
        "u.yaml: stages.b.inputs.numbr",
        "numbr",
        "number",
    ),
    "missing_parameter": (
        "  a: {uses: mystages.needs}",
        "u.yaml: stages.a.params",
        "rate",
        "rate: <float>",
    ),
    "unknown_objective": (
        B + "objective: b.totl",
        "u.yaml: objective",
        "b.totl",
        "b.total",
    ),
    "unknown_one_of_several_objectives": (
        B + "objective: {maximise: b.totl}",
        "u.yaml: objective.maximise",
        "b.totl",
        "b.total",
    ),
    "unknown_key_of_objectives": (
        B + "objective: {maximize: b.total}",
        "u.yaml: objective.maximize",
        "maximize",
        "did you mean 'maximise'?",
    ),
    "no_objective_of_several": (
        B + "objective: {best: {limits: {}}}",
        "u.yaml: objective",
        "metric",
        "maximise: STAGE.METRIC",
    ),
    "an_objective_in_both_directions": (
        B + "objective: {maximise: b.total, minimise: [b.total]}",
        "u.yaml: objective",
        "b.total",
        "remove",
    ),
    "a_limit_of_no_objective": (
        B + "objective: {maximise: b.total, best: {limits: {b.totl: '< 2'}}}",
        "u.yaml: objective.best.limits.b.totl",
        "b.totl",
        "did you mean 'b.total'?",
    ),
    "a_preferred_metric_of_no_objective": (
        B + "objective: {maximise: b.total, best: {prefer: b.size}}",
        "u.yaml: objective.best.prefer",
        "b.size",
        "b.total",
    ),
    "broken_stage": (
        "  a: {uses: mystages.torn}",
        "{here}/mystages/torn.py, line 2",
        "Python",
        "source",
    ),
    "unreadable_stage": (
        "  a: {uses: mystages.minus}",
        "{here}/mystages/minus.py",
        "Python",
        "source",
    ),
    "no_function": (
        "  a: {uses: mystages.nameless}",
        "{here}/mystages/nameless.py",
        "nameless",
        "the name of its file",
    ),
    "neither_in_nor_out": (
        "  a: {uses: mystages.vague}",
        "{here}/mystages/vague.py, line 2",
        "n",
        "In or Out",
    ),
    "suffix_of_a_function": (
        "  a: {uses: mystages.dotless}",
        "{here}/mystages/dotless.py, line 1",
        "Suffix('csv')",
        ".json",
    ),
    "default_that_is_no_value": (
        "  a: {uses: mystages.lazy}",
        "{here}/mystages/lazy.py, line 2",
        "default",
        "a number, text",
    ),
    "input_without_its_companion": (
        A + "  b: {uses: mystages.both, inputs: {a: a.data}}",
        "u.yaml: stages.b.inputs",
        "'b' together with 'a'",
        "b: stage.output",
    ),
    "input_without_its_asset": (
        A + "  b: {uses: mystages.both, inputs: {a: a.data, b: 'asset:data'}}",
        "u.yaml: assets.data",
        "stages.b.inputs.a",
        "assets.data=",
    ),
    "input_without_its_stage": (
        A + "  gone: {uses: mystages.make}\n"
        "  b: {uses: mystages.both, inputs: {a: a.data, b: gone.data}}",
        "u.yaml: stages.b.inputs.a",
        "'gone', which this run skips",
        "change what skips 'gone'",
    ),
    "companion_that_is_no_input": (
        "  a: {uses: mystages.apart}",
        "{here}/mystages/apart.py",
        "'c'",
        "a",
    ),
    "functions_of_no_input": (
        "  a: {uses: mystages.calls}",
        "{here}/mystages/calls.py",
        "'code'",
        "coed",
    ),
    "arguments_of_no_parameter": (
        "  a: {uses: mystages.passes}",
        "{here}/mystages/passes.py",
        "'model'",
        "modl",
    ),
    "helper": (
        "  a: {uses: mystages._helper}",
        "u.yaml: stages.a.uses",
        "mystages._helper",
        "mystages.needs",
    ),
}


def provoke(stages: str, folder: Path) -> list[Told]:
    """Return the mistakes of a use case with these stages."""
    project = Project(folder)
    for name, source in SOURCES.items():
        project.stage(name, source)
    path = folder / "u.yaml"
    path.write_text("name: u\n" + HEAD + stages)
    with pytest.raises(ExceptionGroup) as caught:
        check.check(
            read(yamlfile.load(path), "u.yaml"),
            Library(["mystages"], [folder]),
            lambda *_: HERE,
            "u.yaml",
            {"gone": "accelerator must be edgetpu, but pi's is none"},
        )
    return told(caught.value, folder)


SUBJECTS = {"usecase": Subject(MISTAKES, provoke)}
