"""The command line as a process: exit statuses, overrides, a run's files for scripts."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def test_a_run_leaves_what_scripts_read(project):
    project.done("params.n=5")
    latest = project.outputs / "chain" / "x86_64" / "latest"
    run, metrics = (
        json.loads((latest / name).read_text()) for name in ("run.json", "metrics.json")
    )
    assert metrics == {"b.total": 10, "c.total": 20}
    assert (run["v"], run["status"], run["run_id"], run["params"]) == (
        1,
        "finished",
        project.last.name,
        {"n": 5},
    )
    assert {name: stage["state"] for name, stage in run["stages"].items()} == {
        "a": "finished",
        "b": "finished",
        "c": "finished",
    }
    assert (latest / "artifacts" / "c" / "data").read_text() == "20"


def test_the_page_on_outputs_names_every_key_and_file(project):
    project.done()
    page = (ROOT / "docs" / "outputs.md").read_text(encoding="utf-8")
    run = json.loads((project.last / "run.json").read_text())
    names = {
        *run,
        *run["stages"]["a"],
        *(path.name for path in project.last.iterdir() if path.is_file()),
    }
    assert sorted(name for name in names if f"`{name}`" not in page) == []


def test_the_same_command_does_no_work_twice_and_names_the_new_run_latest(project):
    project.done()
    first = project.artifacts()
    state = project.done()
    assert all(stage.cached for stage in state.stages.values()) and project.started() == []
    assert project.artifacts() == first
    assert (project.last.parent / "latest").readlink().name == project.last.name


def test_a_run_that_until_ended_is_not_named_latest(project):
    project.done("until=[b]")
    assert not (project.last.parent / "latest").exists()
    project.done()
    complete = project.last.name
    project.done("until=[b]")
    assert (project.last.parent / "latest").readlink().name == complete != project.last.name


def test_a_forced_stage_runs_again_and_spares_what_reads_the_same_bytes(project):
    project.done()
    project.done("force=[b]")
    assert project.started() == ["b"]
    assert project.done().stages["b"].cached


def test_force_all_runs_every_stage_again(project):
    project.done()
    project.done("force=all")
    assert project.started() == ["a", "b", "c"]


def test_a_remade_artifact_of_the_same_bytes_spares_what_comes_after(project):
    project.done()
    path = project.path / "mystages" / "make.py"
    path.write_text(path.read_text() + "# edited\n")
    project.done()
    assert project.started() == ["a"]


def test_a_broken_gate_rejects_the_run_with_status_1(project):
    project.usecase(
        "one",
        """
        stages:
          a: {uses: mystages.make}
          b: {uses: mystages.double, inputs: {number: a.data}, require: {total: ">= 3"}}
          c: {uses: mystages.double, inputs: {number: b.data}}
    """,
    )
    result = project.run("usecase=one")
    assert result.returncode == 1, result.stderr
    state = project.state()
    assert (state.status, state.stages["b"].state, state.stages["c"].state) == (
        "rejected",
        "rejected",
        "skipped",
    )
    assert not (project.last.parent / "latest").exists()


FAILING = "from engine.stage import Out\ndef only(data: Out) -> None:\n    raise SystemExit(3)\n"
UNTIL_ONE_FAILED = """    import time
    from pathlib import Path
    while not any('"job_failed"' in journal.read_text() for journal in Path("{outputs}").glob("*/*/*/journal.jsonl")):
        time.sleep(0.01)
