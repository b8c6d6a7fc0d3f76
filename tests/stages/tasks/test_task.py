"""A package finds its task through the manifest, and every task has the methods of the interface."""

import importlib
import inspect
from pathlib import Path
from typing import get_args

import pytest

from engine.stage import StageError
from stages.tasks import activity, classify, detect, faces
from stages.tasks import task as interface
from stages.tasks.activity import Activity
from stages.tasks.classify import Classify
from stages.tasks.detect import Detect
from stages.tasks.faces import Faces
from stages.tasks.intents import Intents
from stages.tasks.numbers import Numbers
from stages.tasks.table import Table
from stages.tasks.task import open_task
from stages.tasks.tensors import Tensors
from tests.stages.tasks import packages

TASKS = {
    "activity": Activity,
    "classify": Classify,
    "detect": Detect,
    "faces": Faces,
    "intents": Intents,
    "numbers": Numbers,
    "table": Table,
    "tensors": Tensors,
}
LIBRARY = {  # what tasks share
    *("__init__", "clock", "package", "region", "signature", "task"),
    *("alignment", "blazeface", "boxes", "face_input", "face_turn", "head", "liveness"),
    *("assignment", "followed_faces", "followed_objects", "motion", "smoothing", "tracking"),
}
ROOT = Path(interface.__file__).parent
ABOUT = {"postprocess": "task"}  # constants
METHODS = {
    name: inspect.signature(one)
    for name, one in vars(interface.Task).items()
    if inspect.isfunction(one) and not name.startswith("_")
}


def test_every_module_that_is_a_task_is_tested_here():
    modules = {path.stem for path in ROOT.glob("*.py")} - LIBRARY
    assert modules == set(TASKS)


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("method", METHODS)
def test_a_task_has_every_method_with_the_parameters_of_the_interface(name, method):
    found = inspect.signature(getattr(TASKS[name], method))
    assert list(found.parameters) == list(METHODS[method].parameters)


def test_a_task_that_takes_sentences_can_hold_a_conversation():
    talkers = [name for name, task in TASKS.items() if task.takes == "sentences"]
    assert talkers == ["intents"]
    for name in ("said", "why", "remembered"):
        wanted = inspect.signature(getattr(interface.Talker, name))
        found = inspect.signature(getattr(Intents, name))
        assert list(found.parameters) == list(wanted.parameters)


def test_tasks_whose_answer_has_two_halves_have_both_methods():
    for name in ("classify", "detect", "faces"):
        for method in ("look", "conclude"):
            wanted = inspect.signature(getattr(interface.Looker, method))
            found = inspect.signature(getattr(TASKS[name], method))
            assert list(found.parameters) == list(wanted.parameters)
    others = TASKS.keys() - {"classify", "detect", "faces"}
    assert not any(hasattr(TASKS[name], "look") for name in others)


def test_each_task_says_which_model_sees_the_frames_of_a_camera():
    modules = {name: importlib.import_module(f"stages.tasks.{name}") for name in TASKS}
    sees = {"activity": "pose", "classify": "model", "detect": "model", "faces": "detector"}
    assert {name: one.SEES for name, one in modules.items() if one.SEES is not None} == sees
    assert all(modules[name].SEES in modules[name].needs(ABOUT) for name in sees)


def test_a_task_that_does_not_say_so_has_no_model_that_sees_frames():
    assert interface.sees("detect") == "model"
    assert interface.sees("clock") is None  # like a task without the constant


def test_tasks_whose_model_can_see_the_frame_itself_answer_what_it_returns():
    wanted = list(inspect.signature(interface.Seer.answer_seen).parameters)
    for name in ("activity", "classify", "detect"):
        found = inspect.signature(TASKS[name].answer_seen)
        assert list(found.parameters) == wanted
    others = TASKS.keys() - {"activity", "classify", "detect"}
    assert not any(hasattr(TASKS[name], "answer_seen") for name in others)


def test_what_a_model_must_see_is_what_it_was_trained_on():
    views = get_args(interface.View)
    assert (classify.view({"fit": "crop"}), classify.view({"fit": "stretch"})) == views[::-1]
    assert (detect.view({}), activity.view({})) == views
    assert not hasattr(faces, "view")


def test_a_package_is_opened_with_the_task_that_its_manifest_names(tmp_path):
    model = packages.always((1, 2), [1.0])
    folder = packages.write(tmp_path / "package", "tensors", {}, model=model)
    assert isinstance(open_task(folder), Tensors)
    assert isinstance(open_task(packages.activity(tmp_path / "other", 1)), Activity)


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (
            "singing",
            "needs the task 'singing', which this program does not have: update this program",
        ),
        ("../evil", "is not the name of a task"),
        ("task", "is not the name of a task"),
        ("package", "is not the name of a task"),
    ],
)
def test_an_unknown_task_is_refused(tmp_path, task, said):
    folder = packages.write(tmp_path / "package", task, {}, model=b"")
    with pytest.raises(StageError, match=said):
        open_task(folder)
