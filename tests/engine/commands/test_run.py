"""`run`: what is recorded before anything is shown, and the files of a run.

The command line as a process is in tests/test_run.py.
"""

import json
import os
import platform
import signal
import subprocess
from pathlib import Path

import pytest

from engine import images, layout, run_files
from engine.containers import loading
from engine.events import replay
from engine.image_catalogue import BUILDERS
from engine.journal import FILE_NAME, read
from engine.signature import Library
from engine.target import platform_of
from tests.conftest import ROOT

# --- what a run leaves


@pytest.fixture
def finished(ran):
    """The folder of a finished run."""
    return ran.last


def test_the_files_that_users_read_are_there(finished):
    assert {path.name for path in finished.iterdir()} >= {
        "artifacts",
        "journal.jsonl",
        "logs",
        "metrics.json",
        "report.html",
        "run.json",
    }


def test_the_files_say_what_the_journal_says(finished):
    assert json.loads((finished / "run.json").read_text()) == run_files.run_json(
        run_files.state(finished)
    )


def test_no_work_is_left_behind(ran):
    assert list((ran.store.root / "work").iterdir()) == []


def test_the_sinks_are_told_of_the_end_after_the_files_are_written(finished):
    last = read(finished / FILE_NAME)[-1]
    assert last["event"] == "run_finished"
    assert all(
        (finished / name).stat().st_mtime <= last["time"] + 0.1
        for name in ("run.json", "report.html")
    )


def test_a_run_knows_its_command_and_its_commit(ran, give):
    give("params.n=4")
    start = ran.events()[0]
    assert start["command"][:2] == ["python", "run.py"] and "params.n=4" in start["command"]
    assert start["git_commit"] is None or len(start["git_commit"]) == 40


def test_a_password_on_the_command_line_is_not_recorded(ran, give):
    give("params.n=4", "tracking.uri=http://ann:canary@host/")
    assert "tracking.uri=http://***@host/" in ran.events()[0]["command"]
    assert not [
        path for path in ran.last.rglob("*") if path.is_file() and b"canary" in path.read_bytes()
    ]


def test_an_asset_is_recorded_with_its_digest(project, give):
    (project.path / "mine.txt").write_text("4")
    project.usecase(
        "one",
        'assets: {mine: mine.txt}\nstages: {a: {uses: mystages.double, inputs: {number: "asset:mine"}}}',
    )
    give("usecase=one")
    [asset] = project.events()[0]["assets"]
    assert (asset["key"], asset["path"], asset["digest"]) == (
        "mine",
        str(project.path / "mine.txt"),
        "file:4b227777d4dd1fc61c6f884f48641d02b4d121d3fd328cb08b5531fcacdabf8a",
    )


def test_the_run_of_a_killed_engine_is_closed_by_the_next(ran, give):
    killed = ran.last
    (killed / "run.json").unlink()
    lines = (killed / FILE_NAME).read_text().splitlines(keepends=True)
    (killed / FILE_NAME).write_text("".join(lines[:-1]))
    left = ran.store.root / "work" / killed.name
    left.mkdir()
    (left / "lock").touch()
    give("params.n=4")
    assert (
        run_files.state(killed).status
        == json.loads((killed / "run.json").read_text())["status"]
        == "interrupted"
    )
    assert not left.exists()


def test_a_stage_of_a_killed_engine_is_recorded_as_killed(project, give):
    engine = _sleeper(project)
    project.until(lambda: "job_started" in [event["event"] for event in project.events()])
    engine.kill()
    engine.communicate()
    killed = project.last
    give("params.n=4")
    stage = run_files.state(killed).stages["s"]
    assert (stage.state, stage.failure["kind"]) == ("failed", "killed")


def test_a_run_at_work_is_not_closed_by_another(project, give):
    engine = _sleeper(project)
    give()
    assert [run_files.state(path).status for path in project.runs] == ["running", "finished"]
    engine.kill()
    engine.communicate()


