"""The files of a run without a name: they stay readable, and in their places."""

import json

import pytest

from engine import composed, journal, run_annotations, run_files, run_names
from engine.forgetting import run_texts
from engine.forgetting.words import Words
from tests.mlflow_runs import ASSET

GRID = {
    "kind": "picture_grid",
    "name": "wrong",
    "pictures": [{"caption": "ann/1.jpg: bob", "data": "iVBORw0KGgo="}],
}
NAMED = {"kind": "confusion_matrix", "name": "all", "labels": ["ann", "bob"], "matrix": [[1]]}
CURVE = {"kind": "curves", "name": "ROC"}


@pytest.fixture
def run_dir(tmp_path, events, make_job):
    """An ended run whose notes, figures, failure and log name ann."""
    events.events.clear()
    asset = {**ASSET, **dict.fromkeys(["name", "path", "source"], "/data/ann"), "key": "ann"}
    jobs = [make_job("ann", {}), make_job("b", {})]
    events.start(jobs, assets=[asset], command=["run.py", "assets.people=/data/ann"])
    events.cached("ann", notes=["left out: ann/2.jpg"], figures=[GRID, NAMED, CURVE])
    events.started("b").add("note", stage="b", text="left out: ann/1.jpg, joann ann/1.jpg")
    events.add("figure", stage="b", **GRID).add("figure", stage="b", **CURVE)
    events.add("progress", stage="b", done=1, total=2, message="ann")
    events.finished("b", total=1.0).done()
    with journal.Journal(tmp_path / journal.FILE_NAME) as written:
        written.append(*({k: v for k, v in e.items() if k != "seq"} for e in events.events))
    run_files.write_contract(tmp_path, run_files.state(tmp_path))
    run_files.seal(tmp_path)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/b.log").write_text("no face: ann/1.jpg\n")
    (tmp_path / "report.html").write_text("<p>ann/1.jpg</p>")
    return tmp_path


def _render(state, run_dir):
    (run_dir / "report.html").write_text(" ".join(state.stages["b"].notes))


def _clean(run_dir, **digests):
    return run_texts.clean(run_dir, Words("ann", ["joann ann"]), digests, _render, False)


def test_no_text_of_the_run_has_the_name_any_more(run_dir):
    assert _clean(run_dir)
    state = run_files.state(run_dir)
    assert state.stages["b"].notes == ["left out: [removed]/1.jpg, joann ann/1.jpg", run_texts.GONE]
    assert state.stages["ann"].notes == ["left out: [removed]/2.jpg"]
    for name in ("logs/b.log", "report.html"):
        assert not Words("ann").are_in((run_dir / name).read_text())


def test_notes_and_tags_of_people_have_the_name_nowhere(run_dir):
    run_annotations.add_note(run_dir, "ann is missing, joann is not")
    run_annotations.add_tags(run_dir, {"who": "ann"})
    assert _clean(run_dir)
    found = run_annotations.read(run_dir)
    assert [text for _, text in found.notes] == ["[removed] is missing, joann is not"]
    assert found.tags == {"who": "[removed]"}


def test_the_recorded_request_names_no_picture_of_the_person(run_dir):
    request = {"assets": {"people": "ann/1.jpg"}, "notes": ["ann"]}
    (run_dir / composed.FILE_NAME).write_text(json.dumps(request))
    assert _clean(run_dir)
    found = json.loads((run_dir / composed.FILE_NAME).read_text())
    assert found == {"assets": {"people": "[removed]/1.jpg"}, "notes": ["ann"]}


@pytest.mark.parametrize(("name", "kept"), [("faces-ann-2", ""), ("joann-2", "joann-2")])
def test_a_run_that_is_called_like_the_person_loses_its_name(run_dir, name, kept):
    path = run_dir / journal.FILE_NAME
    first, *others = path.read_text().splitlines()
    first = json.dumps({**json.loads(first), "name": name})
    path.write_text("".join(f"{line}\n" for line in [first, *others]))
    _clean(run_dir)
    assert run_names.of(run_dir) == kept


def test_a_progress_that_is_only_the_name_has_none(run_dir):
    _clean(run_dir)
    lines = (run_dir / journal.FILE_NAME).read_text().splitlines()
    [progress] = [event for event in map(json.loads, lines) if event["event"] == "progress"]
    assert progress["message"] == "[removed]"


def test_figures_that_name_the_person_are_gone_and_others_stay(run_dir):
    _clean(run_dir)
    stages = run_files.state(run_dir).stages
    assert stages["ann"].figures == stages["b"].figures == [CURVE]


def test_names_that_the_engine_needs_stay_even_if_they_are_the_persons(run_dir):
    before = run_files.state(run_dir)
    _clean(run_dir)
    after = run_files.state(run_dir)
    assert after.damage == "" and list(after.stages) == list(before.stages) == ["ann", "b"]
    assert (after.status, after.metrics) == (before.status, before.metrics)
    assert after.start["assets"] == before.start["assets"]
    assert after.start["command"] == ["run.py", "assets.people=/data/ann"]


def test_a_replaced_artifact_is_named_by_its_new_digest(run_dir):
    [old] = run_files.state(run_dir).stages["b"].outputs.values()
    _clean(run_dir, **{old: "tree:new"})
    assert list(run_files.state(run_dir).stages["b"].outputs.values()) == ["tree:new"]


def test_the_summary_stays_as_new_as_the_journal(run_dir):
    _clean(run_dir)
    file, log = (run_dir / name for name in (run_files.RUN_FILE, journal.FILE_NAME))
    assert file.stat().st_mtime_ns >= log.stat().st_mtime_ns
    assert json.loads(file.read_text())["stages"]["b"]["state"] == "finished"


def test_a_second_time_nothing_changes(run_dir):
    _clean(run_dir)
    assert not _clean(run_dir)


def test_what_a_kill_after_the_journal_left_is_done_the_next_time(run_dir):
    (run_dir / "before.json").write_bytes((run_dir / "run.json").read_bytes())
    _clean(run_dir)
    (run_dir / "before.json").replace(run_dir / "run.json")
    (run_dir / "report.html").write_text("ann/1.jpg")
    assert _clean(run_dir)
    for name in ("run.json", "report.html"):
        assert not Words("ann").of_pictures.are_in((run_dir / name).read_text())


def test_a_damaged_journal_stays_as_it_is(run_dir):
    path = run_dir / journal.FILE_NAME
    path.write_text("no event\n" + path.read_text())
    before = path.read_bytes()
    _clean(run_dir)
    assert path.read_bytes() == before
