"""A configuration as plain data, and the request made from it."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from engine import compose, composed, registration
from engine.composed import Composed, kind_of, request


@pytest.mark.parametrize("usecase", ["pose_activity", "containers"])
def test_a_configuration_that_went_through_json_makes_the_same_request(usecase):
    line = registration.register([f"usecase={usecase}", "target=rpi4_coral"])
    made = compose.composition(line)
    again = Composed(**json.loads(json.dumps(asdict(made.composed))))
    assert request(again, line) == made.request


@pytest.mark.parametrize("usecase", ["pose_activity", "image_recognition", "chatbot", "containers"])
def test_a_request_that_was_recorded_is_read_as_it_was(usecase, tmp_path):
    line = registration.register([f"usecase={usecase}", "target=rpi4_coral", "name=mine"])
    made = compose.single(line)
    composed.record(tmp_path, made)
    assert composed.recorded(tmp_path, line) == made


def test_of_a_recorded_request_passwords_are_left_out(tmp_path):
    line = registration.register(["tracking.uri='http://ann:s3same@host/'"])
    composed.record(tmp_path, compose.single(line))
    assert "s3same" not in (tmp_path / composed.FILE_NAME).read_text()
    assert composed.recorded(tmp_path, line) is not None


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"where": 1}', "\udcff"])
def test_what_is_no_recorded_request_is_none(tmp_path, text):
    if text is not None:
        (tmp_path / composed.FILE_NAME).write_text(text, errors="surrogateescape")
    assert composed.recorded(tmp_path, registration.CommandLine()) is None


def test_a_use_case_with_mistakes_leaves_no_configuration(project):
    project.usecase("wrong", "stages: {a: {uses: mystages.make, colour: red}}")
    given = [
        "--config-dir",
        str(project.path / "conf"),
        "usecase=wrong",
        "stage_packages=[mystages]",
    ]
    assert compose.composition(registration.register(given)).composed is None


def test_what_decides_a_composition_is_the_kind_of_what_stands_there(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "full" / "a").mkdir(parents=True)
    (tmp_path / "file").touch()
    names = ("none", "file", "empty", "full")
    kinds = ["absent", "file", "empty folder", "folder"]
    assert [kind_of(tmp_path / Path(name)) for name in names] == kinds
