"""A configuration as plain data, and the request that it makes."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from engine import compose, registration
from engine.composed import Composed, is_there, request


@pytest.mark.parametrize("usecase", ["pose_activity", "containers"])
def test_a_configuration_that_went_through_json_makes_the_same_request(usecase):
    line = registration.register([f"usecase={usecase}", "target=rpi4_coral"])
    made = compose.composition(line)
    again = Composed(**json.loads(json.dumps(asdict(made.composed))))
    assert request(again, line) == made.request


def test_a_use_case_with_mistakes_leaves_no_configuration(project):
    project.usecase("wrong", "stages: {a: {uses: mystages.make, colour: red}}")
    given = [
        "--config-dir",
        str(project.path / "conf"),
        "usecase=wrong",
        "stage_packages=[mystages]",
    ]
    assert compose.composition(registration.register(given)).composed is None


def test_an_empty_folder_counts_as_nothing(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "full" / "a").mkdir(parents=True)
    (tmp_path / "file").touch()
    names = ("empty", "full", "file", "none")
    assert [is_there(tmp_path / Path(name)) for name in names] == [False, True, True, False]
