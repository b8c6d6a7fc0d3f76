"""`edgetpu`: which operators of a model the Edge TPU would run, or runs after compilation."""

import json
from pathlib import Path

import pytest

from tests.tflite_models import G, Op, T, model, write

CONV = ("Conv2DOptions", {"strideW": 1, "strideH": 1, "dilationWFactor": 1, "dilationHFactor": 1})
GRAPH = G(
    [
        T((1, 8, 8, 4)),
        T((16, 1, 1, 4), data=bytes(range(64))),
        T((16,), "INT32", data=bytes(64)),
        T((1, 8, 8, 16)),
        T((1, 8, 8, 16)),
    ],
    [Op("CONV_2D", (0, 1, 2), (3,), 3, CONV), Op("ELU", (3,), (4,))],
)


@pytest.fixture
def small(project) -> Path:
    """A model of two operators, of which the Edge TPU supports one."""
    return write(project.path / "small.tflite", GRAPH)


def test_a_table_says_of_each_operator_whether_it_maps_and_why_not(small, give):
    said = give("edgetpu", "model=small.tflite")
    assert said.status == 0
    assert [line.split(maxsplit=3) for line in said.lines[:3]] == [
        ["index", "type", "mapped", "reason"],
        ["0", "CONV_2D", "yes"],
        ["1", "ELU", "no", "Operation not supported"],
    ]
    assert said.lines[4:] == [
        "1 of 2 operators on the Edge TPU (prediction for compiler 16)",
        "parameters: 64 bytes cached, 0 bytes streamed for each inference",
        "minimum runtime: 14",
    ]


def test_json_has_the_promised_keys_and_no_more(small, give):
    said = give("edgetpu", f"model={small}", "format=json")
    assert json.loads(said.out) == {
        "ops": [
            {"index": 0, "type": "CONV_2D", "mapped": True, "reason": None},
            {"index": 1, "type": "ELU", "mapped": False, "reason": "Operation not supported"},
        ],
        "cached_param_bytes": 64,
        "streamed_param_bytes": 0,
        "min_runtime": 14,
    }


@pytest.mark.parametrize(
    "damage",
    [lambda data: data[: len(data) // 2], lambda data: data[:8] + b"\xff" * (len(data) - 8)],
    ids=["cut", "ff"],
)
def test_a_damaged_model_is_three_lines(small, give, damage):
    small.write_bytes(damage(small.read_bytes()))
    said = give("edgetpu", "model=small.tflite")
    assert (said.status, said.out) == (2, "")
    where, what, fix = said.err.splitlines()
    assert (where, fix.strip()) == (
        "model=small.tflite",
        "give a .tflite file from the converter or the Edge TPU's compiler",
    )
    assert what.strip().startswith("small.tflite cannot be read: ")


def test_a_folder_is_no_model(project, give):
    said = give("edgetpu", "model=conf")
    assert (said.status, said.err.splitlines()[1].strip()) == (2, "there is no such file")


def test_nothing_of_it_stays_in_the_store(small, give, project):
    assert give("edgetpu", "model=small.tflite").status == 0
    assert [path for path in project.outputs.rglob("*") if "edgetpu" in path.name] == []


def test_a_model_without_operators_is_an_empty_table(project, give):
    (project.path / "none.tflite").write_bytes(model(G([T((1,))], [], outputs=(0,))))
    said = give("edgetpu", "model=none.tflite")
    assert (said.status, said.lines[2]) == (
        0,
        "0 of 0 operators on the Edge TPU (prediction for compiler 16)",
    )


def test_a_model_that_never_ends_is_refused(give):
    said = give("edgetpu", "model=/proc/kmsg")
    assert (said.status, said.err.splitlines()[0]) == (
        2,
        "model=/proc/kmsg",
    ) and "a file system of the kernel" in said.err
