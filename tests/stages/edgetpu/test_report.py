"""The report: its file, its metrics, its picture, and the results of the real compiler for real models."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.stage import StageError
from stages.edgetpu import report as module
from stages.edgetpu._compiled import CUSTOM_CODE, EXECUTION_ONLY, PARAMETER_CACHING
from stages.edgetpu._rules import DATA_TYPE, UNSPECIFIED
from stages.edgetpu.report import report as edgetpu_report
from tests.tflite_models import G, Op, T, compiled_options, model, package, write

MIRROR = Path(os.environ.get("RPI_MLOPS_MIRROR", Path(__file__).parents[4] / "shared/mirror"))
TRUTH = MIRROR / "edgetpu_pairs/truth.json"
MODELS = {one["name"]: one for one in json.loads(TRUTH.read_text())} if TRUTH.is_file() else {}
needs_mirror = pytest.mark.skipif(
    not MODELS, reason="RPI_MLOPS_MIRROR names no folder with compiled models"
)

FLOAT_ENDS = G(
    [
        T((1, 8), "FLOAT32"),
        T((1, 8)),
        T((4, 8), data=bytes(range(32))),
        T((1, 4)),
        T((1, 4), "FLOAT32"),
    ],
    [Op("QUANTIZE", (0,), (1,)), Op("FULLY_CONNECTED", (1, 2), (3,)), Op("DEQUANTIZE", (3,), (4,))],
)
COMPILED = G(
    [T((1, 8)), T((1, 4)), T((1, 4), "FLOAT32")],
    [
        Op(
            "CUSTOM",
            (0,),
            (1,),
            custom_code=CUSTOM_CODE,
            custom_options=compiled_options(
                package([(EXECUTION_ONLY, 64), (PARAMETER_CACHING, 128)], 13)
            ),
        ),
        Op("DEQUANTIZE", (1,), (2,)),
    ],
)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The stage's notes and figures."""
    heard: list[Any] = []
    monkeypatch.setattr(module, "note", heard.append)
    monkeypatch.setattr(module, "op_graph", lambda *drawn: heard.append(drawn))
    return heard


def test_a_model_with_float_ends_leaves_their_conversions_to_the_cpu(
    tmp_path: Path, said: list[Any]
) -> None:
    metrics = edgetpu_report(write(tmp_path / "m.tflite", FLOAT_ENDS), tmp_path / "report.json")
    report = json.loads((tmp_path / "report.json").read_text())
    assert report == {
        "ops": [
            {"index": 0, "type": "QUANTIZE", "mapped": False, "reason": UNSPECIFIED},
            {"index": 1, "type": "FULLY_CONNECTED", "mapped": True, "reason": None},
            {"index": 2, "type": "DEQUANTIZE", "mapped": False, "reason": DATA_TYPE},
        ],
        "cached_param_bytes": 128,
        "streamed_param_bytes": 0,
        "min_runtime": 14,
        "predicted": True,
    }
    assert metrics == {
        "edgetpu_op_ratio": pytest.approx(1 / 3),
        "ops_mapped": 1,
        "ops_left": 2,
        "cached_param_bytes": 128,
        "streamed_param_bytes": 0,
        "min_runtime": 14,
    }
    assert said == [
        "1 of 3 operators would run on the Edge TPU (predicted from types and shapes, without the "
        "compiler)",
        ("predicted mapping", report["ops"], [(0, 1), (1, 2)], "Edge TPU"),
    ]


def test_a_compiled_model_is_read_and_not_guessed(tmp_path: Path, said: list[Any]) -> None:
    metrics = edgetpu_report(write(tmp_path / "m.tflite", COMPILED), tmp_path / "report.json")
    report = json.loads((tmp_path / "report.json").read_text())
    assert [(op["type"], op["mapped"]) for op in report["ops"]] == [
        (CUSTOM_CODE, True),
        ("DEQUANTIZE", False),
    ]
    assert (
        report["cached_param_bytes"],
        report["streamed_param_bytes"],
        report["min_runtime"],
        report["predicted"],
    ) == (
        128,
        64,
        13,
        False,
    )
    assert metrics["edgetpu_op_ratio"] == 0.5
    assert said[0] == "the model is compiled for the Edge TPU; operators left to the CPU: 1"


def test_a_report_of_several_models_has_each_and_counts_all(
    tmp_path: Path, said: list[Any]
) -> None:
    for role, form, graph in (
        ("model", "int8", FLOAT_ENDS),
        ("pose", "int8", FLOAT_ENDS),
        ("pose", "edgetpu", COMPILED),
    ):
        (tmp_path / "models" / role).mkdir(parents=True, exist_ok=True)
        write(tmp_path / "models" / role / f"{form}.tflite", graph)
    metrics = edgetpu_report(tmp_path / "models", tmp_path / "report.json")
    report = json.loads((tmp_path / "report.json").read_text())["models"]
    assert {role: one["predicted"] for role, one in report.items()} == {
        "model": True,
        "pose": False,
    }
    assert metrics == {
        "edgetpu_op_ratio": 2 / 5,
        "ops_mapped": 2,
        "ops_left": 3,
        "cached_param_bytes": 256,
        "streamed_param_bytes": 64,
        "min_runtime": 14,
    }
    assert [one[0] for one in said if isinstance(one, tuple)] == [
        "model: predicted mapping",
        "pose: compiled",
    ]


