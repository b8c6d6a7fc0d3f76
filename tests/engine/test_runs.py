"""Which run a command works on, and which run produced cached outputs."""

from pathlib import Path

import pytest

from engine import runs
from engine.errors import UserError
from engine.journal import FILE_NAME, Journal
from engine.run_files import RunSummary
from tests.run_events import EventBuilder, job

WANTED = {"a": "e" * 64}


@pytest.fixture
def run(tmp_path):
    """Make the folder of a run with these events."""

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


def _summaries(folder: Path, **runs: tuple[str, list[str], bool]) -> dict[Path, RunSummary]:
    """Make runs with a status, an `until`, and a package or none."""
    found = {}
    for name, (status, until, has_package) in runs.items():
        (folder / name / "artifacts" / "p" / ("package" if has_package else "data")).mkdir(
            parents=True
        )
        found[folder / name] = RunSummary(status, {}, until=until)
    return found


def test_a_packed_model_of_a_complete_run_comes_before_a_newer_one_that_until_ended(tmp_path):
    found = runs.packed(
        _summaries(
            tmp_path,
            r1=("finished", [], True),
            r2=("finished", ["p"], True),
            r3=("finished", [], False),
            r4=("rejected", [], True),
        )
    )
    assert [path.name for path in found] == ["r1", "r2"]


def test_the_newest_complete_run_and_the_packed_models_last(tmp_path):
    found = runs.lasting(
        _summaries(
            tmp_path,
            r0=("finished", [], True),
            r1=("finished", [], True),
            r2=("finished", ["p"], True),
            r3=("finished", [], False),
            r4=("finished", ["a"], False),
            r5=("failed", [], False),
        )
    )
    assert sorted(path.name for path in found) == ["r1", "r2", "r3"]


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
