"""Environments as images of containers: chosen by their name, built on demand, and done without."""

import pytest

from engine import compose, drive, registration
from engine.containers import selection
from engine.context import ExecutorContext
from engine.contract import Contract
from engine.errors import UserError
from engine.images import Image
from engine.placement import Placement
from engine.plan import Job, Planned
from engine.spec import StageSpec
from engine.target import Target
from tests.engine.tools.conftest import ARCH, HERE

NAMED = StageSpec.model_validate({"uses": "mystages.only", "image": "small"})
CONTRACT = Contract(label="x", imports=frozenset({"numpy"}))
USUAL = Image("usual", HERE, f"{ARCH}-1", frozenset({"numpy"}), False, "containers")
SMALL = Image(
    "small", HERE, f"{ARCH}-000000000000", frozenset(), True, "none_builds_it", on_demand=True
)


def _context(small, without=None, images=(USUAL, SMALL)) -> ExecutorContext:
    target = Target(name="t", platform=HERE, runtime="litert")
    return ExecutorContext(
        target, (small.path,), (), lambda: images, small.store, without=without or {}
    )


def _no_engine():
    raise AssertionError("the engine need not be asked")


def _chosen(context: ExecutorContext) -> tuple[str, str]:
    image = selection.choose(context, HERE, NAMED, CONTRACT, _no_engine)
    return image.name, selection.lacking(context, HERE, NAMED)


def test_a_stage_gets_the_image_that_it_names_even_if_it_must_be_built(small):
    assert _chosen(_context(small)) == ("small", "")


def test_without_it_the_stage_gets_the_usual_image_and_a_note_says_why(small):
    name, note = _chosen(_context(small, {"small": "no network"}))
    assert (name, note) == (
        "usual",
        "the environment small is not available: no network; stages that name it run without it",
    )


def test_on_a_platform_without_it_the_stage_gets_the_usual_image(small):
    other = Image("small", "linux/other", "x-1", frozenset(), True, "none", on_demand=True)
    name, note = _chosen(_context(small, images=(USUAL, other)))
    assert name == "usual" and f"there is no such image for {HERE}" in note


def test_a_stage_that_names_none_gets_no_note(small):
    other = StageSpec.model_validate({"uses": "mystages.only"})
    assert selection.lacking(_context(small), HERE, other) == ""
    assert selection.choose(_context(small), HERE, other, CONTRACT, _no_engine) is USUAL


class _Executors:
    """Executors that lack the image, and fail if they are to load one."""

    images = (USUAL, SMALL)

    def missing_by_executor(self, planned):
        return {"docker": [one.job.placement.image for one in planned]}

    def pushes(self, name):
        return False

    def load_into(self, name, full_name, archive):
        raise AssertionError("nothing was built")


@pytest.fixture
def asked(project, small, monkeypatch):
    """A request, and a job in the image, which no use case builds."""
    project.only_stage("from engine.stage import Out\ndef only(data: Out) -> None: ...\n")
    monkeypatch.chdir(project.path)
    words = ["--config-dir", "conf", "usecase=one", "stage_packages=[mystages]"]
    request = compose.single(registration.register(words))
    place = Placement(HERE, False, "x", {}, SMALL.full_name)
    job = Job("s", NAMED, CONTRACT, {}, (), {}, place)
    return request, [Planned(job, None, None, None, "")]


def test_an_image_that_cannot_be_built_is_reported_with_the_reason_after_its_licence(asked, capsys):
    request, jobs = asked
    lacking = drive.provide_environments(request, _Executors(), jobs, lambda *_: None)
    assert list(lacking) == ["small"] and lacking["small"].what
    assert "note: tinytool belongs to the tests" in capsys.readouterr().err


def test_a_command_that_needs_it_is_refused_without_it(asked):
    request, jobs = asked
    with pytest.raises(UserError) as caught:
        drive.provide_images(request, _Executors(), jobs, lambda *_: None)
    assert caught.value.where == "environment small"
    assert caught.value.fix.endswith("; then repeat the command")
