"""`plan`: what would run, where, and why."""

import json

WARNS = """
    name: one
    assets: {mine: mine.txt, unread: mine.txt}
    stages: {a: {uses: mystages.double, inputs: {number: "asset:mine"}}}
"""


def test_before_the_first_run_everything_runs(give, project):
    said = give("plan")
    assert said.lines[0] == "chain for x86_64 (linux/amd64, litert)"
    assert [line.split()[:2] for line in said.lines[1:5]] == [["stage", "does"], ["a", "run"], ["b", "run"], ["c", "run"]]
    assert said.lines[5] == "3 stages: 0 from the store, 3 to run"
    assert not list(project.outputs.glob("[!.]*"))


def test_after_a_run_everything_is_cached(ran, give):
    assert give("plan").lines[-1] == "3 stages: 3 from the store, 0 to run"


def test_a_change_makes_stale_what_it_reaches(ran, give):
    rows = {row["stage"]: row for row in json.loads(give("plan", "params.n=5", "format=json").out)}
    assert {name: row["does"] for name, row in rows.items()} == {"a": "run", "b": "run", "c": "run"}
    assert (rows["a"]["why"], rows["b"]["why"]) == ("not in the store", "waits for a")


def test_until_leaves_out_what_comes_after(give):
    assert [row["stage"] for row in json.loads(give("plan", "until=[b]", "format=json").out)] == ["a", "b"]


def test_a_stage_on_another_target_says_where_its_figures_would_be_taken(give, project):
    project.usecase("one", "stages: {a: {uses: mystages.make, runs_on: target}}")
    [row] = json.loads(give("plan", "usecase=one", "target=rpi4", "format=json").out)
    assert (row["runs_on"], row["taken"].split()[0]) == ("target", "simulated")


def test_what_no_stage_reads_is_a_note(give, project):
    (project.path / "mine.txt").write_text("1")
    project.usecase("one", WARNS)
    assert "note: assets.unread is read by no stage" in give("plan", "usecase=one").lines


def test_the_plan_of_a_process_is_the_same(ran):
    result = ran.run("plan")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines()[-1] == "3 stages: 3 from the store, 0 to run"
