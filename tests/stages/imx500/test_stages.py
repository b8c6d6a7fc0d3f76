"""Without Sony's tools, or without a network for the camera, the stages pass models through and say why."""

import json

import numpy as np
import pytest

from engine import stage
from engine.stage import StageError
from stages.imx500 import _quantised, _seen, _source, _toolkit
from stages.imx500._quantised import About
from stages.imx500.compile import compile
from stages.imx500.infer import infer
from stages.imx500.memory import memory
from stages.imx500.quantise import quantise
from stages.tflite import part
from tests.stages.conftest import write_part

OF_MODELS = {"int8.tflite": b"\0\0\0\0TFL3", "float.tflite": b"\0\0\0\0TFL3"}


@pytest.fixture
def notes(tmp_path, monkeypatch):
    """Return a function that returns the notes so far, from the file to which a stage reports."""
    path = tmp_path / "events.jsonl"
    with path.open("ab") as file:
        monkeypatch.setattr(stage, "_events", file.fileno())
        yield lambda: [one["text"] for one in map(json.loads, path.read_text().splitlines())]


@pytest.fixture
def no_tools(monkeypatch, tmp_path):
    """Hide the converter, wherever these tests run."""
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))


@pytest.fixture
def models(tmp_path):
    folder = tmp_path / "models" / "model"
    folder.mkdir(parents=True)
    for name, content in OF_MODELS.items():
        (folder / name).write_bytes(content)
    return folder.parent


def quantised(folder, about):
    """What the stage `quantise` leaves."""
    folder.mkdir()
    _quantised.write(folder, about)
    return folder


def test_the_role_in_the_camera_is_that_of_the_task_which_sees_the_whole_frame():
    assert [_seen.role_of(task) for task in ("classify", "detect", "activity", "table")] == [
        "model",
        "model",
        "pose",
        None,
    ]


@pytest.mark.skipif(_toolkit.without_toolkit() is None, reason="Sony's toolkit is installed here")
def test_without_the_toolkit_the_network_stays_unquantised(tmp_path, notes):
    metrics = quantise(tmp_path / "quantised", task="classify")
    about = _quantised.read(tmp_path / "quantised")
    assert (metrics["quantised"], about.role, about.is_quantised) == (0, "model", False)
    assert "not installed" in about.why
    assert about.why in notes()[0]


def test_a_task_whose_models_see_no_frame_has_nothing_for_the_camera(tmp_path):
    assert quantise(tmp_path / "quantised", task="table") == {"quantised": 0}
    assert _quantised.read(tmp_path / "quantised").role is None


def test_an_unquantised_network_has_no_memory_report_and_no_gates(tmp_path):
    folder = quantised(tmp_path / "quantised", About("model", "there are no pictures"))
    assert memory(folder, tmp_path / "report.json") == {}
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["measured"], report["why"]) == (False, "there are no pictures")


def test_without_the_converter_there_is_no_memory_report(tmp_path, no_tools, notes):
    folder = quantised(tmp_path / "quantised", About("model"))
    assert memory(folder, tmp_path / "report.json") == {}
    assert "imxconv-tf is not installed" in notes()[0]


def test_models_without_a_network_for_the_camera_are_copied(tmp_path, models, notes):
    folder = quantised(tmp_path / "quantised", About("model", "there are no pictures"))
    memory(folder, tmp_path / "report.json")
    metrics = compile(
        models, folder, tmp_path / "report.json", tmp_path / "compiled", tmp_path / "log.json"
    )
    copies = {path.name: path.read_bytes() for path in (tmp_path / "compiled/model").iterdir()}
    assert (metrics, copies) == ({"compiled": 0}, OF_MODELS)
    log = json.loads((tmp_path / "log.json").read_text())
    assert (log["compiled"], log["accelerator"], log["why"]) == (
        False,
        "imx500",
        "there are no pictures",
    )
    assert notes() == [
        "model: not converted for the camera: there are no pictures; the package contains models for the "
        "CPU only"
    ]


