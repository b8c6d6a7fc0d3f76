"""Local processes: what is imported before a job, what a job inherits from its server, and that nothing
outlives a lost server or engine.
"""

import os
import platform
import signal
import subprocess
import sys
import time
import warnings
from contextlib import closing
from pathlib import Path

import pytest

from engine import gpus
from engine.context import ExecutorContext
from engine.contract import Contract
from engine.dispatch import Dispatcher
from engine.errors import UserError
from engine.executors.local import Executor
from engine.plan import Planned
from engine.spec import Resources, StageSpec
from engine.target import Target
from tests.conftest import Project

ROOT = Path(__file__).resolve().parents[3]
SLEEPS = "Path('ready').touch(); time.sleep(600)"
# Processes that a stage leaves: one in its own session without a known parent, and one that also left the
# stage's tree
ESCAPES = (
    "subprocess.Popen([sys.executable, '-c', 'import os, time; os.fork() and os._exit(0); "
    "os.setsid(); time.sleep(300)'], start_new_session=True).wait()"
)
LEAVES = f"import ctypes; ctypes.CDLL(None).prctl(36, 0); {ESCAPES}"
STOPS = (
    "import os, time; os.fork() and os._exit(0); os.setsid()\nwhile True: os.kill({server}, 19); "
    "time.sleep(0.001)"
)


@pytest.fixture
def bench(make_bench):
    """The local executor."""
    return make_bench("local")


def _server(bench) -> int:
    """The server is the ancestor of all others: it exists before the first job."""
    bench.does("pass")
    [pid] = bench.processes()
    return pid


def _job(bench):
    _, launch = bench.lay_out("s", {"uses": "mystages.act", "params": {"code": "pass"}})
    return Planned(launch.job, None, None, None, "")


def test_what_a_stage_will_need_is_warmed_before_it_is_launched(bench):
    bench.executor.prepare([_job(bench)])
    Project.until(
        lambda: len(bench.processes()) == 1
    )  # it has its environment, and so its mark, from its exec on
    [warm] = bench.processes()
    assert int(bench.says("os.getppid()")) == warm


def test_every_stage_is_forked_from_the_same_warm_server(bench):
    server = _server(bench)
    assert {int(bench.says("os.getppid()", stage=name)) for name in "ab"} == {server}


def test_tensorflow_is_imported_once_and_not_by_the_stage(bench):
    pytest.importorskip("tensorflow", reason="the extra 'train' is not installed")
    (bench.folder / "mystages" / "deep.py").write_text(
        "import sys\nfrom engine.stage import Out\ndef deep(data: Out) -> None:\n"
        "    data.write_text(str('tensorflow' in sys.modules))\n    import tensorflow\n"
    )
    folder, launch = bench.lay_out("s", {"uses": "mystages.deep"})
    bench.executor.launch(launch)
    bench.end(within_s=300)
    assert (folder.path / "out" / "data").read_text() == "True"


def test_the_hash_of_a_word_is_the_same_in_every_run(bench, monkeypatch):
    monkeypatch.setenv("PYTHONHASHSEED", "17")
    assert bench.says("os.environ['PYTHONHASHSEED']") == "0"


def test_the_jobs_of_a_lost_server_are_lost_and_end(bench):
    server = _server(bench)
    folder = bench.start(SLEEPS)
    bench.until(folder, "ready")
    os.kill(server, 9)
    [ended] = bench.end()
    assert (ended.stage, ended.status) == ("s", None)
    assert bench.are_gone(bench.processes())


def test_after_the_loss_of_a_server_there_is_another(bench):
    server = _server(bench)
    os.kill(server, 9)
    bench.executor.wait(5)
    assert bench.does("pass")[1].status == 0


def test_a_server_that_dies_before_a_launch_is_reported_as_a_lost_job(bench):
    server = _server(bench)
    os.kill(server, 9)
    time.sleep(0.2)
    bench.start("pass")
    [ended] = bench.end()
    assert (ended.stage, ended.status) == ("s", None)


