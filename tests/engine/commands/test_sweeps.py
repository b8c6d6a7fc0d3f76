"""`sweeps`: earlier sweeps, and the jobs of one."""

import json

import pytest

ONLY = """
    from typing import TypedDict
    from engine.stage import Out
    class Result(TypedDict):
        score: float
    def only(data: Out, *, n: int) -> Result:
        data.write_text("1")
        return {"score": n}
"""


@pytest.fixture
def swept(project, give):
    """A sweep of two jobs, one of which a gate rejects."""
    project.stage("only", ONLY)
    project.usecase(
        "one",
        'params: {n: 1}\nobjective: s.score\nstages:\n  s: {uses: mystages.only, params: {n: "${params.n}"}, require: {score: "> 1"}}\n',
    )
    give("-m", "usecase=one", "params.n=2,1")
    return next((project.outputs / "sweeps").iterdir())


def test_it_lists_them_with_what_varied_and_the_best_job(swept, give):
    heads, row = give("sweeps").lines
    assert heads.split() == ["sweep", "began", "jobs", "varies", "best", "state"]
    assert row.startswith(swept.name) and row.endswith("n=2: s.score 2  ended")


def test_one_sweep_is_shown_as_at_its_end(swept, give):
    for name in (swept.name, swept.name[:-2], "latest"):
        said = give("sweeps", f"sweep={name}")
        assert said.lines[0].startswith(f"sweep {swept.name}: 2 jobs in ")
        assert said.lines[2].split()[:4] == ["1", "*", "2", "2"]


def test_as_json_it_is_the_record_with_the_best_job_first(swept, give):
    (found,) = json.loads(give("sweeps", "format=json").out)
    assert (found["id"], found["best"], found["status"]) == (swept.name, 1, 1)
    assert [(job["state"], job["values"]) for job in found["jobs"]] == [
        ("finished", {"s.score": 2.0}),
        ("rejected", {"s.score": 1.0}),
    ]


def test_an_interrupted_sweep_says_how_to_continue(swept, give):
    (swept / "end.json").unlink()
    assert (
        give("sweeps").lines[1].endswith("interrupted, 2 jobs done; repeat its command to continue")
    )


def test_an_unknown_sweep_names_the_known_ones(swept, give):
    said = give("sweeps", "sweep=1999")
    assert said.status == 2
    assert said.err.splitlines()[:2] == ["sweep=1999", "  there is no such sweep"]
    assert swept.name in said.err


def test_without_a_sweep_it_says_so(give):
    assert give("sweeps").lines == ["no sweep has run in outputs yet"]


def test_a_sweep_with_a_damaged_record_is_named_with_a_fix(swept, give):
    (swept / "sweep.json").write_text("{")
    said = give("sweeps")
    (line,) = said.err.splitlines()
    assert said.status == 0 and swept.name in line and "sweep.json" in line
    assert "restore it from a backup, or remove " in line
