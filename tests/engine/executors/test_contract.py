"""What every executor keeps, each found by its file: it launches a job folder, says how it ended, and leaves nothing running."""

import json
import os
import platform
import time
from dataclasses import replace
from pathlib import Path

import pytest

from engine import target, yamlfile
from engine.images import ARCHITECTURES, Image
from engine.placement import DEVICE, EMULATED
from engine.spec import StageSpec

ROOT = Path(__file__).resolve().parents[3]
TARGETS = sorted((ROOT / "conf" / "target").glob("*.yaml"))
HERE = {"x86_64": "linux/amd64", "aarch64": "linux/arm64", "armv7l": "linux/arm/v7"}

ESCAPED = "subprocess.Popen([sys.executable, '-c', 'import os, time; os.fork() and os._exit(0); os.setsid(); time.sleep(120)'], start_new_session=True)"
SLEEPS = f"{ESCAPED}; Path('ready').touch(); time.sleep(120)"
STUBBORN = f"signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPS}"


# --- the end of a job


def test_a_job_ends_with_status_0_its_name_and_its_seconds(bench):
    folder, ended = bench.does("time.sleep(0.3)", stage="mine")
    assert (ended.stage, ended.status) == ("mine", 0), (folder.path / "log").read_text()
    assert 0.3 <= ended.seconds < 20


def test_the_outputs_lie_in_the_jobs_folder(bench):
    assert bench.says("'written'") == "written"


def test_the_metrics_lie_in_result_json(bench):
    folder, _ = bench.does("metrics = {'accuracy': 0.5}")
    assert folder.result() == {"metrics": {"accuracy": 0.5}}


def test_what_the_stage_says_while_it_runs_lies_in_events_jsonl(bench):
    folder, _ = bench.does("progress(2, 2, 'half'); metric('loss', 0.5, 1)")
    assert [(e["event"], e["stage"]) for e in folder.poll()] == [("progress", "s"), ("metric", "s")]


def test_a_stage_error_is_exit_status_1_and_a_sentence_in_result_json(bench):
    folder, ended = bench.does("raise StageError('no pictures')")
    assert (ended.status, folder.result()) == (1, {"error": "no pictures"})


def test_an_exception_is_exit_status_1_and_a_traceback_in_the_log(bench):
    folder, ended = bench.does("1 / 0")
    assert (ended.status, folder.result()) == (1, {"error": "ZeroDivisionError: division by zero"})
    assert "ZeroDivisionError: division by zero" in (folder.path / "log").read_text()


def test_an_exit_status_is_passed_on(bench):
    assert bench.does("sys.exit(7)")[1].status == 7


@pytest.mark.parametrize("number", [6, 9, 11])
def test_a_signal_is_a_negative_status(bench, number):
    assert bench.does(f"os.kill(os.getpid(), {number})")[1].status == -number


def test_a_job_may_be_launched_again_after_its_end(bench):
    assert [bench.does(code)[1].status for code in ("sys.exit(1)", "pass")] == [1, 0]


# --- its surroundings


def test_both_outputs_go_to_the_log(bench):
    folder, _ = bench.does("print('to out'); print('to err', file=sys.stderr); os.system('echo from a child')")
    assert sorted((folder.path / "log").read_text().splitlines()) == ["from a child", "to err", "to out"]


def test_a_log_is_gone_on_with_and_not_begun_anew(bench):
    folder, launch = bench.lay_out("s", {"uses": "mystages.act", "params": {"code": "print('second')"}})
    launch.log.write_text("first\n")
    bench.executor.launch(launch)
    bench.end()
    assert (folder.path / "log").read_text() == "first\nsecond\n"


def test_the_input_of_a_stage_is_empty(bench):
    assert bench.says("repr(sys.stdin.read()) + repr(os.read(0, 1))") == "''b''"


