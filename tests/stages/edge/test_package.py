"""The package: all that a device needs, each file named by its sha256, the same bytes each time."""

import hashlib
import json
import shutil

import numpy as np
import pytest

from engine import digest
from stages.edge._runtime import open_model
from stages.edge.package import package

TAKEN = {"runtime": "LiteRT 9", "accelerator": "cpu", "taken": "simulated on x86_64"}
FIGURES = {
    "accuracy": 0.75,
    "float_accuracy": 0.8,
    "classes": {"cat": {"f1": 0.5, "examples": 4}},
    **TAKEN,
}
COST = {"model_size_bytes": 2344.0, "latency_median_ms": 0.01234, **TAKEN}


@pytest.fixture
def pack(quantised, blobs, tmp_path):
    """Pack the trained network."""
    for name, found in (("evaluation", FIGURES), ("benchmark", COST)):
        (tmp_path / name).write_text(json.dumps(found))

    def packed(to: str = "package", **more):
        keys = {"name": "animals", "description": "Tells animals apart.", "target": "rpi4", **more}
        metrics = package(
            quantised.out / "int8_model",
            blobs,
            tmp_path / "evaluation",
            tmp_path / "benchmark",
            tmp_path / to,
            **keys,
        )
        return tmp_path / to, metrics

    return packed


def test_these_files_are_packed(pack):
    folder, _ = pack()
    assert sorted(path.name for path in folder.iterdir()) == [
        "labels.txt",
        "manifest.json",
        "model.tflite",
        "model_card.md",
        "preprocessing.json",
    ]


def test_a_pose_model_is_packed_where_there_is_one(pack, tmp_path):
    (tmp_path / "pose").write_bytes(b"pose")
    folder, _ = pack(pose_model=tmp_path / "pose")
    assert (folder / "pose_model.tflite").read_bytes() == b"pose"
    assert "pose_model.tflite" in json.loads((folder / "manifest.json").read_text())["files"]


def test_the_manifest_names_every_other_file_by_its_sha256_and_bytes(pack):
    folder, _ = pack()
    found = {
        path.name: {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "bytes": path.stat().st_size,
        }
        for path in folder.iterdir()
        if path.name != "manifest.json"
    }
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest == {
        "v": 1,
        "name": "animals",
        "target": "rpi4",
        "runtime": "litert",
        "files": found,
    }


def test_the_model_is_the_one_that_was_evaluated(pack, quantised):
    assert (pack()[0] / "model.tflite").read_bytes() == (quantised.out / "int8_model").read_bytes()


def test_the_labels_are_a_line_each_in_the_models_order(pack):
    assert (pack()[0] / "labels.txt").read_text() == "cat\ndog\nowl\n"


def test_an_example_can_be_quantised_from_the_package_alone(pack, blobs):
    folder, _ = pack()
    constants, model = (
        json.loads((folder / "preprocessing.json").read_text()),
        open_model(folder / "model.tflite"),
    )
    assert (constants["window"], constants["input"]["shape"], constants["input"]["type"]) == (
        1,
        [1, 8],
        "int8",
    )
    x = np.load(blobs / "x_test.npy")[:1]
    q = np.clip(
        np.round(x / constants["input"]["scale"]) + constants["input"]["zero_point"], -128, 127
    ).astype(np.int8)
    assert (q == model.quantised(x)).all()
    scores = (model.invoke(q).astype(float) - constants["output"]["zero_point"]) * constants[
        "output"
    ]["scale"]
    assert scores == pytest.approx(model.scores(x), abs=1e-6)


def test_the_card_says_what_it_is_for_and_how_well_it_does(pack):
    card = (pack()[0] / "model_card.md").read_text()
    for words in (
        "# animals",
        "Tells animals apart.",
        "Made for: rpi4, litert",
        "Classes: cat, dog, owl",
        "Clips: train 150, test 60",
        "0.7500 (int8), 0.8000 (float), with LiteRT 9 on the CPU, simulated on x86_64",
        "One inference: 0.0123 ms (median), with LiteRT 9 on the CPU, simulated on x86_64",
        "Size: 2,344 bytes",
        "| cat | 0.500 | 4 |",
    ):
        assert words in card


