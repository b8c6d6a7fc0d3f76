"""Raw outputs on the target, and how much they differ from the build machine's."""

import json
import platform

import numpy as np
import pytest

from engine.stage import StageError
from stages.edge import _difference
from stages.edge import infer as module
from stages.edge.infer import infer
from stages.edge.reference import reference
from stages.tflite import outputs
from tests.stages.conftest import write_part

CAT, DOG, OWL = np.eye(3, dtype=np.float32)


@pytest.fixture
def inferred(mirror, tmp_path):
    """Run the identity network on these examples; return metrics and outputs."""

    def made(examples, *, change=None, **params):
        test = write_part(tmp_path / "test", examples, np.zeros(len(examples)))
        if change:
            reference(test, mirror["models"], tmp_path / "reference")
            change(tmp_path / "reference")
            params["reference"] = tmp_path / "reference"
        metrics = infer(test, mirror["models"], tmp_path / "outputs", **params)
        return metrics, outputs.read(tmp_path / "outputs")

    return made


def unchanged(folder):
    """This machine is also the target."""


def other(name, example, steps):
    """Another machine, whose outputs differ in one example."""

    def change(folder):
        values = np.load(folder / name / "00.npy")
        values[example, 1] += steps
        np.save(folder / name / "00.npy", values)

    return change


def test_the_outputs_are_the_models_by_the_names_of_its_tensors(inferred):
    metrics, found = inferred([CAT, DOG])
    ((name, values),) = found.values().items()
    assert values == pytest.approx(np.array([CAT, DOG]), abs=0.01)
    assert (found.raw[name].dtype, found.tensors[name].type) == (np.int8, "int8")
    assert metrics == {"examples": 2, "on_accelerator": 0}


def test_they_say_with_what_and_where_they_were_measured(inferred):
    about = inferred([CAT])[1].about
    assert about["runtime"].startswith("LiteRT ")
    assert (about["accelerator"], about["measured_on"]) == ("cpu", platform.machine())
    assert "difference" not in about


def test_the_same_machine_gives_the_same_outputs(inferred):
    metrics, found = inferred([CAT, DOG, OWL], change=unchanged)
    compared = {"outputs_differ": 0, "max_step_difference": 0, "reference_bit_equal": 1}
    assert {name: metrics[name] for name in compared} == compared
    assert {name: found.about["difference"][name] for name in compared} == compared


def test_the_difference_is_counted_in_examples_and_quantisation_steps(inferred):
    metrics, _ = inferred([CAT, DOG, OWL], change=other("default", 2, 3))
    assert (metrics["outputs_differ"], metrics["max_step_difference"]) == (1, 3)
    assert metrics["reference_bit_equal"] == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            other("reference", 0, 1),
            "all 2 outputs are equal; with the reference kernels they differ too, so the "
            "file or the arithmetic is damaged",
        ),
        (
            other("default", 0, 1),
            "1 of 2 outputs differ, by up to 1 quantisation step; with the reference kernels 2 "
            "examples agree bit for bit",
        ),
    ],
    ids=["reference kernels", "default kernels"],
)
def test_the_run_is_told_how_far_the_target_is_from_the_build_machine(
    inferred, monkeypatch, change, said
):
    notes = []
    monkeypatch.setattr(module, "note", notes.append)
    inferred([CAT, DOG], change=change)
    assert notes[-1].startswith(f"compared with {platform.machine()} and LiteRT ")
    assert notes[-1].endswith(said)


def test_a_reference_of_another_model_is_refused(inferred):
    def other_model(folder):
        path = folder / "default" / "outputs.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "model_sha256": "0" * 64}))

    with pytest.raises(StageError, match="the reference belongs to another model or test part"):
        inferred([CAT, DOG], change=other_model)


def test_a_target_without_its_edge_tpu_runs_on_the_cpu_and_says_so(inferred, monkeypatch):
    said = []
    monkeypatch.setattr("stages.accelerator.note", said.append)
    _, found = inferred([CAT], accelerator="edgetpu")
    assert found.about["accelerator"] == "cpu"
    assert "looked for USB 1a6e:089a or 18d1:9302, PCIe 1ac1:089a" in said[0]


def test_an_unknown_runtime_is_refused(inferred):
    with pytest.raises(StageError, match="there is no runtime 'onnx'"):
        inferred([CAT], runtime="onnx")


def test_the_devices_runtime_says_the_same(do, mirror, tmp_path):
    pytest.importorskip("tflite_runtime", reason="tflite-runtime has no build for this Python")
    test = write_part(tmp_path / "test", [CAT, DOG], [0, 1])
    inputs = {"test": test, "models": mirror["models"]}
    done = do("stages.edge.infer", inputs, runtime="tflite_runtime")
    found = outputs.read(done.out / "outputs")
    assert found.about["runtime"].startswith("tflite-runtime ")
    assert next(iter(found.values().values())).argmax(1).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("kind", "there", "here", "farthest"),
    [
        (np.int8, [[-128, 0], [5, 5]], [[127, 0], [5, 5]], 255),
        (np.float32, [[0.25, 1.5], [1, 1]], [[0.5, 1.5], [1, 1]], 0.25),
    ],
    ids=["int8", "float"],
)
def test_a_difference_neither_wraps_nor_is_cut(kind, there, here, farthest):
    about = {"machine": "m", "runtime": "r"}
    made = outputs.Outputs({"scores": np.array(there, kind)}, {}, about)
    build = _difference.Reference(made, made, np.array([0, 1]))
    found = build.against({"scores": np.array(here, kind)}, made.raw)
    assert (found.outputs_differ, found.max_step_difference, found.reference_bit_equal) == (
        1,
        farthest,
        True,
    )