def test_a_stage_that_exits_when_it_is_imported_leaves_the_others_alone(bench):
    (bench.folder / "mystages" / "quits.py").write_text(
        "import sys\nfrom engine.stage import Out\ndef quits(data: Out) -> None:\n    pass\nsys.exit(3)\n"
    )
    _, quits = bench.lay_out("quits", {"uses": "mystages.quits"})
    bench.executor.prepare([Planned(quits.job, None, None, None, ""), _job(bench)])
    assert bench.does("pass")[1].status == 0
    bench.executor.launch(quits)
    assert [ended.status for ended in bench.end()] == [3]


def test_ending_a_job_that_has_hardly_been_launched_leaves_the_others_alone(bench):
    stays = bench.start(
        "Path('ready').touch()\nwhile not Path('go').exists(): time.sleep(0.01)", stage="stays"
    )
    bench.until(stays, "ready")
    bench.start(SLEEPS, stage="goes")
    bench.executor.terminate("goes", force=True)
    assert [ended.stage for ended in bench.end()] == ["goes"]
    bench.put(stays, "go")
    assert [(ended.stage, ended.status) for ended in bench.end()] == [("stays", 0)]


def test_the_loss_of_a_server_leaves_no_socket_open(bench):
    server = _server(bench)
    with warnings.catch_warnings(record=True, action="always") as told:
        os.kill(server, 9)
        assert bench.executor.wait(5) == []
    assert [str(one.message) for one in told] == []


@pytest.mark.parametrize(
    ("accelerator", "asks", "counts"),
    [("edgetpu", True, True), ("edgetpu", False, False), ("none", True, False)],
)
def test_an_edge_tpu_counts_for_the_stages_that_ask_for_it_and_no_others(
    tmp_path, accelerator, asks, counts
):
    aim = Target(name="pi", platform="linux/arm64", accelerator=accelerator)
    executor = Executor(ExecutorContext(aim, (tmp_path,), (), tuple, tmp_path))
    found = executor.place(
        StageSpec(command=("true",), runs_on="target", resources=Resources(accelerator=asks)),
        Contract(label="true"),
    )
    executor.close()
    assert ("edgetpu" in found.environment) is counts


# --- what a job inherits from its server


def test_a_job_holds_nothing_open_that_is_its_servers(bench):
    held = bench.says("[os.path.realpath(path) for path in Path('/proc/self/fd').iterdir()]")
    assert "socket:" not in held and "pipe:" not in held and "eventpoll" not in held


def test_a_program_that_a_job_starts_holds_nothing_open_that_is_its_servers(bench):
    _, launch = bench.lay_out("s", {"command": ["ls", "-l", "/proc/self/fd"], "outputs": ["y"]})
    bench.executor.launch(launch)
    bench.end()
    assert "socket:" not in launch.log.read_text() and "pipe:" not in launch.log.read_text()


def _warmed(bench, imports: str) -> None:
    """Let the server import a stage with these lines."""
    (bench.folder / "mystages" / "warm.py").write_text(
        f"{imports}\nfrom engine.stage import Out\ndef warm(data: Out) -> None:\n    pass\n"
    )
    _, warm = bench.lay_out("warm", {"uses": "mystages.warm"})
    bench.executor.prepare([Planned(warm.job, None, None, None, "")])


def test_temporary_files_lie_in_the_jobs_folder_also_where_the_server_has_made_some(bench):
    _warmed(bench, "import tempfile\ntempfile.gettempdir()")
    assert bench.says("tempfile.gettempdir() == os.environ['TMPDIR'] == os.getcwd()") == "True"


def test_temporary_files_of_a_stage_with_tensorflow_lie_in_its_jobs_folder(bench):
    pytest.importorskip("tensorflow", reason="the extra 'train' is not installed")
    (bench.folder / "mystages" / "deep.py").write_text(
        "import os, tempfile\nfrom engine.stage import Out\ndef deep(data: Out) -> None:\n"
        "    import tensorflow\n    data.write_text(str(tempfile.gettempdir() == os.environ['TMPDIR'] "
        "== os.getcwd()))\n"
    )
    folder, launch = bench.lay_out("s", {"uses": "mystages.deep"})
    bench.executor.launch(launch)
    bench.end()
    assert (folder.path / "out" / "data").read_text() == "True"


