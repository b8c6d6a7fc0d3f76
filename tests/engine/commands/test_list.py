"""`list`: everything that is available."""

import json

import pytest


@pytest.fixture
def listed(give):
    """The output of `list` as JSON."""
    return lambda: json.loads(give("list", "format=json").out)


def test_there_are_four_kinds(listed):
    assert list(listed()) == ["use cases", "targets", "assets", "stages"]


def test_the_users_own_stand_beside_what_ships(listed):
    found = listed()
    assert {"chain", "pose_activity"} <= found["use cases"].keys()
    assert {"rpi3", "rpi4", "rpi4_coral", "x86_64"} <= found["targets"].keys()
    assert {"yoga", "movenet_lightning"} <= found["assets"].keys()


def test_a_stage_says_what_it_reads_writes_takes_and_returns(listed):
    assert listed()["stages"] == {
        "mystages.double": {
            "description": "Double a number.",
            "signature": ["reads number", "writes data", "metrics total"],
        },
        "mystages.make": {
            "description": "Write a number.",
            "signature": ["writes data", "parameters n: int = 1"],
        },
    }


def test_an_optional_input_and_a_required_parameter_can_be_told(listed, project):
    project.stage(
        "odd",
        "from engine.stage import In, Out\ndef odd(data: Out, before: In | None = None, *, n: int) -> "
        "None:\n    ...\n",
    )
    assert listed()["stages"]["mystages.odd"]["signature"] == [
        "reads before (optional)",
        "writes data",
        "parameters n: int",
    ]


def test_what_cannot_be_read_is_listed_as_such_and_hides_nothing(listed, project):
    project.stage("broken", "def broken(:\n")
    (project.path / "conf" / "usecases" / "bad.yaml").write_text("- a\n- list\n")
    found = listed()
    assert found["stages"]["mystages.broken"]["description"].startswith(
        "(cannot be read: Python cannot read it"
    )
    assert (
        found["use cases"]["bad"]["description"]
        == "(cannot be read: a mapping is expected, not a list)"
    )
    assert {"mystages.make", "mystages.double"} <= found["stages"].keys()


def test_helpers_are_no_stages(listed, project):
    project.stage("_helper", "N = 1\n")
    assert "mystages._helper" not in listed()["stages"]


def test_as_text_each_kind_has_its_heading(give):
    lines = give("list").out.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [
        "use cases:",
        "targets:",
        "assets:",
        "stages:",
    ]
    assert "  rpi4                 Raspberry Pi 4 with a 64-bit system" in lines
