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


# --- executor=auto

AUTO = ("plan", "executor=auto", "base=bootstrap")
NEEDS = "from engine.stage import Out\ndef only(data: Out) -> None:\n    import lightgbm\n"


def _why(said) -> str:
    [told] = [line for line in said.lines if line.startswith("note: stages run")]
    return told


def test_without_an_engine_stages_run_as_processes_and_the_plan_says_why(give, monkeypatch):
    assert _why(give(*AUTO)) == "note: stages run as local processes: no Docker engine is to be seen"
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    assert _why(give(*AUTO)) == "note: stages run as local processes: no Docker engine answers"


def test_with_an_engine_stages_run_in_containers(contained, give):
    assert _why(give(*AUTO)) == "note: stages run in containers: a Docker engine answers"


def test_where_no_image_has_what_a_stage_imports_all_stages_run_as_processes(contained, give):
    contained.only_stage(NEEDS)
    said = give(*AUTO, "usecase=one")
    assert _why(said).startswith("note: stages run as local processes: no image for linux/")
    assert _why(said).endswith(" has lightgbm, which the stage imports")
    assert said.lines[1].split()[:2] == ["stage", "does"] and said.status == 0


def test_who_names_an_executor_is_not_told_why(contained, give):
    for name in ("local", "docker"):
        assert "note: stages run" not in give("plan", f"executor={name}", "base=bootstrap").out


def test_a_stage_of_the_host_runs_as_a_process_whatever_the_executor(contained, give):
    keys = [json.loads(give("plan", f"executor={name}", "base=bootstrap", "+stages.a.runs_on=host", "format=json").out)[0]["fingerprint"]
            for name in ("local", "docker")]  # fmt: skip
    assert keys[0] == keys[1]


def test_an_image_is_part_of_a_fingerprint(contained, give):
    def key(executor: str) -> str:
        return json.loads(give("plan", f"executor={executor}", "base=bootstrap", "format=json").out)[0]["fingerprint"]

    before = key("docker")
    assert before == key("docker") != key("local")
    (contained.path / "containers" / "mine" / "more.txt").write_text("x")
    assert key("docker") != before


def test_a_plan_builds_nothing(contained, give, docker_engine):
    before = {image.id for image in docker_engine.client().images.list()}
    assert give(*AUTO).status == 0
    assert {image.id for image in docker_engine.client().images.list()} == before and not list(contained.outputs.glob("[!.]*"))