def _sleeper(project) -> "subprocess.Popen[str]":
    here = project.path / "here"
    project.only_stage(f"""
        import time
        from pathlib import Path
        from engine.stage import Out
        def only(data: Out) -> None:
            Path({str(here)!r}).touch()
            time.sleep(120)
    """)
    engine = project.start("usecase=one")
    project.until(here.exists)
    return engine


def test_the_handlers_of_signals_are_as_before(project, give):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    give()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_an_interrupted_run_goes_on_with_the_same_command(project, give):
    engine = _sleeper(project)
    os.kill(engine.pid, signal.SIGINT)
    engine.communicate(timeout=300)
    assert engine.returncode == 130
    project.stage(
        "only",
        "from engine.stage import Out\ndef only(data: Out) -> None:\n    data.write_text('1')\n",
    )
    assert give("usecase=one").status == 0


def test_the_objective_is_what_a_sweep_reads(project):
    project.usecase(
        "chain",
        (project.path / "conf" / "usecases" / "chain.yaml").read_text() + "objective: c.total\n",
    )
    result = project.run("--multirun", "params.n=1,2")
    assert result.returncode == 0, result.stderr
    assert sorted(project.state(path).metrics["c.total"] for path in project.runs) == [4, 8]


def test_a_state_can_be_replayed_from_what_a_run_left(finished):
    assert replay(read(finished / FILE_NAME)).metrics == json.loads(
        (finished / "metrics.json").read_text()
    )


# --- executor=auto


@pytest.fixture
def contained(project, docker_engine, monkeypatch):
    """A folder with an image of only Python, the smallest possible, and a real engine that does not have it
    yet.
    """
    monkeypatch.setenv("DOCKER_HOST", docker_engine.host)
    (project.path / "containers" / "alone").mkdir(parents=True)
    (project.path / "containers" / "alone" / "image.yaml").write_text(
        "name: alone\ndescription: Python alone\nplatforms: [linux/amd64, linux/arm64]\n"
    )
    return project


def _where(project) -> list[str]:
    """Run with executor=auto, and return the notes on where stages run."""
    state = project.done("executor=auto", "base=bootstrap")
    return [text for text in state.notes if "; running stages " in text]


def test_auto_without_an_engine_runs_processes_and_says_why(project):
    assert _where(project) == ["no Docker engine found; running stages as local processes"]


def test_auto_runs_processes_where_an_image_cannot_be_built_and_says_which(contained):
    [note] = _where(contained)
    assert note.startswith("usecase=containers: the images could not be built: build_alone@")
    assert note.endswith("; running stages as local processes")


def test_who_names_containers_is_refused_an_image_that_cannot_be_built(contained):
    result = contained.run("executor=docker", "base=bootstrap")
    assert result.returncode == 2
    assert result.stderr.splitlines()[-3] == "usecase=containers"
    assert not list(contained.outputs.glob("chain/*/2*"))


def test_auto_runs_containers_where_an_engine_has_the_image(
    contained, docker_engine, plain_archive
):
    library = Library(("stages",), [contained.path, ROOT])
    sources = {
        module: digest
        for name in BUILDERS
        for module, digest in library.signature(name, name).sources.items()
    }
    here = platform_of(platform.machine())
    [image] = [
        one
        for one in images.read(contained.path / "containers", sources, "bootstrap")
        if one.platform == here
    ]
    loading.load(docker_engine.client(), image.full_name, plain_archive)
    try:
        assert _where(contained) == ["Docker engine found; running stages in containers"]
        assert (contained.last / "artifacts" / "c" / "data").read_text() == "12"
    finally:
        docker_engine.client().images.remove(image.full_name)


# --- in containers


def test_the_images_that_are_missing_are_built_and_the_stages_run_in_them(with_own_image, give):
    said = give("executor=auto", "base=bootstrap")
    assert said.status == 0, said.err
    assert (
        "usecase=my_images" in said.err
        and "note: Docker engine found; running stages in containers" in said.lines
    )
    again = give("executor=docker", "base=bootstrap")
    assert "0 stages ran, 3 cached" in again.out and again.err == ""


