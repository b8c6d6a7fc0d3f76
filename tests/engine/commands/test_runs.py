"""`runs`: the list of runs, filtered, sorted, and in each form."""

import csv
import io
import json

import pytest


@pytest.fixture
def several(project, give):
    """Three runs of the chain, one of another use case and target."""
    project.usecase("small", "stages: {a: {uses: mystages.make}}\n")
    for words in (["name=three"], ["params.n=4"], ["params.n=5", "target=rpi4"]):
        assert give(*words).status == 0
    assert give("usecase=small").status == 0
    give("tag", "three", "owner=ann")
    return project


def _listed(give, *words: str) -> list[str]:
    """The names in the JSON list, in order. `give` adds usecase=chain, unless one is given."""
    return [row["name"] for row in json.loads(give("runs", "format=json", *words).out)]


def test_the_newest_is_first_and_use_case_and_target_may_be_chosen(several, give):
    assert _listed(give) == ["n-5", "n-4", "three"]
    assert _listed(give, "target=rpi4") == ["n-5"]
    assert _listed(give, "usecase=small") == ["small"]


def test_the_table_has_a_line_for_each_run_and_counts_the_others(several, give):
    said = give("runs")
    assert said.lines[0].split() == [
        *("name", "run", "use", "case", "target", "started", "(UTC)", "took", "status", "gates"),
        *("objective", "tags"),
    ]
    assert [line.split()[0] for line in said.lines[1:4]] == ["n-5", "n-4", "three"]
    assert "owner=ann" in said.lines[3] and said.lines[4] == "3 of 4 runs"


def test_a_tag_with_a_line_break_does_not_break_the_table(several, give):
    give("tag", "three", "owner=ann\nand bob")
    assert len(give("runs").lines) == 5


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["where=c.total>12"], ["n-5", "n-4"]),
        (['where="c.total>12 and params.n=4"'], ["n-4"]),
        (["status=finished"], ["n-5", "n-4", "three"]),
        (["status=[failed,rejected]"], []),
        (["tag=owner"], ["three"]),
        (["tag=owner=ann"], ["three"]),
        (["since=1d"], ["n-5", "n-4", "three"]),
        (["since=2999-01-01"], []),
        (["sort=c.total"], ["three", "n-4", "n-5"]),
        (["sort=-c.total", "limit=2"], ["n-5", "n-4"]),
        (["sort=name"], ["n-4", "n-5", "three"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_runs_are_filtered_and_sorted(several, give, words, names):
    assert _listed(give, *words) == names


def test_as_csv_parameters_metrics_and_tags_are_columns(several, give):
    rows = list(csv.DictReader(io.StringIO(give("runs", "format=csv").out)))
    assert [(row["name"], row["params.n"], row["c.total"]) for row in rows] == [
        ("n-5", "5", "20.0"),
        ("n-4", "4", "16.0"),
        ("three", "3", "12.0"),
    ]
    assert rows[2]["tags.owner"] == "ann" and rows[2]["gates_failed"] == "0"


def test_where_nothing_ran_it_says_so(project, give):
    assert give("runs").lines == [
        f"there are no runs in {project.outputs.relative_to(project.path)}"
    ]


def test_a_run_at_work_is_running(at_work, give):
    said = give("runs", "usecase=one", "format=json")
    assert [row["status"] for row in json.loads(said.out)] == ["running"]


def test_a_run_with_a_damaged_journal_is_named_with_a_fix(ran, give):
    (ran.last / "run.json").unlink()
    (ran.last / "journal.jsonl").write_text("{\n")
    said = give("runs")
    (line,) = said.err.splitlines()
    assert said.status == 0 and f"run {ran.last.name}: its journal is damaged: line 1" in line
    assert "restore it from a backup, or remove " in line