def test_two_jobs_of_a_server_do_not_draw_the_same_random_numbers(bench):
    pytest.importorskip("numpy")
    _warmed(bench, "import random, numpy\nrandom.random(), numpy.random.random()")
    drawn = [
        bench.says("__import__('random').random(), __import__('numpy').random.random()", stage=name)
        for name in "ab"
    ]
    assert not set(drawn[0].strip("()").split(", ")) & set(drawn[1].strip("()").split(", "))


def test_a_time_zone_that_the_yaml_gives_is_the_stages(bench):
    assert bench.says("time.strftime('%z', time.localtime(0))", env={"TZ": "XYZ-5"}) == "+0500"


def test_a_folder_for_temporary_files_from_which_nothing_may_be_executed_is_as_good(project):
    """TMPDIR and outputs/ are on it; an ordinary user can mount one only in a separate namespace."""
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip(
            "this machine gives no user its own mounts: sysctl kernel.unprivileged_userns_clone=1"
        )
    project.only_stage(
        "import ctypes, os, tempfile\nfrom engine.stage import Out\ndef only(data: Out) -> None:\n"
        "    called = ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 7)()\n"
        "    assert os.statvfs(tempfile.gettempdir()).f_flag & os.ST_NOEXEC\n"
        "    data.write_text(f'{called} {tempfile.TemporaryFile().write(b\"x\")}')\n"
    )
    project.outputs.mkdir()
    script = (
        'mount -t tmpfs -o noexec none "$1" && shift && "$@" && cat '
        '"$TMPDIR"/one/x86_64/latest/artifacts/s/data'
    )
    words = [
        sys.executable,
        str(ROOT / "run.py"),
        f"--config-dir={project.path / 'conf'}",
        "stage_packages=[mystages]",
        "tracking=none",
    ]
    words += ["executor=local", "usecase=one", "target=x86_64", f"outputs={project.outputs}"]
    ended = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", str(project.outputs), *words],
        cwd=project.path,
        env={**os.environ, "TMPDIR": str(project.outputs)},
        capture_output=True,
        text=True,
    )
    assert (ended.returncode, ended.stdout.splitlines()[-1:]) == (0, ["7 1"]), (
        ended.stdout + ended.stderr
    )


def test_nothing_of_a_run_holds_the_value_of_a_passed_variable(project, monkeypatch):
    monkeypatch.setenv("SOME_TOKEN", "s3cret-value")
    project.only_stage(
        "import os\nfrom engine.stage import Out\ndef only(data: Out) -> None:\n    "
        "data.write_text(str(len(os.environ['SOME_TOKEN'])))\n",
        pass_env=["SOME_TOKEN"],
    )
    project.done("usecase=one")
    assert (project.last / "artifacts" / "s" / "data").read_text() == str(len("s3cret-value"))
    files = [path for path in project.outputs.rglob("*") if path.is_file()]
    assert files and [path for path in files if b"s3cret-value" in path.read_bytes()] == []


# --- a stage against its server


@pytest.mark.parametrize("also", ["pass", ESCAPES, LEAVES], ids=["alone", "escapes", "leaves"])
def test_a_stage_that_kills_its_server_is_lost_and_leaves_nothing(bench, also):
    bench.start(f"{also}; os.kill(os.getppid(), 9); time.sleep(300)")
    [ended] = bench.end()
    assert (ended.stage, ended.status) == ("s", None)
    assert bench.are_gone(bench.processes())


def test_the_death_of_a_server_is_seen_also_where_a_process_of_its_holds_its_socket(bench):
    """An import may fork, and the child inherits everything that the server had open."""
    _warmed(bench, "import os, time\nif os.fork() == 0: time.sleep(300)")
    folder = bench.start(
        "Path('part').write_text(str(os.getppid())); Path('part').rename('ready'); time.sleep(600)"
    )
    bench.until(folder, "ready")
    os.kill(int((folder.path / "cwd" / "ready").read_text()), 9)
    assert [(one.stage, one.status) for one in bench.end(within_s=300)] == [("s", None)]
    assert bench.are_gone(bench.processes())


