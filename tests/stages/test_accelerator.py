"""The accelerators that stages can use: found by file name, opened by name, or replaced by the CPU."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

from engine import accelerator as targets
from engine import stage
from stages import accelerator
from stages.tflite import roles
from stages.tflite.compiled_forms import names
from tests.tflite_models import G, Op, T, write

FOLDER = Path(accelerator.__file__).parent / "accelerators"
METHODS = {
    name: inspect.signature(one)
    for name, one in inspect.getmembers(accelerator.Accelerator, inspect.isfunction)
    if not name.startswith("_")
}
ATTRIBUTES = {
    *accelerator.Accelerator.__annotations__,
    *accelerator.Twin.__annotations__,
}


@pytest.fixture
def relu(tmp_path):
    """An int8 model of one operation."""
    tensors = [T((1, 5)), T((1, 5))]
    return write(tmp_path / "int8.tflite", G(tensors, [Op("RELU", (0,), (1,))]))


@pytest.fixture
def notes(monkeypatch):
    """The notes to the run."""
    said: list[str] = []
    monkeypatch.setattr(stage, "_send", lambda event: said.append(event["text"]))
    return said


def test_each_file_is_an_accelerator_that_a_target_may_name():
    files = {path.stem for path in FOLDER.glob("[a-z]*.py")}
    assert set(names()) == files and files <= set(targets.NAMES)


def test_a_name_without_a_file_is_the_cpu():
    assert (accelerator.of("none"), accelerator.of("gpu")) == (None, None)
    assert (accelerator.title("cpu"), accelerator.title("none")) == ("CPU", "CPU")


@pytest.mark.parametrize("name", names())
def test_an_accelerator_has_everything_that_the_interface_declares(name):
    module = importlib.import_module(f"stages.accelerators.{name}")
    assert accelerator.of(name) is module
    assert {one for one in ATTRIBUTES if not hasattr(module, one)} == set()
    for method, signature in METHODS.items():
        assert list(inspect.signature(getattr(module, method)).parameters) == list(
            signature.parameters
        )


def test_forms_and_files_of_two_accelerators_differ():
    found = [accelerator.of(name).FILE for name in names()]
    assert len({*found, "int8.tflite", "float.tflite", "arrays.npz"}) == len(found) + 3
    assert roles.forms() == ("float", "int8", *names(), "arrays")


def test_a_model_for_no_accelerator_runs_on_the_cpu(relu, notes):
    model = accelerator.open_on("none", relu, None, "litert")
    assert (model.accelerator, model.called, notes) == ("cpu", "CPU", [])


def test_a_model_for_an_accelerator_that_stages_cannot_use_runs_on_the_cpu(relu, notes):
    model = accelerator.open_on("gpu", relu, None, "litert")
    assert model.accelerator == "cpu"
    assert notes == ["TFLite cannot use the accelerator 'gpu': running the int8 model on the CPU"]


@pytest.mark.parametrize("name", names())
def test_a_model_that_is_not_compiled_runs_on_the_cpu_and_the_run_says_why(name, relu, notes):
    model = accelerator.open_on(name, relu, None, "litert")
    assert (model.accelerator, len(notes)) == ("cpu", 1)
    assert accelerator.title(name) in notes[0]
    assert re.search("running the (int8 )?model on the CPU", notes[0])
    is_a_fault = bool(accelerator.of(name).LOOKED_FOR)
    assert (f"no {accelerator.title(name)} is usable" in notes[0]) == is_a_fault


@pytest.mark.parametrize("name", names())
def test_a_copied_form_has_the_files_that_belong_to_it(name, tmp_path):
    found, (original, copy) = accelerator.of(name), (tmp_path / "original", tmp_path / "copy")
    for folder in (original, copy):
        folder.mkdir()
    for file in (found.FILE, *found.BESIDE):
        (original / file).write_text(file)
    copied = roles.copy(name, original / found.FILE, copy)
    assert [path.name for path in copied] == [found.FILE, *found.BESIDE]
    assert {path.name for path in copy.iterdir()} == {found.FILE, *found.BESIDE}