def test_a_folder_without_a_model_is_a_user_error(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    with pytest.raises(StageError, match="models contains no model"):
        edgetpu_report(tmp_path / "models", tmp_path / "report.json")


def test_a_float_model_needs_no_runtime_of_the_edge_tpu(tmp_path: Path, said: list[Any]) -> None:
    floats = G([T((1, 4), "FLOAT32"), T((1, 4), "FLOAT32")], [Op("RELU", (0,), (1,))])
    metrics = edgetpu_report(write(tmp_path / "m.tflite", floats), tmp_path / "report.json")
    assert (metrics["edgetpu_op_ratio"], metrics["min_runtime"]) == (0, 0)


def test_operators_of_further_graphs_belong_to_the_operator_that_calls_them(
    tmp_path: Path, said: list[Any]
) -> None:
    body = G([T((1, 4)), T((1, 4))], [Op("RELU", (0,), (1,))])
    loop = G(
        [T((1, 4)), T((1, 4))],
        [
            Op(
                "WHILE",
                (0,),
                (1,),
                options=("WhileOptions", {"condSubgraphIndex": 1, "bodySubgraphIndex": 1}),
            )
        ],
    )
    edgetpu_report(write(tmp_path / "m.tflite", loop, body), tmp_path / "report.json")
    assert [
        (op["type"], op["mapped"])
        for op in json.loads((tmp_path / "report.json").read_text())["ops"]
    ] == [("WHILE", False)]


def test_a_huge_graph_is_reported_but_not_drawn(
    tmp_path: Path, said: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_DRAWN", 2)
    edgetpu_report(write(tmp_path / "m.tflite", FLOAT_ENDS), tmp_path / "report.json")
    assert said[1:] == ["the graph of 3 operators is too large to draw"]


@pytest.mark.parametrize(
    "data", [b"", b"no model at all", model(FLOAT_ENDS)[:200]], ids=["empty", "text", "cut"]
)
def test_what_is_no_model_is_a_user_error(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "m.tflite").write_bytes(data)
    with pytest.raises(StageError, match=r"m\.tflite"):
        edgetpu_report(tmp_path / "m.tflite", tmp_path / "report.json")


@pytest.mark.parametrize(
    "whole", [model(FLOAT_ENDS), model(COMPILED)], ids=["converted", "compiled"]
)
@given(data=st.data())
def test_a_damaged_model_is_reported_or_refused(
    tmp_path_factory: pytest.TempPathFactory, whole: bytes, data: st.DataObject
) -> None:
    damaged = bytearray(whole[: data.draw(st.integers(8, len(whole)))])
    for at in data.draw(st.lists(st.integers(0, len(damaged) - 1), max_size=6)):
        damaged[at] = data.draw(st.sampled_from([0, 1, 127, 128, 255]))
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "m.tflite").write_bytes(damaged)
    try:
        metrics = edgetpu_report(folder / "m.tflite", folder / "report.json")
    except StageError as error:
        assert str(error).startswith("m.tflite ")
    else:
        assert 0 <= metrics["edgetpu_op_ratio"] <= 1


@pytest.mark.mirror
@needs_mirror
@pytest.mark.parametrize("name", MODELS)
def test_the_right_operators_are_mapped(name: str, tmp_path: Path) -> None:
    truth = MODELS[name]
    edgetpu_report(MIRROR / truth["cpu_model"], tmp_path / "report.json")
    report = json.loads((tmp_path / "report.json").read_text())
    assert [op["index"] for op in report["ops"] if not op["mapped"]] == truth["cpu_op_indices"]


@pytest.mark.mirror
@needs_mirror
@pytest.mark.parametrize("name", MODELS)
def test_a_real_compiled_model_says_what_its_compiler_did(name: str, tmp_path: Path) -> None:
    truth = MODELS[name]
    metrics = edgetpu_report(MIRROR / truth["edgetpu_model"], tmp_path / "report.json")
    assert metrics["ops_left"] == truth["ops_cpu"]
    assert [
        metrics[key] for key in ("cached_param_bytes", "streamed_param_bytes", "min_runtime")
    ] == [truth[key] for key in ("cached_param_bytes", "streamed_param_bytes", "min_runtime")]


@pytest.mark.mirror
@needs_mirror
def test_parameters_are_within_five_per_cent_for_most_models(tmp_path: Path) -> None:
    near = []
    for name, truth in MODELS.items():
        metrics = edgetpu_report(MIRROR / truth["cpu_model"], tmp_path / f"{name}.json")
        keys = ("cached_param_bytes", "streamed_param_bytes")
        near += (
            [name]
            if all(abs(metrics[key] - truth[key]) <= 0.05 * truth[key] for key in keys)
            else []
        )
    assert len(near) >= 18, sorted(set(MODELS) - set(near))
