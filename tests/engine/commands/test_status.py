"""`status`: the state of a run, even while it runs and after a crash."""

import json

import pytest

FAILING = (
    "from engine.stage import Out, StageError\ndef only(data: Out) -> None:\n    raise "
    "StageError('no pictures')\n"
)


def _row(said, stage: str) -> list[str]:
    return next(line for line in said.lines if line.split()[0] == stage).split(maxsplit=3)


def test_a_finished_run_says_so_stage_by_stage(ran, give):
    said = give("status")
    assert said.lines[0].startswith(
        f"run {ran.last.name} (chain): chain for x86_64, finished after "
    )
    assert [line.split()[:2] for line in said.lines[2:5]] == [
        ["a", "finished"],
        ["b", "finished"],
        ["c", "finished"],
    ]
    assert said.lines[-1] == str(ran.last.relative_to(ran.path))


def test_as_json_it_is_run_json_with_what_people_added(ran, give):
    given = json.loads(give("status", "format=json").out)
    assert given.pop("annotations") == {"notes": [], "tags": {}}
    assert given == json.loads((ran.last / "run.json").read_text())


def test_notes_and_tags_are_shown(ran, give):
    give("note", "chain", "too slow"), give("tag", "chain", "owner=ann")
    assert give("status").lines[1] == "tags: owner=ann"
    assert give("status").lines[2].startswith("note: too slow (20")


@pytest.mark.parametrize("length", [8, 12], ids=["a number", "text"])
def test_a_run_is_named_by_its_beginning(ran, give, length):
    assert ran.last.name in give("status", f"run={ran.last.name[:length]}").lines[0]


def test_an_unknown_run_names_the_nearest(ran, give):
    said = give("status", f"run={ran.last.name[:-1]}x")
    assert (said.status, said.err.splitlines()[1:]) == (
        2,
        ["  there is no such run", f"  did you mean '{ran.last.name}'?"],
    )


def test_where_nothing_ran_it_says_how_to_begin(give):
    said = give("status")
    assert said.status == 2
    assert said.err.splitlines()[1:] == [
        "  there is no run here yet",
        "  start one: python run.py usecase=chain target=x86_64",
    ]


def test_a_failure_says_its_sentence(project, give):
    project.stage("only", FAILING)
    project.usecase(
        "one",
        "stages: {s: {uses: mystages.only}, t: {uses: mystages.double, inputs: {number: s.data}}}",
    )
    give("usecase=one")
    said = give("status", "usecase=one")
    assert ", failed after " in said.lines[0]
    assert _row(said, "s")[1] == "failed" and said.lines[2].endswith("no pictures")
    assert _row(said, "t")[1:] == ["skipped", "s", "failed"]


def test_a_cached_stage_says_so(ran, give):
    give()
    assert "(cached)" in give("status").lines[2]


def test_an_artifact_that_was_changed_by_hand_is_named(ran, give):
    path = ran.last / "artifacts" / "b" / "data"
    path.unlink()
    path.write_text("99")
    assert _row(give("status"), "b")[-1].endswith("modified since: data")


def test_the_newest_run_may_be_narrowed_to_a_target(ran, give):
    give("target=rpi4")
    assert (
        "chain for rpi4" in give("status").lines[0]
        and "chain for x86_64" in give("status", "target=x86_64").lines[0]
    )


def test_a_killed_engine_is_told_and_how_to_go_on(ran, give):
    path = ran.last / "journal.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    assert (
        give("status")
        .lines[0]
        .endswith("its engine was killed; repeat its command to resume from the finished stages")
    )


def test_a_run_at_work_says_how_far_it_is(at_work, give):
    said = give("status", "usecase=one")
    assert ": one for x86_64, running for " in said.lines[0]
    assert said.lines[2].split() == ["s", "running", "3", "of", "12", "frames"]


def test_a_run_that_cannot_begin_leaves_status_as_it_was(ran):
    ran.run("params.n=x")
    result = ran.run("status")
    assert (result.returncode, result.stderr) == (0, "") and ran.last.name in result.stdout
