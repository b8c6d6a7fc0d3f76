"""Local processes: what is warm before a job, and what a lost server takes with it."""

import os
import time
import warnings

import pytest

from engine.executors.local import Executor
from engine.placement import Setting
from engine.plan import Planned
from engine.spec import Resources, StageSpec
from engine.target import Target

SLEEPS = "Path('ready').touch(); time.sleep(120)"


@pytest.fixture
def bench(make_bench):
    """The local executor."""
    return make_bench("local")


def _server(bench) -> int:
    """The server is the process that all others came from: it is there before the first job."""
    bench.does("pass")
    [pid] = bench.processes()
    return pid


def _job(bench):
    _, launch = bench.lay_out("s", {"uses": "mystages.act", "params": {"code": "pass"}})
    return Planned(launch.job, None, None, None, "")


def test_what_a_stage_will_need_is_warmed_before_it_is_launched(bench):
    bench.executor.prepare([_job(bench)])
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
    bench.end(within_s=120)
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


def test_a_server_that_dies_before_a_launch_is_told_as_a_lost_job(bench):
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
    stays = bench.start("Path('ready').touch()\nwhile not Path('go').exists(): time.sleep(0.01)", stage="stays")
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


@pytest.mark.parametrize(("accelerator", "asks", "counts"), [("edgetpu", True, True), ("edgetpu", False, False), ("none", True, False)])
def test_an_edge_tpu_counts_for_the_stages_that_ask_for_it_and_no_others(tmp_path, accelerator, asks, counts):
    aim = Target(name="pi", platform="linux/arm64", accelerator=accelerator)
    executor = Executor(Setting(aim, (tmp_path,), (), tuple, tmp_path))
    found = executor.place(StageSpec(command=("true",), runs_on="target", resources=Resources(accelerator=asks)), None)
    executor.close()
    assert ("edgetpu" in found.environment) is counts