def test_what_left_a_stages_tree_ends_with_a_lost_server(bench):
    server = _server(bench)
    folder = bench.start(f"{LEAVES}; {SLEEPS}")
    bench.until(folder, "ready")
    os.kill(server, 9)
    assert [ended.status for ended in bench.end()] == [None]
    assert bench.are_gone(bench.processes())


def test_a_stage_that_stops_its_server_ends_as_if_it_had_not(bench):
    assert bench.does("os.kill(os.getppid(), signal.SIGSTOP)")[1].status == 0
    assert bench.does("pass", stage="next")[1].status == 0


def test_a_stage_whose_server_is_stopped_ends_by_force(bench):
    server = _server(bench)
    folder = bench.start(f"signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPS}")
    bench.until(folder, "ready")
    os.kill(server, signal.SIGSTOP)
    bench.executor.terminate("s", force=True)
    assert [ended.status for ended in bench.end()] == [-9]


def test_a_server_that_does_not_report_an_end_by_force_is_ended_with_its_jobs(bench):
    """A process outside the stage's tree keeps stopping the server: only the engine can end everything."""
    bench.executor.silent_s = 0.5
    server = _server(bench)
    program = STOPS.format(server=server)
    code = (
        "import ctypes; ctypes.CDLL(None).prctl(36, 0); subprocess.Popen([sys.executable, '-c', "
        f"{program!r}]).wait(); {SLEEPS}"
    )
    folder = bench.start(code)
    bench.until(folder, "ready")
    bench.executor.terminate("s", force=False)
    ended, limit = [], time.monotonic() + 300
    while not ended:
        assert time.monotonic() < limit
        bench.executor.terminate("s", force=True)
        ended = bench.executor.wait(0.05)
    assert [one.stage for one in ended] == ["s"]
    bench.executor.close()
    assert bench.are_gone(bench.processes())


def test_a_server_that_hangs_is_ended_with_its_jobs_some_time_after_the_first_force(bench):
    """A thread of an import holds the GIL forever: `PyDLL` keeps it during the call."""
    bench.executor.silent_s = 0.5
    _warmed(
        bench,
        "import ctypes, pathlib, threading, time\ndef hang():\n"
        f"    while not pathlib.Path({str(bench.folder / 'hang')!r}).exists(): time.sleep(0.01)\n"
        f"    pathlib.Path({str(bench.folder / 'hangs')!r}).touch(); ctypes.PyDLL(None).sleep(300)\n"
        "threading.Thread(target=hang, daemon=True).start()",
    )
    bench.until(bench.start(SLEEPS, stage="beside"), "ready")
    bench.until(bench.start(SLEEPS), "ready")
    (bench.folder / "hang").touch()
    ended, limit = [], time.monotonic() + 300
    while len(ended) < 2:
        assert time.monotonic() < limit
        if (bench.folder / "hangs").exists():
            bench.executor.terminate("s", force=True)
        ended += bench.executor.wait(0.05)
    assert sorted((one.stage, one.status) for one in ended) == [("beside", None), ("s", None)]
    assert bench.are_gone(bench.processes())


def test_a_server_that_hangs_in_an_import_is_ended_by_force(bench):
    _warmed(bench, "while True: pass")
    bench.start("pass")
    bench.executor.terminate("s", force=True)
    assert [ended.status for ended in bench.end()] == [None]


# --- an engine that is killed


def _at_work(project, code: str):
    """Start a run whose stage does this; return its engine, its server and all processes."""
    project.only_stage(
        "import os, subprocess, sys, time\nfrom pathlib import Path\nfrom engine.stage import Out\ndef "
        "only(data: Out) -> None:\n"
        f"    {code}\n    Path({str(project.path / 'pids')!r}).write_text(str(os.getppid()))\n    "
        "time.sleep(300)\n"
    )
    engine = project.start("usecase=one")
    server = int(
        project.until(
            lambda: (project.path / "pids").is_file() and (project.path / "pids").read_text()
        )
    )
    return engine, server


