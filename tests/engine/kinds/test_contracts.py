"""The contract that each kind of stage derives from the YAML."""

from typing import Any

import pytest

from engine.contract import Contract, Declared
from engine.kinds import command, uses
from engine.signature import Library

STAGE = "from engine.stage import In, Out\ndef s(x: In | None, y: Out, *, n: int = 1) -> None:\n    import numpy\n"


@pytest.fixture
def library(tmp_path):
    """The package `lib` with one stage."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "s.py").write_text(STAGE)
    return Library(["lib"], [tmp_path])


def _declared(value: Any, **keys: Any) -> Declared:
    given = {"inputs": {}, "outputs": (), "params": {}, **keys}
    return Declared(value=value, where="u.yaml: stages.a", **given)


def test_a_functions_contract_is_its_signature(library):
    found = uses.contract(_declared("lib.s"), library)
    assert (found.inputs, found.outputs, found.metrics) == ({"x": False}, ("y",), frozenset())
    assert (found.label, found.needs, found.invoke) == (
        "lib.s",
        {"numpy"},
        {"module": "lib.s", "function": "s"},
    )


def test_a_commands_contract_is_what_the_yaml_declares(library):
    words = ("cp", "{inputs.x}", "{outputs.y}")
    found = command.contract(
        _declared(words, inputs={"x": "a.b"}, outputs=("y",), params={"n": 1}), library
    )
    csv = command.contract(
        _declared(words, inputs={"x": "a.b"}, outputs=("y",), suffixes={"y": ".csv"}), library
    )
    assert (csv.file_of("y"), csv.sources == found.sources) == (
        "y.csv",
        False,
    )  # programs depend on it
    assert found == Contract(
        label="cp {inputs.x} {outputs.y}",
        subject="a command",
        inputs={"x": True},
        outputs=("y",),
        params=found.params,
        sources={"command": list(words)},
        invoke={"command": list(words)},
    )


def test_every_mistake_of_a_command_is_reported(library):
    with pytest.raises(ExceptionGroup) as caught:
        command.contract(_declared(("cp", "{inputs.x}")), library)
    assert [one.where for one in caught.value.exceptions] == [
        "u.yaml: stages.a.command",
        "u.yaml: stages.a.outputs",
    ]
