"""Names of runs: generated, claimed once, and found again by name, id or the beginning of an id."""

import json
import shutil

import pytest

from engine import layout, run_names
from engine.errors import UserError
from engine.journal import FILE_NAME, Journal
from tests.run_events import EventBuilder, job


@pytest.fixture
def outputs(tmp_path):
    """The outputs folder."""
    return tmp_path / "outputs"


@pytest.fixture
def run(outputs):
    """Make a run's folder with a journal; without a status, it has not ended."""

    def make(run_id: str, status: str | None = "finished", name: str = "", usecase: str = "u"):
        folder = outputs / usecase / "t" / run_id
        folder.mkdir(parents=True)
        events = EventBuilder().start([job("a")], **({"name": name} if name else {}))
        with Journal(folder / FILE_NAME) as journal:
            journal.append(*(events.done(status) if status else events).events)
        return folder

    return make


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ([], "pose_activity"),
        (["usecase=pose_activity", "outputs=/tmp/x", "until=[train]"], "pose_activity"),
        (["params.epochs=5", "+stages.train.params.lr=1e-3"], "epochs-5-lr-1e-3"),
        (["assets.recordings=/home/ann/my videos"], "recordings-my-videos"),
        (["params.words=[a, b]"], "words-a-b"),
        (["params.words=[a]", "params.epochs=5"], "words-a-epochs-5"),
        (["params._x=1"], "pose_activity"),
        (["params.rate=0.39676747423066994"], "rate-0.39677"),  # as a search proposes it
    ],
)
def test_a_generated_name_says_what_was_changed(words, name):
    assert run_names.generated(["run.py", *words], "pose_activity") == name


def test_a_generated_name_has_no_password_and_is_short():
    words = ["params.url=http://ann:secret@host/", *(f"params.k{n}={'x' * 40}" for n in range(9))]
    name = run_names.generated(words, "u")
    assert "secret" not in name and len(name) <= 48 and run_names.is_valid(name)


def test_a_generated_name_is_numbered_and_not_given_again(run, outputs):
    folders = [run(f"2027010{n}-000000-000-aaaa") for n in range(1, 4)]
    assert run_names.claim_generated(outputs, folders[0], "n-5") == "n-5"
    assert run_names.claim_generated(outputs, folders[1], "n-5") == "n-5-2"
    shutil.rmtree(folders[1])
    assert run_names.claim_generated(outputs, folders[2], "n-5") == "n-5-3"


def test_a_chosen_name_of_another_run_is_refused_with_that_run(run, outputs):
    older, newer = run("20270101-000000-000-aaaa"), run("20270102-000000-000-aaaa")
    run_names.claim(outputs, older, "mine")
    with pytest.raises(UserError) as caught:
        run_names.claim(outputs, newer, "mine")
    assert (caught.value.where, older.name in caught.value.what) == ("name=mine", True)
    assert "choose another" in caught.value.fix


@pytest.mark.parametrize("status", ["interrupted", "failed", None])
def test_the_run_that_resumes_another_takes_its_name_over(run, outputs, status):
    older, newer = run("20270101-000000-000-aaaa", status), run("20270102-000000-000-aaaa")
    run_names.claim(outputs, older, "mine")
    run_names.claim(outputs, newer, "mine")
    assert run_names.find(outputs, "mine") == newer


def test_the_name_of_a_removed_run_may_be_chosen_again(run, outputs):
    older, newer = run("20270101-000000-000-aaaa"), run("20270102-000000-000-aaaa")
    run_names.claim(outputs, older, "mine")
    shutil.rmtree(older)
    run_names.claim(outputs, newer, "mine")
    assert run_names.find(outputs, "mine") == newer


@pytest.mark.parametrize("name", ["", "5", "2027-a", "a b", "a/b", "..", "latest", "x" * 65, "_a"])
def test_a_name_that_could_be_an_id_or_a_path_is_refused(outputs, name):
    with pytest.raises(UserError, match="cannot have this name"):
        run_names.check(outputs, name)


@pytest.mark.parametrize("word", ["20270101-000000-aa", "20270101", "202701", "mine"])
def test_a_run_is_found_by_its_id_its_beginning_or_its_name(run, outputs, word):
    wanted, _ = run("20270101-000000-aa"), run("20270202-000000-bb")
    run_names.claim(outputs, wanted, "mine")
    assert run_names.find(outputs, word) == wanted


def test_copied_runs_are_found_by_the_name_in_their_journal(run, outputs):
    wanted = run("20270101-000000-aa", name="mine")
    assert run_names.find(outputs, "mine") == wanted
    assert run_names.label(wanted) == "20270101-000000-aa (mine)"


def test_outputs_may_be_moved(run, outputs, tmp_path):
    run_names.claim(outputs, run("20270101-000000-aa"), "mine")
    moved = outputs.rename(tmp_path / "moved")
    assert run_names.find(moved, "mine") == moved / "u" / "t" / "20270101-000000-aa"


def test_a_beginning_that_two_runs_share_is_refused(run, outputs):
    run("20270101-000000-aa"), run("20270102-000000-bb")
    with pytest.raises(UserError, match="2 runs begin with it"):
        run_names.find(outputs, "2027")


def test_an_unknown_name_is_answered_with_the_nearest(run, outputs):
    run_names.claim(outputs, run("20270101-000000-aa"), "epochs-5")
    with pytest.raises(UserError, match="did you mean 'epochs-5'"):
        run_names.find(outputs, "epoch-5")


def test_a_run_of_an_earlier_version_has_no_name(run):
    folder = run("20270101-000000-aa")
    assert (run_names.of(folder), run_names.label(folder)) == ("", "20270101-000000-aa")


def test_a_damaged_journal_has_no_name(run):
    folder = run("20270101-000000-aa", name="mine")
    (folder / FILE_NAME).write_text(json.dumps([1]) + "\n")
    assert run_names.of(folder) == ""


def test_latest_is_the_newest_run_that_a_link_names(run, outputs):
    older, newer = run("1", usecase="u"), run("2", usecase="v")
    run("3", usecase="v")
    layout.point_latest(older), layout.point_latest(newer)
    assert run_names.find(outputs, "latest") == newer
    assert run_names.find(outputs, "latest", "u", "t") == older


def test_latest_needs_a_complete_run(run, outputs):
    run("1")
    with pytest.raises(UserError, match="no run is complete yet"):
        run_names.find(outputs, "latest")