def test_a_figure_of_the_device_is_said_to_be_its_own(pack, blobs, tmp_path):
    pack()
    for name, found in (("evaluation", FIGURES), ("benchmark", COST)):
        (tmp_path / name).write_text(
            json.dumps({**found, "accelerator": "edgetpu", "taken": "device"})
        )
    folder = tmp_path / "other"
    package(
        tmp_path / "package" / "model.tflite",
        blobs,
        tmp_path / "evaluation",
        tmp_path / "benchmark",
        folder,
    )
    assert (
        "(median), with LiteRT 9 on the Edge TPU, on the device"
        in (folder / "model_card.md").read_text()
    )


def test_a_model_that_was_compiled_is_packed_beside_the_int8_one(pack, quantised, tmp_path):
    (tmp_path / "compiled").write_bytes(
        (quantised.out / "int8_model").read_bytes() + b"edgetpu-custom-op"
    )
    folder, _ = pack(compiled_model=tmp_path / "compiled")
    assert (folder / "model_edgetpu.tflite").read_bytes() == (tmp_path / "compiled").read_bytes()
    assert "model_edgetpu.tflite" in json.loads((folder / "manifest.json").read_text())["files"]
    assert (folder / "model.tflite").read_bytes() == (quantised.out / "int8_model").read_bytes()


def test_a_model_that_went_on_uncompiled_is_packed_once(pack, quantised):
    assert not (
        pack(compiled_model=quantised.out / "int8_model")[0] / "model_edgetpu.tflite"
    ).exists()


def test_a_data_set_that_counts_no_clips_says_so(pack, blobs, tmp_path):
    about = json.loads((blobs / "dataset.json").read_text())
    del about["clips"]
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "dataset.json").write_text(json.dumps(about))
    package(
        pack()[0] / "model.tflite",
        tmp_path / "plain",
        tmp_path / "evaluation",
        tmp_path / "benchmark",
        tmp_path / "other",
    )
    assert "Clips: not counted" in (tmp_path / "other" / "model_card.md").read_text()


def test_the_metrics_are_the_packages_files_and_bytes(pack):
    folder, metrics = pack()
    assert metrics == {
        "files": 5,
        "size_bytes": sum(path.stat().st_size for path in folder.iterdir()),
    }


def test_the_same_inputs_give_the_same_bytes(pack, monkeypatch):
    first, _ = pack("one")
    monkeypatch.setattr("time.time", lambda: 0.0)
    second, _ = pack("two")
    assert digest.of(first) == digest.of(second)


def test_another_name_is_another_package(pack):
    assert digest.of(pack("one")[0]) != digest.of(pack("two", name="birds")[0])


def test_a_package_can_be_moved(pack, tmp_path):
    folder, _ = pack()
    before = digest.of(folder)
    shutil.move(folder, tmp_path / "elsewhere")
    assert digest.of(tmp_path / "elsewhere") == before
    assert not any(
        str(tmp_path).encode() in path.read_bytes() for path in (tmp_path / "elsewhere").iterdir()
    )


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ({"compiled": False, "accelerator": "edgetpu"}, "- Edge TPU: not compiled\n"),
        (
            {"compiled": True, "on_edgetpu": 264, "operations": 267, "version": "16.0.384591198"},
            "- Edge TPU: 264 of 267 operators, as edgetpu_compiler 16.0.384591198 mapped them\n",
        ),
    ],
)
def test_the_card_says_what_the_compiler_made_of_the_model(pack, tmp_path, log, said):
    (tmp_path / "log").write_text(json.dumps(log))
    folder, _ = pack(compiler_log=tmp_path / "log")
    assert said in (folder / "model_card.md").read_text()