def _kill(engine: "subprocess.Popen[str]") -> None:
    engine.kill()
    engine.communicate()


@pytest.mark.parametrize("code", ["pass", ESCAPES, LEAVES], ids=["alone", "escapes", "leaves"])
def test_an_engine_that_is_killed_leaves_no_process(project, code):
    engine, _ = _at_work(project, code)
    _kill(engine)
    project.until(lambda: not project.processes())


def test_an_engine_that_is_killed_leaves_no_process_where_its_server_is_stopped(project):
    engine, server = _at_work(project, ESCAPES)
    engine.send_signal(signal.SIGSTOP)  # so that it does not resume the server
    os.kill(server, signal.SIGSTOP)
    _kill(engine)
    project.until(lambda: not project.processes())


def test_what_outlives_engine_and_server_is_ended_by_the_next_run(project):
    engine, server = _at_work(project, LEAVES)
    engine.send_signal(signal.SIGSTOP)  # so that it does not notice the server's end
    os.kill(server, signal.SIGKILL)
    _kill(engine)
    left = project.until(project.processes)
    project.usecase("other", "name: other\nstages:\n  s: {uses: mystages.make}")
    project.done("usecase=other")
    assert not set(left) & set(project.processes())


def test_what_a_living_engine_has_at_work_is_no_other_engines_to_end(bench):
    folder = bench.start("Path('ready').touch()\nwhile not Path('go').exists(): time.sleep(0.01)")
    bench.until(folder, "ready")
    other = bench.make(bench.context)
    other.reclaim([], Path())
    other.close()
    bench.put(folder, "go")
    assert [ended.status for ended in bench.end()] == [0]


def test_a_run_whose_stage_kills_the_server_ends(project):
    project.only_stage(
        "import os, time\nfrom engine.stage import Out\ndef only(data: Out) -> None:\n    "
        "os.kill(os.getppid(), 9)\n    time.sleep(300)\n"
    )
    assert project.run("usecase=one").returncode == 1
    assert project.state().stages["s"].failure["message"] == "the executor lost its process"
    project.until(lambda: not project.processes())


@pytest.fixture
def two_gpus(tmp_path, monkeypatch):
    """The description of two GPUs, as NVIDIA's driver has it."""
    monkeypatch.setattr(gpus, "FOLDER", tmp_path / "gpus")
    for number in range(2):
        folder = tmp_path / "gpus" / f"0000:0{number}:00.0"
        folder.mkdir(parents=True)
        (folder / "information").write_text(f"Model: H200\nGPU UUID: GPU-{number}a\n")


SEEN = "__import__('os').environ['CUDA_VISIBLE_DEVICES']"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="GPUs are for PCs")
def test_a_stage_sees_the_gpus_that_it_asks_for(bench, two_gpus):
    with closing(Dispatcher(bench.context, "local")) as executors:
        keys = {"uses": "mystages.act", "params": {"code": f"text = {SEEN}"}}
        seen = []
        for count in (1, 2):
            folder, launch = bench.lay_out("s", {**keys, "resources": {"gpu": count}})
            executors.launch(launch)
            Project.until(lambda: executors.wait(0.2))
            seen.append((folder.path / "out" / "data").read_text())
    assert seen == ["GPU-0a", "GPU-0a,GPU-1a"]


def test_a_stage_that_asks_for_none_sees_none(bench, two_gpus):
    assert bench.says(SEEN) == "-1"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="GPUs are for PCs")
def test_only_the_fingerprint_of_a_stage_with_a_gpu_depends_on_it(bench, two_gpus):
    places = [
        bench.executor.place(StageSpec(resources=Resources(gpu=count)), Contract(label="x"))
        for count in (0, 2)
    ]
    assert "gpu" not in places[0].environment
    assert places[1].environment["gpu"] == "2 of H200"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="GPUs are for PCs")
def test_more_gpus_than_there_are_are_refused_when_planning(bench, two_gpus):
    with pytest.raises(UserError, match=r"needs 3 GPUs, and this machine has 2"):
        bench.executor.place(StageSpec(resources=Resources(gpu=3)), Contract(label="x"))
