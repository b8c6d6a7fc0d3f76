"""`reproduce`: the same artifacts again, or what differs and why. The verdicts are in reproduction/."""

import json
import os

import pytest

RANDOM = """
    import os
    from engine.stage import Out
    def only(data: Out) -> None:
        data.write_bytes(os.urandom(8))
"""
READS = """
    from engine.stage import In, Out
    def only(mine: In, data: Out) -> None:
        data.write_text(mine.read_text())
"""


def _snapshot(folder):
    """Every file with its content and time, except those of reproductions."""
    return {
        path: (path.lstat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "requests" not in path.parts and "locks" not in path.parts
    }


def test_a_run_is_reproduced_by_running_every_stage_again(ran, give):
    before = _snapshot(ran.outputs)
    said = give("reproduce", "chain")
    assert (said.status, said.lines) == (
        0,
        [
            *("a: equal", "b: equal", "c: equal"),
            "reproduced: 3 stages gave the same artifacts and metrics",
        ],
    )
    assert f"reproducing run {ran.last.name} (chain)" in said.err
    assert "3 stages ran, 0 cached" in said.err
    assert "reproduction" in said.err.splitlines()[1] and "reproductions" not in said.err
    assert _snapshot(ran.outputs) == before and len(ran.runs) == 1


def test_a_changed_source_is_named_and_changed_back_it_is_equal_again(ran, give):
    path = ran.path / "mystages" / "double.py"
    text = path.read_text()
    path.write_text(text.replace("2 * ", "3 * "))
    said = give("reproduce", "chain")
    assert said.status == 1
    assert said.lines[0].startswith("changed since: b: source mystages.double: ")
    assert "b: differs" in said.lines and "data: the file (1 byte)" in said.lines
    assert "metric total: 6 -> 9 (+3)" in said.lines
    assert said.lines[-1] == "not reproduced: b and c of 3 stages"
    path.write_text(text)
    assert give("reproduce", "chain").status == 0


def test_the_recorded_configuration_counts_not_todays(ran, give):
    give("params.n=5", "name=five")
    ran.usecase("chain", "name: chain\nparams: {n: 1}\nstages: {a: {uses: mystages.make}}\n")
    said = give("reproduce", "five")
    assert said.status == 0 and "3 stages ran" in said.err


def test_other_data_are_named(project, give):
    project.stage("only", READS)
    project.usecase(
        "reads",
        "assets: {mine: data.txt}\nstages: {s: {uses: mystages.only, inputs: {mine: 'asset:mine'}}}\n",
    )
    (project.path / "data.txt").write_text("old")
    assert give("usecase=reads").status == 0
    assert give("reproduce", "reads").status == 0
    (project.path / "data.txt").write_text("newer")
    said = give("reproduce", "reads")
    assert said.status == 1 and said.lines[0].startswith("changed since: asset mine: ")
    assert any(line.startswith("because input mine: file:") for line in said.lines)


def test_a_stage_that_depends_on_chance_is_not_reproduced(project, give):
    project.only_stage(RANDOM)
    give("usecase=one")
    said = give("reproduce", "one", "format=json")
    [stage] = json.loads(said.out)["stages"]
    assert (said.status, stage["result"]) == (1, "differs")
    assert stage["why"][0].endswith("such as threads, time or chance")


def test_the_new_artifacts_may_be_kept_to_look_at_them(ran, give):
    said = give("reproduce", "chain", "keep=true")
    kept = said.err.splitlines()[-1].removeprefix("kept: ")
    assert (ran.path / kept / "artifacts" / "c" / "data").read_text() == "12"
    give("reproduce", "chain")
    assert not (ran.path / kept).exists()


def test_a_run_that_failed_fails_again(project, give):
    source = "from engine.stage import Out, StageError\ndef only(data: Out) -> None:\n    raise StageError('no')\n"
    project.only_stage(source)
    assert give("usecase=one").status == 1
    said = give("reproduce", "one").lines
    assert said == ["s: equal", "reproduced: the run failed again, at the same stage"]


def test_without_the_recorded_request_it_says_what_to_repeat(ran, give):
    give("params.n=5")
    (ran.last / "request.json").unlink()
    said = give("reproduce", "n-5")
    assert said.status == 2
    assert "has no readable request.json" in said.err and "params.n=5" in said.err


def test_a_run_at_work_is_refused(at_work, give):
    said = give("reproduce", "one", "usecase=one")
    assert said.status == 2 and "the run has not ended" in said.err


def test_one_run_is_reproduced_by_one_process_at_a_time(ran, give):
    with ran.store.locks.alone(f"reproduce-{ran.last.name}"):
        said = give("reproduce", "chain")
    assert said.status == 2 and "another process is reproducing this run" in said.err


def test_without_a_run_it_says_how_to_write_one(give):
    said = give("reproduce")
    assert said.status == 2 and "write: python run.py reproduce RUN" in said.err


@pytest.mark.parametrize("secret", ["http://ann:s3same@host/x"])
def test_no_credential_is_recorded(project, give, secret):
    give("params.n=3", f"tracking.uri={secret}")
    assert "s3same" not in (project.last / "request.json").read_text()
    assert os.access(project.last / "request.json", os.R_OK)
