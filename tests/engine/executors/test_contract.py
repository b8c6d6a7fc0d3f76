"""The contract of all executors, found by file: they launch a job folder, report how it ended, and leave
nothing running.
"""

import ast
import json
import os
import platform
import time
from dataclasses import replace
from pathlib import Path

import pytest

from engine import target, yamlfile
from engine.contract import Contract
from engine.images import ARCHITECTURES, Image
from engine.placement import DEVICE, EMULATED
from engine.spec import StageSpec

ROOT = Path(__file__).resolve().parents[3]
TARGETS = sorted((ROOT / "conf" / "target").glob("*.yaml"))
HERE = {"x86_64": "linux/amd64", "aarch64": "linux/arm64", "armv7l": "linux/arm/v7"}

ESCAPED = (
    "subprocess.Popen([sys.executable, '-c', 'import os, time; os.fork() and os._exit(0); "
    "os.setsid(); time.sleep(600)'], start_new_session=True)"
)
SLEEPS = f"{ESCAPED}; Path('ready').touch(); time.sleep(600)"
STUBBORN = f"signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPS}"


# --- the end of a job


def test_a_job_ends_with_status_0_its_name_and_its_seconds(bench):
    folder, ended = bench.does("time.sleep(0.3)", stage="mine")
    assert (ended.stage, ended.status) == ("mine", 0), (folder.path / "log").read_text()
    assert 0.3 <= ended.seconds < 20


def test_the_outputs_lie_in_the_jobs_folder(bench):
    assert bench.says("'written'") == "written"


def test_an_output_has_the_suffix_that_it_was_declared_with(bench):
    folder, launch = bench.lay_out(
        "s", {"command": ["touch", "{outputs.y}"], "outputs": ["y.tar.gz"]}
    )
    bench.executor.launch(launch)
    assert [ended.status for ended in bench.end()] == [0]
    assert [path.name for path in (folder.path / "out").iterdir()] == ["y.tar.gz"]


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


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("137", 137),
        ("143", 143),
        ("74", 74),
        ("256", 1),
        ("-1", 255),
        ("'no luck'", 1),
        ("True", 1),
        ("", 0),
        ("None", 0),
        ("0", 0),
        ("False", 0),
    ],
)
def test_sys_exit_means_its_exit_status(bench, code, status):
    folder, ended = bench.does(f"sys.exit({code})")
    assert folder.result() == {"exit_status": status}
    assert (ended.status == 0) is (status == 0)


def test_the_text_of_sys_exit_is_printed(bench):
    folder, _ = bench.does("sys.exit('no luck')")
    assert (folder.path / "log").read_text() == "no luck\n"


@pytest.mark.parametrize("number", [6, 9, 11])
def test_a_signal_is_a_negative_status(bench, number):
    assert bench.does(f"os.kill(os.getpid(), {number})")[1].status == -number


def test_a_job_may_be_launched_again_after_its_end(bench):
    assert [bench.does(code)[1].status for code in ("sys.exit(1)", "pass")] == [1, 0]


def test_a_checkpoint_outlives_a_killed_attempt_where_the_jobs_files_are_this_machines(bench):
    code = (
        "from engine.stage import checkpoint; kept = checkpoint() / 'kept'; "
        "kept.exists() or (kept.touch(), os.kill(os.getpid(), 9))"
    )
    statuses = [bench.does(code)[1].status for _ in range(2)]
    assert statuses == [-9, -9 if bench.name == "device" else 0]


# --- its surroundings


def test_both_outputs_go_to_the_log(bench):
    folder, _ = bench.does(
        "print('to out'); print('to err', file=sys.stderr); os.system('echo from a child')"
    )
    assert sorted((folder.path / "log").read_text().splitlines()) == [
        "from a child",
        "to err",
        "to out",
    ]


def test_a_log_is_gone_on_with_and_not_begun_anew(bench):
    folder, launch = bench.lay_out(
        "s", {"uses": "mystages.act", "params": {"code": "print('second')"}}
    )
    launch.log.write_text("first\n")
    bench.executor.launch(launch)
    bench.end()
    assert (folder.path / "log").read_text() == "first\nsecond\n"