def test_a_stage_works_in_a_folder_of_its_own(bench):
    first, second = (Path(bench.says("os.getcwd() + ' ' + ' '.join(os.listdir())", stage=name).rstrip()) for name in "ab")
    assert first != second and {first.parent.parent, second.parent.parent} == {bench.folder}


def test_temporary_files_of_a_stage_lie_in_its_jobs_folder(bench):
    assert Path(bench.says("tempfile.mkdtemp()")).is_relative_to(bench.folder)


def test_the_environment_that_the_yaml_gives_reaches_the_stage(bench):
    assert bench.says("os.environ['COLOUR']", env={"COLOUR": "red; blue $HOME"}) == "red; blue $HOME"


def test_what_a_stage_does_to_its_environment_no_other_stage_sees(bench):
    bench.does("os.environ['LEFT'] = 'behind'; sys.modules['left'] = sys; os.chdir('/')", env={"GIVEN": "1"})
    assert bench.says("[name in os.environ for name in ('LEFT', 'GIVEN')] + ['left' in sys.modules]") == "[False, False, False]"


def test_the_engines_own_environment_stays_as_it_is(bench):
    before = dict(os.environ), Path.cwd()
    bench.does("pass", env={"GIVEN": "1"})
    assert (dict(os.environ), Path.cwd()) == before


# --- time


def test_waiting_ends_with_the_job_and_not_with_the_timeout(bench):
    bench.start("time.sleep(0.2)")
    start = time.monotonic()
    while not bench.executor.wait(60):
        assert time.monotonic() - start < 50
    assert time.monotonic() - start < 50


def test_waiting_for_nothing_ends_with_the_timeout(bench):
    folder = bench.start("Path('ready').touch(); time.sleep(60)")
    bench.until(folder, "ready")
    start = time.monotonic()
    assert bench.executor.wait(0.3) == []
    assert 0.2 < time.monotonic() - start < 20
    assert not (folder.path / "result.json").exists()


def test_two_jobs_run_at_once(bench):
    folders = [bench.start("Path('ready').touch()\nwhile not Path('go').exists(): time.sleep(0.01)", stage=name) for name in "ab"]
    for folder in folders:
        bench.until(folder, "ready")
    for folder in folders:
        bench.put(folder, "go")
    assert sorted((ended.stage, ended.status) for ended in bench.end(2)) == [("a", 0), ("b", 0)]


# --- termination


def _sleeping(bench, code: str, stage: str = "s") -> list[int]:
    """Start a stage with a grandchild in a session of its own; return all processes that were not there before."""
    before = bench.processes()
    folder = bench.start(code, stage=stage)
    bench.until(folder, "ready")
    return [pid for pid in bench.processes() if pid not in before]


def test_a_polite_request_ends_the_whole_tree(bench):
    bench.does("pass")
    started = _sleeping(bench, SLEEPS)
    assert started
    bench.executor.terminate("s", force=False)
    assert [ended.status for ended in bench.end()] == [-15]
    assert bench.are_gone(started)


def test_force_ends_the_whole_tree_of_a_stage_that_ignores_requests(bench):
    bench.does("pass")
    started = _sleeping(bench, STUBBORN)
    bench.executor.terminate("s", force=False)
    assert bench.executor.wait(0.5) == []
    bench.executor.terminate("s", force=True)
    assert [ended.status for ended in bench.end()] == [-9]
    assert bench.are_gone(started)


def test_the_end_of_one_job_leaves_the_others_alone(bench):
    stays = bench.start("Path('ready').touch()\nwhile not Path('go').exists(): time.sleep(0.01)", stage="stays")
    bench.until(stays, "ready")
    _sleeping(bench, SLEEPS, stage="goes")
    bench.executor.terminate("goes", force=True)
    assert [ended.stage for ended in bench.end()] == ["goes"]
    bench.put(stays, "go")
    assert [(ended.stage, ended.status) for ended in bench.end()] == [("stays", 0)]


