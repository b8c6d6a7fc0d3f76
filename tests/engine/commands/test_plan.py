"""`plan`: what would run, where, and why."""

import json
import socket

import pytest

WARNS = """
    name: one
    assets: {mine: mine.txt, unread: mine.txt}
    stages: {a: {uses: mystages.double, inputs: {number: "asset:mine"}}}
"""


def test_before_the_first_run_everything_runs(give, project):
    said = give("plan")
    assert said.lines[0] == "chain for x86_64 (linux/amd64, litert)"
    assert [line.split()[:2] for line in said.lines[1:5]] == [
        ["stage", "does"],
        ["a", "run"],
        ["b", "run"],
        ["c", "run"],
    ]
    assert said.lines[5] == "3 stages: 0 cached, 3 to run"
    assert not list(project.outputs.glob("[!.]*"))


def test_after_a_run_everything_is_cached(ran, give):
    assert give("plan").lines[-1] == "3 stages: 3 cached, 0 to run"


def test_a_change_makes_stale_what_it_reaches(ran, give):
    rows = {row["stage"]: row for row in json.loads(give("plan", "params.n=5", "format=json").out)}
    assert {name: row["does"] for name, row in rows.items()} == {"a": "run", "b": "run", "c": "run"}
    assert (rows["a"]["why"], rows["b"]["why"]) == ("not in the store", "waits for a")


def test_until_leaves_out_what_comes_after(give):
    assert [row["stage"] for row in json.loads(give("plan", "until=[b]", "format=json").out)] == [
        "a",
        "b",
    ]


def test_a_stage_on_another_target_says_where_its_figures_would_be_taken(give, project):
    project.usecase("one", "stages: {a: {uses: mystages.make, runs_on: target}}")
    [row] = json.loads(give("plan", "usecase=one", "target=rpi4", "format=json").out)
    assert (row["runs_on"], row["measured_on"].split()[0]) == ("target", "simulated")


def test_what_no_stage_reads_is_a_note(give, project):
    (project.path / "mine.txt").write_text("1")
    project.usecase("one", WARNS)
    assert "note: no stage reads assets.unread" in give("plan", "usecase=one").lines


def test_a_stage_that_is_left_out_is_listed_with_the_reason(give, project):
    a, b = (
        "{when: {params.m: x}, uses: mystages.make}",
        "{when: {params.m: y}, uses: mystages.make}",
    )
    project.usecase("one", f"params: {{m: y}}\nstages: {{a: {a}, b: {b}}}")
    line = "left out: a (params.m must be x, but it is 'y')"
    assert line in give("plan", "usecase=one").lines
    assert give("graph", "usecase=one").lines[-1] == line


def test_the_plan_of_a_process_is_the_same(ran):
    result = ran.run("plan")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines()[-1] == "3 stages: 3 cached, 0 to run"


# --- executor=auto


TORCH = """
    from engine.stage import Out
    def only(data: Out) -> None:
        \"\"\"Write, by way of a package that no image has.\"\"\"
        import torch
        data.write_text(torch.__version__)
"""


@pytest.fixture
def answered(docker_engine, monkeypatch):
    """An engine that answers, where the command line looks for one."""
    monkeypatch.setenv("DOCKER_HOST", docker_engine.host)
    return docker_engine


def _auto(give, *words: str) -> list[str]:
    """Return the notes on where stages run."""
    said = give("plan", "executor=auto", "base=bootstrap", *words)
    assert (said.status, said.err) == (0, "")
    return [line for line in said.lines if "; running stages " in line]


def test_auto_does_without_containers_where_there_is_no_engine(give):
    assert _auto(give) == ["note: no Docker engine found; running stages as local processes"]


def test_auto_does_without_an_engine_that_does_not_answer(give, monkeypatch, tmp_path):
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(f"{tmp_path}/d.sock")
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/d.sock")
        assert _auto(give) == ["note: no Docker engine found; running stages as local processes"]


def test_auto_takes_containers_where_an_engine_answers(give, answered):
    assert _auto(give) == ["note: Docker engine found; running stages in containers"]


def test_auto_does_without_containers_where_no_image_has_what_a_stage_imports(
    give, project, answered
):
    project.only_stage(TORCH)
    [note] = _auto(give, "usecase=one")
    assert note.startswith("note: no image for linux/")
    assert note.endswith("has torch, which the stage imports; running stages as local processes")


def test_who_names_containers_is_refused_what_no_image_has(give, project, answered):
    project.only_stage(TORCH)
    said = give("plan", "executor=docker", "base=bootstrap", "usecase=one")
    assert said.status == 2 and "has torch, which the stage imports" in said.err


def test_a_stage_of_the_host_is_a_process_whatever_the_executor(give, project, answered):
    project.only_stage(TORCH, runs_on="host")
    assert _auto(give, "usecase=one") == ["note: Docker engine found; running stages in containers"]


def test_who_names_an_executor_is_not_told_why(give):
    assert not [line for line in give("plan", "executor=local").lines if "running stages" in line]


def _first_key(give, *words: str) -> str:
    return json.loads(give("plan", "base=bootstrap", "format=json", *words).out)[0]["fingerprint"]


def test_a_stage_of_the_host_is_the_same_job_whatever_the_executor(with_own_image, give):
    assert _first_key(give, "executor=local") == _first_key(
        give, "executor=docker", "+stages.a.runs_on=host"
    )


def test_an_image_is_part_of_a_fingerprint(with_own_image, give):
    before = _first_key(give, "executor=docker")
    assert before == _first_key(give, "executor=docker") != _first_key(give, "executor=local")
    (with_own_image.path / "containers" / "mine" / "more.txt").write_text("x")
    assert _first_key(give, "executor=docker") != before


def test_a_plan_builds_nothing(with_own_image, give, docker_engine):
    before = {image.id for image in docker_engine.client().images.list()}
    assert give("plan", "executor=docker", "base=bootstrap").status == 0
    assert {image.id for image in docker_engine.client().images.list()} == before
    assert not list(with_own_image.outputs.glob("[!.]*"))
