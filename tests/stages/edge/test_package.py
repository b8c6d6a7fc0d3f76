"""The package: everything that a device needs, each file with its sha256, the same bytes each time."""

import hashlib
import json
import shutil

import numpy as np
import pytest

from engine import digest
from engine.stage import StageError
from stages.accelerators import imx500
from stages.edge.package import package
from stages.tasks.package import open_package
from stages.tflite.model import open_model
from stages.tflite.quantisation import dequantise, quantise
from stages.tflite.tensor import Tensor

MEASURED = {"runtime": "LiteRT 9", "accelerator": "cpu", "measured_on": "simulated on x86_64"}
FIGURES = {"card": {"Data": "Classes: cat, dog, owl", "Limits": "Knows these only."}, **MEASURED}
COST = {"model_size_bytes": 2344.0, "latency_median_ms": 0.01234, "inferences": 300, **MEASURED}
LOG = {"compiled": True, "on_edgetpu": 264, "operations": 267, "version": "16.0.384591198"}

CAMERA_FILES = "dnnParams.xml", "imx500.json", "packerOut.zip"
MEMORY = {"memory_bytes": 2_097_152, "available_bytes": 8_388_608, "fits": True}
CAMERA_LOG = {
    "compiled": True,
    "memory": MEMORY,
    "models": {"model": {"compiled": True, "by": "imxconv-tf 3.19.2"}},
}


@pytest.fixture
def pack(quantised, blobs, tmp_path):
    """Pack the trained network."""

    def packed(to="package", *, figures=FIGURES, cost=COST, log=None, models=None, **more):
        given = {"score": figures, "benchmark": cost, "log": log}
        for name, found in given.items():
            (tmp_path / name).write_text(json.dumps(found))
        keys = {"name": "animals", "description": "Tells animals apart.", "target": "rpi4", **more}
        keys.setdefault("task", "activity")
        keys.setdefault("accelerator", "edgetpu" if log else "none")
        metrics = package(
            models or quantised.out / "models",
            blobs / "test",
            tmp_path / "score",
            tmp_path / "benchmark",
            tmp_path / to,
            compiler_log=tmp_path / "log" if log else None,
            **keys,
        )
        return tmp_path / to, metrics

    return packed


@pytest.fixture
def compiled(quantised, tmp_path):
    """The models with a twin for the Edge TPU."""
    made = shutil.copytree(quantised.out / "models", tmp_path / "compiled")
    int8 = (made / "model/int8.tflite").read_bytes()
    (made / "model/edgetpu.tflite").write_bytes(int8 + b"edgetpu-custom-op")
    return made


def _camera_network(role):
    """Write the files of a network that was converted for the AI Camera into a role's folder."""
    role.mkdir(exist_ok=True)
    (role / "packerOut.zip").write_bytes(b"PK\x05\x06" + bytes(18))
    (role / "dnnParams.xml").write_text("<dnnParams/>")
    outputs = [{"name": "scores", "shape": [1, 3], "scale": 0.25, "zero_point": 0, "bits": 8}]
    (role / "imx500.json").write_text(json.dumps({"v": 1, "inputs": [], "outputs": outputs}))


def files_in(folder):
    paths = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in paths)


def manifest(folder):
    return json.loads((folder / "manifest.json").read_text())


def test_these_files_are_packed(pack):
    assert files_in(pack()[0]) == [
        "card.md",
        "constants.json",
        "labels.txt",
        "manifest.json",
        "models/model/int8.tflite",
    ]


def test_the_manifest_names_every_other_file_by_its_sha256_and_bytes(pack):
    folder, _ = pack()
    found = {
        name: {
            "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest(),
            "bytes": (folder / name).stat().st_size,
        }
        for name in files_in(folder)
        if name != "manifest.json"
    }
    said = manifest(folder)
    assert said.pop("models").keys() == {"model"}
    assert said == {
        "v": 2,
        "name": "animals",
        "task": "activity",
        "target": "rpi4",
        "runtime": "litert",
        "files": found,
    }


def test_files_that_the_task_needs_are_packed_and_named(pack, tmp_path):
    more = tmp_path / "more"
    more.mkdir()
    np.save(more / "weights.npy", np.ones(3))
    folder, _ = pack(data=more)
    found = open_package(folder).data("weights.npy")
    assert np.load(found / "weights.npy").tolist() == [1, 1, 1]
    with pytest.raises(StageError, match=r"the package has no data/bias\.npy"):
        open_package(folder).data("bias.npy")


def test_the_model_is_the_one_that_was_quantised(pack, quantised):
    packed = (pack()[0] / "models/model/int8.tflite").read_bytes()
    assert packed == (quantised.out / "models/model/int8.tflite").read_bytes()