def test_a_network_that_does_not_fit_is_not_converted(tmp_path, models, program, monkeypatch):
    program("imxconv-tf", "exit 9")
    program("java", "echo 'openjdk version \"17.0.1\"'")
    folder = quantised(tmp_path / "quantised", About("model"))
    (tmp_path / "report.json").write_text(json.dumps({"why": None, "fits": False}))
    arguments = (
        models,
        folder,
        tmp_path / "report.json",
        tmp_path / "compiled",
        tmp_path / "log.json",
    )
    assert compile(*arguments) == {"compiled": 0}
    assert "does not fit" in json.loads((tmp_path / "log.json").read_text())["why"]


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Put a stand-in program first on PATH."""

    def put(name, script):
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    return put


@pytest.mark.parametrize(
    ("java", "says"),
    [("echo 'openjdk version \"11.0.2\"'", "Java 11"), ("exit 1", "of unknown version")],
)
def test_a_java_that_is_too_old_is_named_with_the_way_out(program, java, says):
    program("imxconv-tf", "exit 9")
    program("java", java)
    why = _toolkit.without_converter()
    assert says in why
    assert "apt-get install openjdk-17" in why


@pytest.mark.parametrize(
    ("where", "labelled"),
    [
        ("simulated on x86_64", "simulated on x86_64 with the CPU's model"),
        ("device", "device"),
    ],
)
def test_what_the_packaged_model_answered_passes_through_labelled(tmp_path, notes, where, labelled):
    made = tmp_path / "made"
    made.mkdir()
    np.save(made / "00.npy", np.eye(3, dtype=np.float32))
    tensor = {"name": "y", "shape": [1, 3], "type": "float32", "file": "00.npy"}
    about = {"role": "model", "runtime": "LiteRT", "measured_on": where, "tensors": {"y": tensor}}
    (made / "outputs.json").write_text(json.dumps(about))
    folder = quantised(tmp_path / "quantised", About("model", "there are no pictures"))
    test = write_part(tmp_path / "test", np.eye(3, dtype=np.float32), np.zeros(3))
    assert infer(test, folder, made, tmp_path, tmp_path / "outputs") == {"simulated": 0}
    passed = json.loads((tmp_path / "outputs/outputs.json").read_text())
    assert passed == {**about, "measured_on": labelled}
    assert (tmp_path / "outputs/00.npy").read_bytes() == (made / "00.npy").read_bytes()
    assert notes() == [
        "scoring the model for the CPU, not a network in the camera: there are no pictures"
    ]


def test_a_part_without_pictures_calibrates_nothing(tmp_path):
    from stages.imx500 import _pictures

    test = write_part(tmp_path / "train", np.eye(3, dtype=np.float32), np.zeros(3))
    assert "no pictures" in _pictures.find(test, "model", 10, 0)
    assert "no training pictures" in _pictures.find(None, "model", 10, 0)


def test_the_pictures_of_a_part_are_taken_with_their_scaling(tmp_path):
    from stages.imx500 import _pictures

    pixels = np.arange(4 * 2 * 2 * 3, dtype=np.uint8).reshape(4, 2, 2, 3)
    scaling = {"picture": {"mean": 2.0, "deviation": 4.0}}
    described = {"picture": ((2, 2, 3), "uint8")}
    part.create(tmp_path / "train", 4, described, scaling)["picture"][:] = pixels
    found = _pictures.find(tmp_path / "train", "model", 3, 0)
    assert found.pictures.shape == (3, 2, 2, 3)
    assert found.values(pixels[:1]).ravel()[:2].tolist() == [-0.5, -0.25]


def test_a_roles_network_is_the_keras_model_if_there_is_one(tmp_path, models):
    trained = tmp_path / "trained"
    trained.mkdir()
    assert _source.find("model", "model", trained, [models]) == models / "model/float.tflite"
    (trained / "architecture.json").write_text("{}")
    assert _source.find("model", "model", trained, [models]) == trained
    assert _source.find("pose", "model", trained, [models]) is None


def test_a_quantised_folder_of_another_stage_is_refused(tmp_path):
    (tmp_path / "about.json").write_text("[]")
    with pytest.raises(StageError, match=r"not what stages\.imx500\.quantise wrote"):
        _quantised.read(tmp_path)