"""


@pytest.mark.parametrize(
    ("word", "beside"), [("fail_fast=false", "finished"), ("fail_fast=true", "skipped")]
)
def test_the_first_failure_ends_the_run_if_asked(project, word, beside):
    project.stage("only", FAILING)
    project.usecase(
        "one",
        """
        stages:
          s: {uses: mystages.only}
          a: {uses: mystages.make}
          b: {uses: mystages.double, inputs: {number: a.data}}
    """,
    )
    make = (project.path / "mystages" / "make.py").read_text()
    project.stage(
        "make",
        make.replace("    data.", f"{UNTIL_ONE_FAILED.format(outputs=project.outputs)}    data."),
    )
    assert project.run("usecase=one", word, "executor.cpus=2").returncode == 1
    assert project.state().stages["b"].state == beside


@pytest.mark.parametrize(
    ("words", "said"),
    [(["usecase=chian"], "usecase=chian\n"), (["usecase=chain", "until=[d]"], "until=d\n")],
    ids=["usecase", "until"],
)
def test_a_wrong_request_ends_with_status_2_and_nothing_started(project, words, said):
    result = project.run(*words)
    assert result.returncode == 2
    assert result.stderr.startswith(said) and "Traceback" not in result.stderr
    assert not list(project.outputs.glob("[!.]*"))


ALL_KINDS = """
params: {n: 3, m: {a: {b: 1}}}
objectiv: b.total
stages:
  a: {uses: mystages.mak, params: {n: "${params.nn}"}, timeout: soon}
  b: {uses: mystages.double, input: {number: a.data}}
  c: {uses: mystages.double, inputs: {number: b.date}, require: {totl: "> 1"}}