def test_an_example_can_be_quantised_from_the_manifest_alone(pack, blobs):
    folder, _ = pack()
    entry, model = (
        manifest(folder)["models"]["model"],
        open_model(folder / "models/model/int8.tflite"),
    )
    ((name, source),) = entry["inputs"].items()
    ((_, result),) = entry["outputs"].items()
    x = np.load(blobs / "test/features.npy")[:1]
    q = quantise(x, Tensor(name, **source))
    (raw,) = model.run({name: q}).values()
    (scores,) = model.predict({name: x}).values()
    assert dequantise(raw, Tensor("scores", **result)) == pytest.approx(scores)


def test_a_ready_model_is_packed_with_its_twin_in_a_role_of_its_own(pack, compiled):
    ready = compiled / "model"
    (ready / "float.tflite").unlink()
    folder, _ = pack(ready=ready, ready_role="crop")
    assert manifest(folder)["models"]["crop"]["edgetpu"] == "models/crop/edgetpu.tflite"
    assert "models/crop/edgetpu.tflite" in files_in(folder)
    assert open_package(folder).models["crop"].keys() == {"int8", "edgetpu"}


def test_a_ready_model_may_be_a_single_file(pack, quantised):
    folder, _ = pack(ready=quantised.out / "models/model/int8.tflite", ready_role="crop")
    assert "models/crop/int8.tflite" in files_in(folder)


def test_a_ready_model_may_have_a_twin_that_was_compiled_here(pack, quantised, tmp_path):
    made = shutil.copytree(quantised.out / "models", tmp_path / "compiled")
    _camera_network(made / "crop")
    ready = quantised.out / "models/model/int8.tflite"
    folder, _ = pack(compiled=made, ready=ready, ready_role="crop")
    assert open_package(folder).models["crop"].keys() == {"int8", "imx500"}
    assert {name for name in files_in(folder) if "crop" in name} == {
        f"models/crop/{name}" for name in ("int8.tflite", *CAMERA_FILES)
    }


def test_two_models_of_one_role_are_refused(pack, compiled):
    with pytest.raises(StageError, match="two models have the role 'model'"):
        pack(ready=compiled / "model", ready_role="model")


def test_a_classifier_cannot_be_packed_as_a_detector(pack, tmp_path):
    found = tmp_path / "found.json"
    found.write_text(json.dumps({"postprocess": "task"}))
    with pytest.raises(StageError, match="the task 'detect' needs a detector with boxes") as raised:
        pack(constants=found, task="detect")
    assert "but the model has output_0: int8 [1, 3]" in str(raised.value)


def test_a_model_that_was_compiled_is_packed_beside_the_int8_one(pack, compiled):
    folder, _ = pack(compiled=compiled)
    entry = manifest(folder)["models"]["model"]
    assert (entry["int8"], entry["edgetpu"]) == (
        "models/model/int8.tflite",
        "models/model/edgetpu.tflite",
    )


def test_the_cameras_network_is_packed_with_its_tensors_and_named_by_the_manifest(
    pack, quantised, tmp_path
):
    made = shutil.copytree(quantised.out / "models", tmp_path / "compiled")
    _camera_network(made / "model")
    folder, _ = pack(compiled=made, log=CAMERA_LOG, accelerator="imx500")
    assert manifest(folder)["models"]["model"]["imx500"] == "models/model/packerOut.zip"
    assert {f"models/model/{name}" for name in CAMERA_FILES} <= manifest(folder)["files"].keys()
    (found,) = imx500.described(folder / "models/model")["outputs"]
    assert found["name"] == "scores"
    (folder / "models/model/imx500.json").write_text("{}")
    with pytest.raises(
        StageError, match=r"imx500\.json of the package does not match its checksum"
    ):
        open_package(folder)


def test_the_card_says_what_runs_in_the_camera_and_which_figures_are_simulated(
    pack, quantised, tmp_path
):
    made = shutil.copytree(quantised.out / "models", tmp_path / "compiled")
    _camera_network(made / "model")
    figures = {**FIGURES, "accelerator": "imx500", "runtime": "Model Compression Toolkit 2.5.1"}
    folder, _ = pack(compiled=made, log=CAMERA_LOG, accelerator="imx500", figures=figures)
    card = (folder / "card.md").read_text()
    assert (
        "- AI Camera: `model` runs in the camera, converted by imxconv-tf 3.19.2, fits into its memory: "
        "2,097,152 of 8,388,608 bytes (25%); Sony's terms for its converter apply to `packerOut.zip`: "
        "read them before you distribute it\n"
    ) in card
    words = "Model Compression Toolkit 2.5.1 on the AI Camera, simulated on x86_64"
    assert f"- Figures: with {words}\n" in card
    assert "One inference: 0.0123 ms (median of 300), 2,344 bytes, with LiteRT 9 on the CPU" in card