def test_the_input_of_a_stage_is_empty(bench):
    assert bench.says("repr(sys.stdin.read()) + repr(os.read(0, 1))") == "''b''"


def test_a_stage_works_in_a_folder_of_its_own(bench):
    first, second = (
        Path(bench.says("os.getcwd() + ' ' + ' '.join(os.listdir())", stage=name).rstrip())
        for name in "ab"
    )
    assert first != second and {first.parent.parent, second.parent.parent} == {bench.folder}


def test_temporary_files_of_a_stage_lie_in_its_jobs_folder(bench):
    assert Path(bench.says("tempfile.mkdtemp()")).is_relative_to(bench.folder)


def test_the_environment_that_the_yaml_gives_reaches_the_stage(bench):
    assert (
        bench.says("os.environ['COLOUR']", env={"COLOUR": "red; blue $HOME"}) == "red; blue $HOME"
    )


SECRETS = (
    "AWS_SECRET_ACCESS_KEY",
    "MLFLOW_TRACKING_PASSWORD",
    "HTTPS_PROXY",
    "PIP_INDEX_URL",
    "SOME_TOKEN",
)


def test_the_callers_secrets_do_not_reach_the_stage_nor_the_process_that_it_came_from(
    bench, monkeypatch
):
    for name in SECRETS:
        monkeypatch.setenv(name, "s3cret")
    read = (
        "[Path(f'/proc/{pid}/environ').read_bytes() for pid in ('self', os.getppid()) if "
        "os.access(f'/proc/{pid}/environ', os.R_OK)]"
    )
    assert bench.says(f"'s3cret' in str({read}) + str(os.environ)") == "False"


def test_a_variable_that_pass_env_names_reaches_the_stage_and_no_other(bench, monkeypatch):
    monkeypatch.setenv("SOME_TOKEN", "s3cret $HOME; x")
    monkeypatch.delenv("ABSENT", raising=False)
    seen = "repr([os.environ.get(name) for name in ('SOME_TOKEN', 'ABSENT')])"
    assert (
        bench.says(seen, stage="opens", pass_env=["SOME_TOKEN", "ABSENT"])
        == "['s3cret $HOME; x', None]"
    )
    assert bench.says(seen, stage="next") == "[None, None]"


def test_a_variable_that_pass_env_names_goes_before_the_value_that_the_yaml_gives(
    bench, monkeypatch
):
    monkeypatch.setenv("SOME_TOKEN", "the caller's")
    keys = {
        "env": {"SOME_TOKEN": "the YAML's", "ABSENT": "the YAML's"},
        "pass_env": ["SOME_TOKEN", "ABSENT"],
    }
    assert bench.says(
        "repr([os.environ[name] for name in ('SOME_TOKEN', 'ABSENT')])", **keys
    ) == repr(["the caller's", "the YAML's"])


def test_a_variable_that_pass_env_names_reaches_a_command(bench, monkeypatch):
    monkeypatch.setenv("SOME_TOKEN", "s3cret")
    _, launch = bench.lay_out(
        "s", {"command": ["printenv", "SOME_TOKEN"], "outputs": ["y"], "pass_env": ["SOME_TOKEN"]}
    )
    bench.executor.launch(launch)
    bench.end()
    assert launch.log.read_text() == "s3cret\n"


def test_the_value_of_a_passed_variable_is_written_nowhere(bench, monkeypatch):
    monkeypatch.setenv("SOME_TOKEN", "s3cret")
    bench.does("pass", pass_env=["SOME_TOKEN"])
    assert [
        path
        for path in bench.folder.rglob("*")
        if path.is_file() and b"s3cret" in path.read_bytes()
    ] == []


def test_pass_env_does_not_move_a_stages_temporary_files(bench, monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "elsewhere"))
    assert (
        bench.says(
            "os.environ['TMPDIR'] == tempfile.gettempdir() == os.getcwd()", pass_env=["TMPDIR"]
        )
        == "True"
    )


