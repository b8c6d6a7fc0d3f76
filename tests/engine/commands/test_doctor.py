"""`doctor`: one line per check, in bounded time, on any machine."""

import json
import platform
import threading
import time

import pytest

from engine.doctor.checks import gather
from engine.finding import Finding, first_line


def test_it_ends_with_status_0_and_a_line_for_each_thing(give):
    said = give("doctor")
    assert said.status == 0
    assert said.lines[0].startswith(
        f"ok       Python {platform.python_version()} on Linux {platform.machine()}"
    )
    assert all(
        line.startswith(("ok      ", "missing ", "         ")) for line in said.out.splitlines()
    )


def test_what_is_missing_comes_with_what_brings_it(give, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///no/such.sock")
    lines = give("doctor").lines
    at = lines.index("missing  Docker engine (unix:///no/such.sock): not found")
    assert "sudo apt-get install docker.io" in lines[at + 1]


def test_a_program_may_read_it(give):
    found = json.loads(give("doctor", "format=json").out)
    assert {"is_there": False, "what": "Google's PyCoral"}.items() <= next(
        one for one in found if "PyCoral" in one["what"]
    ).items()


def test_it_writes_nothing(give, project):
    give("doctor")
    assert not project.outputs.exists()


def test_it_is_quick_where_nobody_answers(give, monkeypatch, deaf):
    monkeypatch.setenv("DOCKER_HOST", f"tcp://{deaf}")
    begin = time.monotonic()
    said = give("doctor", "tracking=mlflow", f"tracking.uri=http://{deaf}")
    assert time.monotonic() - begin < 60
    assert {
        line.partition(":")[0].split(" (")[0] for line in said.lines if line.startswith("missing")
    } >= {
        "missing  Docker engine",
        "missing  MLflow",
    }


def test_what_is_found_keeps_its_order():
    late, soon = threading.Event(), Finding(True, "soon")

    def slow():
        late.wait(5)
        return [Finding(True, "slow")]

    checks = {"slow": slow, "soon": lambda: (late.set(), [soon])[1]}
    assert gather(checks, 5) == [Finding(True, "slow"), soon]


def test_what_cannot_be_looked_at_is_missing():
    def forbidden():
        raise PermissionError(13, "Permission denied")

    assert gather({"disk": forbidden}, 5) == [
        Finding(False, "disk: cannot be checked (Permission denied)")
    ]


def test_a_mistake_of_ours_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        gather({"odd": lambda: 1 / 0}, 5)


def test_a_program_that_hangs_says_nothing():
    begin = time.monotonic()
    assert first_line(["sleep", "60"], within_s=0.1) == "" and time.monotonic() - begin < 50
    assert first_line(["/no/such/program"]) == ""
    assert first_line(["printf", "one\\ntwo"]) == "one"
