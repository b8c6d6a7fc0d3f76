"""An estimator as arrays passes through the stages of the shared tail."""

import json

import numpy as np
import pytest

from engine.stage import StageError
from stages.edge.benchmark import benchmark
from stages.edge.infer import infer
from stages.edge.package import package
from stages.edge.quantise import quantise
from stages.edge.reference import reference
from stages.edge.verify import verify
from stages.edgetpu.compile import compile
from stages.edgetpu.report import report as edgetpu_report
from stages.estimators import archive
from stages.estimators.archive import Written
from stages.tasks.columns.decision import Decision
from stages.tflite import part

STEP = Written(
    "dense",
    {"activation": "identity"},
    {"weights": np.array([[1.0, -1.0], [2.0, 0.0]]), "bias": np.array([0.0, 0.5])},
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with a test part and a quantised model."""
    made = tmp_path_factory.mktemp("estimator")
    rows = np.random.default_rng(0).normal(size=(20, 2))
    part.write(made / "test", {"row": rows})
    (made / "test" / "labels.txt").write_text("a\nb\n")
    raw = part.raw_folder(made / "test")
    np.save(raw / "0.npy", rows[:2])
    part.write_items(made / "test", {"0.npy": (0, 1)})
    (made / "model").mkdir()
    archive.write(made / "model" / "arrays.npz", [STEP], 2, 2)
    found = quantise(made / "model", made / "models")
    assert found == {"models": 1.0, "float_tensors": 0.0}
    return made


def test_the_bytes_stay_the_same(folder):
    there = folder / "models" / "model" / "arrays.npz"
    assert there.read_bytes() == (folder / "model" / "arrays.npz").read_bytes()


def test_nothing_is_compiled_and_no_operator_is_predicted(folder, tmp_path):
    found = compile(folder / "models", tmp_path / "c", tmp_path / "log", accelerator="edgetpu")
    assert found == {"compiled": 0.0, "published": 0.0}
    assert (tmp_path / "c" / "model" / "arrays.npz").is_file()
    metrics = edgetpu_report(tmp_path / "c", tmp_path / "report.json")
    assert metrics["edgetpu_op_ratio"] == metrics["ops_left"] == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["models"]["model"]["ops"] == []


def test_it_is_measured_packed_and_verified(folder, tmp_path):
    test, models = folder / "test", folder / "models"
    reference(test, models, tmp_path / "reference")
    metrics = infer(test, models, tmp_path / "outputs", reference=tmp_path / "reference")
    assert (metrics["outputs_differ"], metrics["reference_bit_equal"]) == (0, 1)
    about = json.loads((tmp_path / "outputs" / "outputs.json").read_text())
    assert about["runtime"] == f"numpy {np.__version__}" and about["accelerator"] == "cpu"
    cost = benchmark(test, models, tmp_path / "cost.json", repeats=20, seconds=1)
    assert cost["model_size_bytes"] == (folder / "model" / "arrays.npz").stat().st_size
    (tmp_path / "score.json").write_text("{}")
    decision = Decision("y", "classify").as_constants()
    (tmp_path / "decision.json").write_text(json.dumps(decision))
    package(
        models,
        test,
        tmp_path / "score.json",
        tmp_path / "cost.json",
        tmp_path / "package",
        constants=tmp_path / "decision.json",
        task="numbers",
    )
    manifest = json.loads((tmp_path / "package" / "manifest.json").read_text())
    assert manifest["models"]["model"]["arrays"] == "models/model/arrays.npz"
    found = verify(tmp_path / "package", test, tmp_path / "golden", task="numbers")
    assert (found["items"], found["answers"]) == (1, 2)


def test_a_task_that_needs_other_outputs_refuses_it(folder, tmp_path):
    for name in ("score.json", "cost.json"):
        (tmp_path / name).write_text("{}")
    decision = Decision("y", "regress", "value").as_constants()
    (tmp_path / "decision.json").write_text(json.dumps(decision))
    with pytest.raises(StageError, match="one number"):
        package(
            folder / "models",
            folder / "test",
            tmp_path / "score.json",
            tmp_path / "cost.json",
            tmp_path / "package",
            constants=tmp_path / "decision.json",
            task="numbers",
        )