def test_a_stage_may_say_and_print_a_name_that_is_not_utf_8(bench):
    name = "os.fsdecode(b'caf\\xe9')"
    folder, ended = bench.does(
        f"from engine.stage import note; note({name}); print({name}); print({name}, file=sys.stderr); "
        f"metric({name}, 1, 0)"
    )
    assert ended.status == 0
    assert [event.get("text") or event.get("name") for event in folder.poll()] == ["caf\\xe9"] * 2
    assert (folder.path / "log").read_text(encoding="utf-8").splitlines() == ["caf\\udce9"] * 2


@pytest.mark.parametrize("kind", ["StageError", "ValueError", "sys.exit"])
def test_a_stage_may_fail_with_a_name_that_is_not_utf_8(bench, kind):
    raising = "" if kind == "sys.exit" else "raise "
    folder, ended = bench.does(f"{raising}{kind}(os.fsdecode(b'caf\\xe9'))")
    assert ended.status == 1
    assert str(folder.result()).encode("utf-8") and "caf\\xe9" in (folder.path / "log").read_text(
        encoding="utf-8"
    )


def test_what_a_stage_does_to_its_environment_no_other_stage_sees(bench):
    bench.does(
        "os.environ['LEFT'] = 'behind'; sys.modules['left'] = sys; os.chdir('/')",
        env={"GIVEN": "1"},
    )
    assert (
        bench.says("[name in os.environ for name in ('LEFT', 'GIVEN')] + ['left' in sys.modules]")
        == "[False, False, False]"
    )


def test_the_engines_own_environment_stays_as_it_is(bench):
    before = dict(os.environ), Path.cwd()
    bench.does("pass", env={"GIVEN": "1"})
    assert (dict(os.environ), Path.cwd()) == before


# --- time


def test_waiting_ends_with_the_job_and_not_with_the_timeout(bench):
    bench.start("time.sleep(0.2)")
    start = time.monotonic()
    while not bench.executor.wait(300):
        assert time.monotonic() - start < 300
    assert time.monotonic() - start < 300


def test_waiting_for_nothing_ends_with_the_timeout(bench):
    folder = bench.start("Path('ready').touch(); time.sleep(600)")
    bench.until(folder, "ready")
    assert any(_waited(bench) > 0.2 for _ in range(5))  # other news than an end may wake it
    assert not (folder.path / "result.json").exists()


def _waited(bench):
    """Wait for a job to end, in vain; return for how long, in seconds."""
    start = time.monotonic()
    assert bench.executor.wait(0.3) == []
    return time.monotonic() - start


def test_two_jobs_run_at_once(bench):
    folders = [
        bench.start(
            "Path('ready').touch()\nwhile not Path('go').exists(): time.sleep(0.01)", stage=name
        )
        for name in "ab"
    ]
    for folder in folders:
        bench.until(folder, "ready")
    for folder in folders:
        bench.put(folder, "go")
    assert sorted((ended.stage, ended.status) for ended in bench.end(2)) == [("a", 0), ("b", 0)]


# --- termination


def _sleeping(bench, code: str, stage: str = "s") -> list[int]:
    """Start a stage with a grandchild in a separate session.

    Return all new processes.
    """
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
    stays = bench.start(
        "Path('ready').touch()\nwhile not Path('go').exists(): time.sleep(0.01)", stage="stays"
    )
    bench.until(stays, "ready")
    _sleeping(bench, SLEEPS, stage="goes")
    bench.executor.terminate("goes", force=True)
    assert [ended.stage for ended in bench.end()] == ["goes"]
    bench.put(stays, "go")
    assert [(ended.stage, ended.status) for ended in bench.end()] == [("stays", 0)]


@pytest.mark.parametrize("force", [False, True])
def test_a_job_that_has_hardly_been_launched_can_be_ended(bench, force):
    bench.start("time.sleep(600)")
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
    limit = time.monotonic() + 300
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
        "s",
        {
            "command": ["cp", "{inputs.x}", "{outputs.y}"],
            "inputs": {"x": "asset:mine"},
            "outputs": ["y"],
        },
        source,
    )
    bench.executor.launch(launch)
    assert [ended.status for ended in bench.end()] == [0]
    assert (folder.path / "out" / "y").read_text() == "bytes"