def test_a_container_makes_the_same_artifacts_as_a_process(with_own_image, give):
    assert give("executor=docker", "base=bootstrap").status == 0
    in_containers = with_own_image.artifacts()
    assert give("executor=local").status == 0
    assert with_own_image.artifacts() == in_containers and with_own_image.started() == [
        "a",
        "b",
        "c",
    ]


def test_of_a_run_in_containers_no_container_is_left(with_own_image, give, docker_engine):
    assert give("executor=docker", "base=bootstrap").status == 0
    label = f"raspberrypi-mlops={layout.store_dir(with_own_image.outputs)}"
    assert docker_engine.client().containers.list(all=True, filters={"label": label}) == []


# --- what is in the engine's way


def test_a_folder_in_the_place_of_latest_is_warned_of_and_the_run_is_whole(give, project):
    assert give().status == 0
    link = project.last.parent / "latest"
    link.unlink()
    (link / "mine").mkdir(parents=True)
    said = give()
    assert (
        said.status == 0
        and "latest does not point to this run: it is a folder; remove it" in said.err
    )
    assert (
        (link / "mine").is_dir()
        and project.state().status == "finished"
        and (project.last / "report.html").is_file()
    )


FOR_A_FOLDER = {"a file": Path.touch, "a dangling link": lambda path: path.symlink_to("/nowhere/a")}
FOR_A_FILE = {
    "a folder": Path.mkdir,
    "a FIFO": os.mkfifo,
    "a loop": lambda path: path.symlink_to(path),
}
IN_THE_WAY = [
    *((place, how) for place in ("chain", "chain/x86_64", ".engine") for how in ("a file",)),
    *(
        (f".engine/{name}", how)
        for name in ("work", "objects", "actions", "corrupt", "locks", "assets")
        for how in FOR_A_FOLDER
    ),
    *((".engine/lock", how) for how in FOR_A_FILE),
]


@pytest.mark.parametrize(("place", "how"), IN_THE_WAY)
def test_what_is_in_the_engines_way_is_named_and_no_stage_starts(give, project, place, how):
    path = project.outputs / place
    path.parent.mkdir(parents=True)
    (FOR_A_FOLDER | FOR_A_FILE)[how](path)
    said = give()
    assert said.status == 2
    assert said.err.splitlines() == [
        str(path),
        f"  the engine needs this path, but it is a {'folder' if path.is_dir() else 'file'}",
        "  remove or rename it, and repeat the command",
    ]
    assert project.runs == []


def test_a_folder_in_the_place_of_the_digests_costs_only_time(give, project):
    (project.outputs / ".engine" / "digests.sqlite").mkdir(parents=True)
    assert give().status == 0


def test_a_run_has_the_name_that_was_chosen_or_one_that_says_what_changed(project, give):
    said = [give(*words) for words in (["name=mine"], ["params.n=5"], ["params.n=5"])]
    names = [project.events(path)[0]["name"] for path in project.runs]
    assert names == ["mine", "n-5", "n-5-2"]
    assert [name in one.lines[0] for name, one in zip(names, said, strict=True)] == [True] * 3
    assert json.loads((project.last / "run.json").read_text())["name"] == "n-5-2"


def test_the_command_that_repeats_a_run_has_not_its_name(project, give):
    give("name=mine", "params.n=5")
    assert [word for word in project.state().start["command"] if "name" in word] == []


def test_the_jobs_of_a_sweep_get_numbers_after_their_name(project, give):
    assert give("-m", "name=mine", "params.n=1,2").status == 0
    assert give("-m", "name=mine", "params.n=1,2").status == 0
    names = [project.events(path)[0]["name"] for path in project.runs]
    assert names == ["mine-1", "mine-2", "mine-1-2", "mine-2-2"]