def test_the_card_says_why_nothing_runs_in_the_camera(pack):
    log = {"compiled": False, "why": "it does not fit into the camera's memory", "models": {}}
    card = (pack(log=log, accelerator="imx500")[0] / "card.md").read_text()
    assert (
        "- AI Camera: no network was converted (it does not fit into the camera's memory); on the "
        "Raspberry Pi's CPU: `model`\n"
    ) in card


def test_a_model_that_is_float_only_is_packed_as_that(pack, quantised, tmp_path):
    models = shutil.copytree(quantised.out / "models", tmp_path / "floating")
    (models / "model/int8.tflite").unlink()
    assert "models/model/float.tflite" in files_in(pack(models=models)[0])


def test_the_card_says_what_it_is_for_and_has_the_sections_of_score(pack):
    card = (pack()[0] / "card.md").read_text()
    for words in (
        "# animals",
        "Tells animals apart.",
        "Made for: rpi4, litert",
        "Figures: with LiteRT 9 on the CPU, simulated on x86_64",
        "One inference: 0.0123 ms (median of 300), 2,344 bytes, with LiteRT 9 on the CPU",
        "\n| model | `models/model/int8.tflite` | `",
        "int8, 1 × 3, scale 0.00390625, zero point -128 |\n",
        "## Data\n\nClasses: cat, dog, owl\n",
        "## Limits\n\nKnows these only.\n",
    ):
        assert words in card


def test_a_latency_of_seconds_is_written_out(pack):
    slow = {**COST, "latency_median_ms": 1312.4, "inferences": 22}
    assert "1,312 ms (median of 22)" in (pack(cost=slow)[0] / "card.md").read_text()


def test_a_target_without_an_edge_tpu_has_no_line_about_it(pack):
    assert "Edge TPU" not in (pack()[0] / "card.md").read_text()


def test_an_uncompiled_model_for_an_edge_tpu_is_named_as_one(pack):
    words = "- Edge TPU: not compiled, runs on the CPU: `model`\n"
    assert words in (pack(log={"compiled": False})[0] / "card.md").read_text()


def test_a_model_that_its_publisher_compiled_is_named_as_compiled(pack, compiled):
    card = (pack(models=compiled, log={"compiled": False})[0] / "card.md").read_text()
    assert "- Edge TPU: compiled by its publisher: `model`\n" in card


def test_the_card_of_an_exported_model_names_its_file_and_how_pixels_are_scaled(
    pack, blobs, tmp_path
):
    original = tmp_path / "mobilenet.keras"
    original.touch()
    found = tmp_path / "found.json"
    found.write_text(json.dumps({"picture": {"mean": 127.5, "deviation": 127.5}}))
    card = (pack(original=original, constants=found)[0] / "card.md").read_text()
    assert card.startswith("# animals: mobilenet.keras\n")
    assert "- Made from: `mobilenet.keras`\n" in card
    assert "A pixel of 0 to 255 is scaled to (pixel - 127.5) / 127.5.\n" in card


def test_a_figure_measured_on_the_device_says_so(pack):
    there = {"accelerator": "edgetpu", "measured_on": "device"}
    folder, _ = pack(figures={**FIGURES, **there}, cost={**COST, **there})
    assert "with LiteRT 9 on the Edge TPU, on the device" in (folder / "card.md").read_text()


def test_the_card_says_what_the_compiler_made_of_the_model(pack):
    words = "- Edge TPU: 264 of 267 operators, as edgetpu_compiler 16.0.384591198 mapped them\n"
    assert words in (pack(log=LOG)[0] / "card.md").read_text()


def test_the_metrics_are_the_packages_files_and_bytes(pack):
    folder, metrics = pack()
    sizes = [(folder / name).stat().st_size for name in files_in(folder)]
    assert metrics == {"files": 5, "size_bytes": sum(sizes)}


def test_the_same_inputs_give_the_same_bytes_and_another_name_others(pack, monkeypatch):
    first, _ = pack("one")
    monkeypatch.setattr("time.time", lambda: 0.0)
    assert digest.of(first) == digest.of(pack("two")[0]) != digest.of(pack("3", name="birds")[0])


def test_a_package_can_be_moved(pack, tmp_path):
    folder, _ = pack()
    before = digest.of(folder)
    shutil.move(folder, tmp_path / "elsewhere")
    assert digest.of(tmp_path / "elsewhere") == before
    found = [
        (tmp_path / "elsewhere" / name).read_bytes() for name in files_in(tmp_path / "elsewhere")
    ]
    assert not any(str(tmp_path).encode() in content for content in found)
