"""`compare`: the runs that words name, as text, JSON and a page."""

import json


def test_what_differs_comes_first_and_the_rest_is_counted(ran, give):
    give("params.n=5", "name=five")
    said = give("compare", "chain", "five")
    first, second = ran.runs
    assert said.lines[0].startswith(f"{first.name} (chain): chain on x86_64, finished after ")
    assert said.lines[1].startswith(f"{second.name} (five): ")
    rows = [line.split() for line in said.lines[3:]]
    assert rows[:2] == [["parameters", "chain", "five"], ["n", "3", "5"]]
    assert ["c.total", "12", "20", "+8"] in rows
    assert said.lines[-1].startswith("the same: run 5, source ")


def test_with_all_equal_values_are_shown_and_marked(ran, give):
    give("params.n=5")
    said = give("compare", "chain", "n-5", "all=true")
    assert ["a", "finished", "on", "x86_64", "finished", "on", "x86_64", "same"] in [
        line.split() for line in said.lines
    ]


def test_a_run_that_was_repeated_does_not_differ(ran, give):
    give()
    assert "the runs do not differ" in give("compare", "chain", "latest").lines


def test_a_changed_stage_is_named(ran, give):
    path = ran.path / "mystages" / "double.py"
    path.write_text(path.read_text().replace("2 * ", "3 * "))
    give()
    said = give("compare", "chain", "chain-2")
    [line] = [line for line in said.lines if line.startswith("mystages.double")]
    assert line.endswith("source of b and c")


def test_three_runs_of_two_use_cases_are_compared(ran, give, project):
    project.usecase("one", "stages: {a: {uses: mystages.make}}")
    give("params.n=5"), give("usecase=one")
    said = give("compare", "chain", "n-5", "one")
    assert "note: these are runs of different use cases: chain and one" in said.lines
    [partial] = [line for line in said.lines if line.startswith("only in some of the runs: ")]
    assert "stages 2, metrics 2" in partial
    rows = [line.split() for line in give("compare", "chain", "n-5", "one", "all=true").lines]
    assert ["c.total", "12", "20", "\N{EN DASH}"] in rows


def test_as_json_the_values_have_their_types(ran, give):
    give("params.n=5")
    said = give("compare", "chain", "n-5", "format=json")
    assert json.loads(said.out)["parameters"] == [
        {"name": "n", "values": [3, 5], "differs": True, "remark": ""}
    ]
    assert said.err.splitlines() == [
        f"run {ran.runs[0].name} (chain)",
        f"run {ran.runs[1].name} (n-5)",
    ]


def test_the_page_is_written_beside_the_runs_or_where_the_user_says(ran, give):
    give("params.n=5")
    said = give("compare", "chain", "n-5", "format=html")
    page = ran.path / said.lines[0]
    assert page == ran.outputs / "comparisons" / "chain_n-5.html" and "n-5" in page.read_text()
    give("compare", "chain", "n-5", "format=html", "output=mine.html")
    assert (ran.path / "mine.html").is_file()
    assert len(ran.runs) == 2


def test_one_run_is_not_enough(ran, give):
    said = give("compare", "chain")
    assert said.status == 2 and "compare needs two runs (it has 1)" in said.err


def test_comparing_changes_no_run(ran, give):
    give("params.n=5")
    before = {path: path.stat().st_mtime_ns for path in ran.outputs.glob("chain/**/*")}
    give("compare", "chain", "n-5", "format=html")
    assert {path: path.stat().st_mtime_ns for path in ran.outputs.glob("chain/**/*")} == before