@pytest.mark.parametrize("force", [False, True])
def test_a_job_that_has_hardly_been_launched_can_be_ended(bench, force):
    bench.start("time.sleep(120)")
    bench.executor.terminate("s", force=force)
    [ended] = bench.end()
    assert ended.status is None or ended.status < 0


def test_an_end_for_a_job_that_has_ended_is_harmless(bench):
    bench.does("pass")
    bench.executor.terminate("s", force=True)
    assert bench.does("pass", stage="next")[1].status == 0


def test_what_a_stage_leaves_running_ends_with_it(bench):
    bench.does("pass")
    warm = bench.processes()
    bench.does(ESCAPED)
    limit = time.monotonic() + 60
    while set(bench.processes()) - set(warm):
        assert time.monotonic() < limit, "the grandchild lives on"
        time.sleep(0.05)


def test_closing_leaves_no_process(bench):
    assert _sleeping(bench, STUBBORN)
    bench.executor.close()
    assert bench.are_gone(bench.processes())


# --- commands


def test_a_command_reads_and_writes_what_its_words_name(bench, tmp_path):
    source = tmp_path / "source.txt"
    source.write_text("bytes")
    folder, launch = bench.lay_out(
        "s", {"command": ["cp", "{inputs.x}", "{outputs.y}"], "inputs": {"x": "asset:mine"}, "outputs": ["y"]}, source
    )
    bench.executor.launch(launch)
    assert [ended.status for ended in bench.end()] == [0]
    assert (folder.path / "out" / "y").read_text() == "bytes"


def test_no_shell_reads_a_commands_words(bench):
    text = "; touch canary $(touch canary) `touch canary` *"
    folder, launch = bench.lay_out("s", {"command": ["printf", "%s", "{params.text}"], "outputs": ["y"], "params": {"text": text}})
    bench.executor.launch(launch)
    bench.end()
    assert launch.log.read_text() == text and not list(folder.path.rglob("canary"))


@pytest.mark.parametrize(("command", "status"), [(["false"], 1), (["no-such-command"], 1), (["sh", "-c", "kill -9 $$"], -9)])
def test_a_commands_end_is_told_as_a_stages(bench, command, status):
    _, launch = bench.lay_out("s", {"command": command, "outputs": ["y"]})
    bench.executor.launch(launch)
    assert [ended.status for ended in bench.end()] == [status]


def test_the_environment_that_the_yaml_gives_reaches_the_command(bench):
    _, launch = bench.lay_out("s", {"command": ["printenv", "COLOUR"], "outputs": ["y"], "env": {"COLOUR": "red"}})
    bench.executor.launch(launch)
    bench.end()
    assert launch.log.read_text() == "red\n"


def test_the_jobs_folder_says_what_ran(bench):
    folder, _ = bench.does("pass")
    described = json.loads((folder.path / "job.json").read_text())
    assert (described["module"], described["function"], described["params"]) == ("mystages.act", "act", {"code": "pass"})


# --- where figures are taken


@pytest.mark.parametrize("path", TARGETS, ids=lambda path: path.stem)
def test_a_figure_is_labelled_with_where_it_is_taken(bench, path):
    aim, machine = target.parse(yamlfile.load(path), path.name), platform.machine()
    images = tuple(Image("any", one, "1", frozenset(), False, "containers") for one in ARCHITECTURES)
    executor = bench.make(replace(bench.setting, target=aim, images=lambda: images))
    build, on_target = (executor.place(StageSpec(uses="x", runs_on=place), None) for place in ("build", "target"))
    assert (build.emulated, build.taken) == (False, machine) or build.taken == DEVICE
    if on_target.taken == DEVICE:
        assert (on_target.platform, on_target.emulated) == (aim.platform, False)
    elif aim.platform == HERE.get(machine):
        assert (on_target.platform, on_target.emulated, on_target.taken) == (aim.platform, False, machine)
    elif on_target.platform != aim.platform:
        assert (on_target.emulated, on_target.taken) == (False, f"simulated on {machine}")
    else:
        assert (on_target.emulated, on_target.taken) == (True, EMULATED)