"""


def test_mistakes_of_form_and_of_meaning_are_reported_together_stage_by_stage(project, give):
    project.usecase("wrong", ALL_KINDS)
    said = give("plan", "usecase=wrong")
    told = [line.partition(": ")[2] for line in said.err.splitlines() if not line.startswith(" ")]
    assert said.status == 2
    assert told[:2] == ["params.m", "objectiv"]
    assert [key for key in told if key.startswith("stages.a")] == [
        "stages.a.params.n",
        "stages.a.timeout",
        "stages.a.uses",
    ]
    assert told[5:] == ["stages.b.input", "stages.c.inputs.number", "stages.c.require.totl"]


@pytest.mark.parametrize(
    "stages", ["b: 3", "my stage: {uses: mystages.make}", "b: [uses]", "b: {uses: 3}", "b: null"]
)
def test_what_is_no_stage_at_all_hides_no_other_mistake(project, give, stages):
    project.usecase("wrong", f"stages:\n  a: {{uses: mystages.mak}}\n  {stages}\n")
    said = give("plan", "usecase=wrong")
    assert said.status == 2
    assert "stages.a.uses" in said.err and said.err.count("wrong.yaml: stages.") == 2


def test_a_use_case_is_taken_by_its_path(project):
    path = project.usecase(
        "chain", (project.path / "conf" / "usecases" / "chain.yaml").read_text()
    ).rename(project.path / "my.yaml")
    project.done(f"usecase={path}")
    assert project.last.parent.parent.name == "chain"


def test_a_use_case_given_by_its_path_is_named_by_it(project, give):
    path = project.path / "chain.yaml"  # with an existing name
    path.write_text("stages: {a: {uses: mystages.mak}}")
    said = give(f"usecase={path}")
    assert said.status == 2 and said.err.startswith("chain.yaml: stages.a.uses")


def test_the_command_that_goes_on_names_the_file_and_the_folders_again(project):
    path = project.usecase(
        "chain", (project.path / "conf" / "usecases" / "chain.yaml").read_text()
    ).rename(project.path / "my.yaml")
    project.done(f"usecase={path}")
    command = json.loads((project.last / "run.json").read_text())["command"]
    assert (
        command[:4] == ["python", "run.py", "--config-dir", str(project.path / "conf")]
        and f"usecase={path}" in command
    )


def test_a_sweep_runs_each_use_case_for_each_target(project):
    project.usecase("other", "stages: {a: {uses: mystages.make}}")
    result = project.run("-m", "usecase=chain,other", "target=rpi3,rpi4")
    assert result.returncode == 0, result.stderr
    assert sorted((run.parent.parent.name, run.parent.name) for run in project.runs) == [
        ("chain", "rpi3"),
        ("chain", "rpi4"),
        ("other", "rpi3"),
        ("other", "rpi4"),
    ]


def test_a_sweep_computes_what_its_jobs_share_once(project):
    project.usecase(
        "one",
        "params: {n: 1}\nstages: {a: {uses: mystages.make}, b: {uses: mystages.make, params: {n: "
        "'${params.n}'}}}",
    )
    assert project.run("-m", "usecase=one", "params.n=2,3").returncode == 0
    assert sorted(stage for run in project.runs for stage in project.started(run)) == [
        "a",
        "b",
        "b",
    ]


def test_a_broken_use_case_that_nobody_chose_stops_nobody(project):
    project.usecase("broken", "stages: [")
    assert "chain" in project.run("--info", "defaults", "usecase=chain").stdout


def test_stages_share_the_processors(project):
    (project.path / "here").mkdir()
    project.stage(
        "only",
        """
        import time
        from pathlib import Path
        from engine.stage import Out
        def only(data: Out, *, n: int, here: str) -> None:
            (Path(here) / str(n)).touch()
            while len(list(Path(here).iterdir())) < 2:  # the first waits for the second
                time.sleep(0.01)
            data.write_text(str(n))
    """,
    )
    project.usecase(
        "one",
        "stages:\n"
        + "".join(
            f"  s{n}: {{uses: mystages.only, params: {{n: {n}, here: {project.path / 'here'}}}}}\n"
            for n in range(3)
        ),
    )
    project.done("usecase=one", "executor.cpus=2")
    assert _most_at_once(project) == 2


def test_one_stage_at_a_time_holds_the_accelerator(project):
    project.stage(
        "only",
        "from engine.stage import Out\ndef only(data: Out, *, n: int) -> None:\n    import time; "
        "time.sleep(0.2); data.write_text(str(n))\n",
    )
    project.usecase(
        "one",
        "stages:\n"
        + "".join(
            f"  s{n}: {{uses: mystages.only, params: {{n: {n}}}, resources: {{accelerator: true}}}}\n"
            for n in range(3)
        ),
    )
    project.done("usecase=one", "executor.cpus=4")
    assert _most_at_once(project) == 1


def _most_at_once(project) -> int:
    running = most = 0
    for event in project.events():
        running += {"job_started": 1, "job_finished": -1}.get(event["event"], 0)
        most = max(most, running)
    return most


def test_help_says_what_each_command_does(project):
    result = project.run("--help")
    commands = {path.stem for path in (ROOT / "engine" / "commands").glob("[a-z]*.py")}
    assert result.returncode == 0
    assert {
        line.split()[0]
        for line in result.stdout.splitlines()
        if line.startswith("  ") and len(line.split()) > 3
    } >= commands


def test_a_terminal_without_a_letter_gets_another_one(project, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii:strict")
    result = project.run("graph")
    assert (result.returncode, result.stderr) == (0, "")
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["?", "?", "?"]


def test_a_closed_output_stops_no_command(project):
    closed = (
        f"{shlex.join([sys.executable, str(ROOT / 'run.py')])} list --config-dir "
        f"{shlex.quote(str(project.path / 'conf'))} >&-"
    )
    result = subprocess.run(
        ["sh", "-c", closed], cwd=project.path, stderr=subprocess.PIPE, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(
    "words", [["plan"], ["-m", "plan", "target=rpi3,rpi4"]], ids=["one", "sweep"]
)
def test_a_reader_that_has_gone_ends_a_command_without_a_traceback(project, words):
    with project.start(*words) as process:
        process.stdout.close()
        err = process.stderr.read()
    assert process.returncode == 141 and "Traceback" not in err


@pytest.mark.parametrize(
    ("line", "keys"),
    [
        ("run.py logs fol", ["follow="]),
        ("run.py fol", []),
        ("python run.py images build ima", ["image="]),
        ("run.py logs fail", ["fail_fast="]),
    ],
)
def test_a_shell_completes_the_options_of_the_command(project, line, keys, monkeypatch):
    monkeypatch.setenv("COMP_LINE", line)
    assert project.run("-sc", "query=bash").stdout.split() == keys


@pytest.mark.parametrize(
    ("program", "completed"), [("python run.py", "python"), ("rpi-mlops",) * 2]
)
def test_a_shell_completes_the_program_as_it_is_called(program, completed):
    code = f"from engine.cli import cli; cli(['-sc', 'install=bash'], {program!r})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.rstrip().endswith(f"-F hydra_bash_completion {completed}")