READS = """
import pathlib, sys
folder, out = map(pathlib.Path, sys.argv[1:])
found = {entry.name: (entry / "data" if entry.is_dir() else entry).read_text() for entry in folder.iterdir()}
try:
    (folder / "new").touch()
except OSError:
    found["new"] = "refused"
out.write_text(repr(sorted(found.items())))
"""


def test_the_outputs_of_a_foreach_are_a_folder_with_an_entry_for_each_value(bench):
    made = {}
    for value in ("0.1", "x"):
        folder = bench.start(f"text = 'of {value}'", stage=f"a@{value}")
        assert [ended.status for ended in bench.end()] == [0]
        made[f"a@{value}"] = folder.commit(bench.store, {}, 1.0).outputs
    keys = {"inputs": {"all": "a@*.data"}, "outputs": ["y"]}
    command = ["python3", "-c", READS, "{inputs.all}", "{outputs.y}"]
    folder, launch = bench.lay_out("s", {"command": command, **keys}, made=made)
    bench.executor.launch(launch)
    assert [ended.status for ended in bench.end()] == [0], (folder.path / "log").read_text()
    found = dict(ast.literal_eval((folder.path / "out" / "y").read_text()))
    assert {value: found[value] for value in ("0.1", "x")} == {"0.1": "of 0.1", "x": "of x"}
    assert "new" not in found or found["new"] == "refused"


def test_no_shell_reads_a_commands_words(bench):
    text = "; touch canary $(touch canary) `touch canary` *"
    folder, launch = bench.lay_out(
        "s",
        {"command": ["printf", "%s", "{params.text}"], "outputs": ["y"], "params": {"text": text}},
    )
    bench.executor.launch(launch)
    bench.end()
    assert launch.log.read_text() == text and not list(folder.path.rglob("canary"))


@pytest.mark.parametrize(
    ("command", "status"),
    [(["false"], 1), (["no-such-command"], 1), (["sh", "-c", "kill -9 $$"], -9)],
)
def test_a_commands_end_is_told_as_a_stages(bench, command, status):
    _, launch = bench.lay_out("s", {"command": command, "outputs": ["y"]})
    bench.executor.launch(launch)
    assert [ended.status for ended in bench.end()] == [status]


def test_the_environment_that_the_yaml_gives_reaches_the_command(bench):
    _, launch = bench.lay_out(
        "s", {"command": ["printenv", "COLOUR"], "outputs": ["y"], "env": {"COLOUR": "red"}}
    )
    bench.executor.launch(launch)
    bench.end()
    assert launch.log.read_text() == "red\n"


def test_the_jobs_folder_says_what_ran(bench):
    folder, _ = bench.does("pass")
    described = json.loads((folder.path / "job.json").read_text())
    assert (described["module"], described["function"], described["params"]) == (
        "mystages.act",
        "act",
        {"code": "pass"},
    )


# --- where figures are measured


@pytest.mark.parametrize("path", TARGETS, ids=lambda path: path.stem)
def test_a_figure_is_labelled_with_where_it_is_taken(bench, path):
    aim, machine = target.parse(yamlfile.load(path), path.name), platform.machine()
    images = tuple(
        Image("any", one, "1", frozenset(), False, "containers") for one in ARCHITECTURES
    )
    executor = bench.make(replace(bench.context, target=aim, images=lambda: images))
    build, on_target = (
        executor.place(StageSpec(uses="x", runs_on=place), Contract(label="x"))
        for place in ("build", "target")
    )
    assert (build.emulated, build.measured_on) == (False, machine) or build.measured_on == DEVICE
    if on_target.measured_on == DEVICE:
        assert (on_target.platform, on_target.emulated) == (aim.platform, False)
    elif aim.platform == HERE.get(machine):
        assert (on_target.platform, on_target.emulated, on_target.measured_on) == (
            aim.platform,
            False,
            machine,
        )
    elif on_target.platform != aim.platform:
        assert (on_target.emulated, on_target.measured_on) == (False, f"simulated on {machine}")
    else:
        assert (on_target.emulated, on_target.measured_on) == (True, EMULATED)
