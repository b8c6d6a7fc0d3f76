"""What the Edge TPU's compiler 16 can read, with real models that have a single change."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from stages.coral.readable import READABLE, obstacles
from stages.tflite.schema import Model, read_model
from stages.tflite.schema_names import OPERATORS


@pytest.fixture
def model(quantised) -> Model:
    """The trained network: two fully connected layers and a softmax."""
    return read_model(quantised.out / "models/model/int8.tflite")


def _with_operator(model: Model, at: int, **change) -> Model:
    graph = model.subgraphs[0]
    operators = [
        replace(operator, **change) if place == at else operator
        for place, operator in enumerate(graph.operators)
    ]
    return replace(model, subgraphs=(replace(graph, operators=tuple(operators)),))


def _with_tensor(model: Model, at: int, **change) -> Model:
    graph = model.subgraphs[0]
    tensors = [
        replace(tensor, **change) if place == at else tensor
        for place, tensor in enumerate(graph.tensors)
    ]
    return replace(model, subgraphs=(replace(graph, tensors=tuple(tensors)),))


def test_an_int8_model_of_today_with_dense_layers_per_tensor_can_be_read(model):
    assert [operator.type for operator in model.subgraphs[0].operators] == [
        "FULLY_CONNECTED",
        "FULLY_CONNECTED",
        "SOFTMAX",
    ]
    assert obstacles(model) == []


@pytest.mark.parametrize(
    ("name", "highest"), [("QUANTIZE", 2), ("TRANSPOSE_CONV", 3), ("CONV_2D", 5), ("EXP", 1)]
)
def test_what_the_compiler_was_seen_to_refuse_is_above_the_table(model, name, highest):
    assert READABLE[name] == highest
    assert obstacles(_with_operator(model, 0, type=name, version=highest)) == []
    [sentence] = obstacles(_with_operator(model, 0, type=name, version=highest + 1))
    assert sentence.startswith(
        f"{name} has version {highest + 1}, but the Edge TPU's compiler 16 reads {name} up to version "
        f"{highest}: "
    )


def test_an_operator_that_came_after_the_compiler_is_reported(model):
    [sentence] = obstacles(_with_operator(model, 2, type="GELU", version=1))
    assert sentence.startswith(
        "GELU has version 1, but the Edge TPU's compiler 16 does not know GELU: "
    )


def test_a_custom_operator_is_the_compilers_to_judge(model):
    assert obstacles(_with_operator(model, 2, type="CUSTOM", version=99)) == []


def test_the_same_operator_many_times_is_one_sentence(model):
    twice = _with_operator(_with_operator(model, 0, version=12), 1, version=12)
    [sentence] = obstacles(twice)
    assert sentence.startswith("FULLY_CONNECTED has version 12") and sentence.endswith("(2 times)")


def test_a_dense_layer_with_a_scale_for_each_channel_is_reported(model):
    weights = model.subgraphs[0].operators[1].inputs[1]
    assert obstacles(_with_tensor(model, weights, scales=(0.1, 0.2, 0.3))) == [
        "1 of 2 FULLY_CONNECTED have a scale per channel, which compiler 16 does not support: "
        "quantise them per tensor"
    ]


def test_a_batch_of_more_than_one_is_reported(model):
    [place] = model.subgraphs[0].inputs
    [sentence] = obstacles(_with_tensor(model, place, shape=(4, 8)))
    assert sentence.endswith("is [4, 8]: convert with a batch of 1")


def test_a_batch_that_is_only_declared_open_is_none(model):
    [place] = model.subgraphs[0].inputs
    assert obstacles(_with_tensor(model, place, shape=(1, 8), shape_signature=(-1, 8))) == []


@pytest.mark.parametrize(
    "change", [{"shape": (-1, 8)}, {"shape_signature": (1, -1)}], ids=["shape", "signature"]
)
def test_a_size_that_is_not_fixed_is_reported(model, change):
    [place] = model.subgraphs[0].inputs
    [sentence] = obstacles(_with_tensor(model, place, **change))
    assert sentence.startswith("the tensor '") and sentence.endswith(
        "' has no fixed size: give the network fixed shapes"
    )


def test_all_that_stands_in_the_way_is_reported_at_once(model):
    [place] = model.subgraphs[0].inputs
    assert (
        len(obstacles(_with_operator(_with_tensor(model, place, shape=(4, 8)), 2, type="GELU")))
        == 2
    )


def test_every_operator_of_the_table_is_one_of_tflites():
    assert READABLE.keys() <= set(OPERATORS)


@pytest.mark.mirror
@pytest.mark.skipif(
    "RPI_MLOPS_MIRROR" not in os.environ, reason="RPI_MLOPS_MIRROR names no folder with real models"
)
def test_every_model_that_the_compiler_took_is_of_versions_that_it_reads():
    pairs = Path(os.environ["RPI_MLOPS_MIRROR"]) / "edgetpu_pairs"
    models = [
        pairs.parent / entry["cpu_model"]
        for entry in json.loads((pairs / "truth.json").read_text())
    ]
    assert {
        model.name: [
            said
            for said in obstacles(read_model(model))
            if "has version" in said or "no fixed size" in said
        ]
        for model in models
    } == {model.name: [] for model in models}
