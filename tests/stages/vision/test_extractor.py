"""Which networks can be the frozen part of a classifier, and which packages can get more classes."""

import json
from pathlib import Path

import pytest

from engine.signature import Library
from engine.stage import StageError
from stages.vision.extractor import extractor
from tests.stages.vision import extractors
from tests.tflite_models import G, Op, T, write


@pytest.fixture
def run(tmp_path):
    """Run the stage on a network; return its metrics and the folder of what it wrote."""

    def made(model, **given):
        out = tmp_path / "out"
        out.mkdir()
        given = {"method": "imprint", **given}
        return extractor(model, out / "models", out / "picture.json", **given), out

    return made


def test_the_network_passes_unchanged_with_what_its_input_is(run, tmp_path):
    model = extractors.tiny(tmp_path / "m.tflite")
    metrics, out = run(model)
    assert metrics == {"picture_size": 32, "embedding_size": 192}
    assert (out / "models/model/int8.tflite").read_bytes() == model.read_bytes()
    about = json.loads((out / "picture.json").read_text())
    assert about == {"size": 32, "mean": 0, "deviation": 128}


def test_a_compiled_twin_travels_with_it(run, tmp_path):
    folder = tmp_path / "published"
    folder.mkdir()
    extractors.tiny(folder / "int8.tflite")
    (folder / "edgetpu.tflite").write_bytes(b"compiled")
    _, out = run(folder)
    assert (out / "models/model/edgetpu.tflite").read_bytes() == b"compiled"


TALL = G(
    [T((1, 32, 32, 3), "UINT8"), T((1, 4, 4, 3), "UINT8")],
    [
        Op(
            "AVERAGE_POOL_2D",
            (0,),
            (1,),
            options=("Pool2DOptions", {**extractors.POOL, "strideW": 8, "strideH": 8}),
        )
    ],
)


@pytest.mark.parametrize(
    ("graph", "said"),
    [
        (extractors.graph(type="FLOAT32"), "use a quantised network"),
        (TALL, "not one embedding"),
        (
            G([T((1, 8), "UINT8"), T((1, 8), "UINT8")], [Op("RELU", (0,), (1,))]),
            "not a square RGB picture",
        ),
    ],
)
def test_another_network_is_refused_with_the_reason(run, tmp_path, graph, said):
    if graph.tensors[0].type == "FLOAT32":
        graph.tensors[1].type = graph.tensors[3].type = "FLOAT32"
    with pytest.raises(StageError, match=said):
        run(write(tmp_path / "m.tflite", graph))


def test_a_classifier_is_refused(run):
    smoke = Path("containers/smoke/convolutions.tflite")
    with pytest.raises(StageError, match="probabilities of 10 classes: use a network without"):
        run(smoke)


WITHOUT_TENSORFLOW = (
    *(
        f"vision.{name}"
        for name in ("extractor", "dataset", "embed", "last_layer", "imprint", "score")
    ),
    *(f"edgetpu.{name}" for name in ("compile", "report")),
    *(f"edge.{name}" for name in ("reference", "infer", "benchmark")),
    *(f"edge.{name}" for name in ("package", "verify", "predict")),
)


def test_no_stage_of_a_ready_network_imports_tensorflow():
    library = Library(["stages"], [Path(__file__).resolve().parents[3]])
    for name in WITHOUT_TENSORFLOW:
        imports = library.signature(f"stages.{name}", name).imports
        assert not {"tensorflow", "keras"} & set(imports), name
