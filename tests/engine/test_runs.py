"""Which run a command is about, and which run made what another one found in the store."""

import pytest

from engine import runs
from engine.errors import UserError
from engine.journal import FILE_NAME, Journal
from tests.run_events import EventBuilder, job

WANTED = {"a": "e" * 64}


@pytest.fixture
def run(tmp_path):
    """Make the folder of a run that has these events."""

    def make(name: str, events: EventBuilder):
        folder = tmp_path / "outputs" / "demo" / "rpi4" / name
        folder.mkdir(parents=True)
        with Journal(folder / FILE_NAME) as journal:
            journal.append(*events.events)
        return folder

    return make


def _ran() -> EventBuilder:
    return EventBuilder().start([job("a")]).started("a").finished("a").done()


def _found_cached() -> EventBuilder:
    return EventBuilder().start([job("a")]).cached("a", fingerprint=WANTED["a"]).done()


def test_without_a_name_every_stage_is_meant():
    assert runs.stages_named(None, ["a", "train@0"]) == ["a", "train@0"]


def test_the_name_before_the_at_sign_means_every_value_of_a_foreach():
    known = ["a", "train@0", "train@1"]
    assert runs.stages_named("train", known) == ["train@0", "train@1"]
    assert runs.stages_named("train@1", known) == ["train@1"]


def test_an_unknown_stage_is_refused_with_the_nearest_name():
    with pytest.raises(UserError) as caught:
        runs.stages_named("trian", ["a", "train"])
    assert (caught.value.where, "train" in caught.value.fix) == ("stage=trian", True)


def test_the_maker_is_the_newest_run_that_ran_the_stage(run, tmp_path):
    run("20270101-000000-000-aaaa", _ran())
    newest = run("20270102-000000-000-aaaa", _ran())
    assert runs.makers(tmp_path / "outputs", WANTED) == {"a": newest}


def test_a_run_that_found_the_stage_cached_did_not_make_it(run, tmp_path):
    made = run("20270101-000000-000-aaaa", _ran())
    run("20270102-000000-000-aaaa", _found_cached())
    assert runs.makers(tmp_path / "outputs", WANTED) == {"a": made}


def test_a_run_of_another_fingerprint_made_nothing_that_is_wanted(run, tmp_path):
    run("20270101-000000-000-aaaa", _ran())
    assert runs.makers(tmp_path / "outputs", {"a": "d" * 64, "b": None}) == {}
