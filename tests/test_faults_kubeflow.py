"""Faults of a run on a cluster that only processes show: `run.py` is killed, interrupted, or started
twice. The invariant: the server gets one run, and the same command continues.
"""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import kubeflow_bench, services
from tests.conftest import Project
from tests.contained import HERE, Contained
from tests.kubeflow_bench import Bench

pytestmark = pytest.mark.slow


@pytest.fixture
def bench(project, tmp_path, monkeypatch) -> Iterator[Bench]:
    monkeypatch.chdir(project.path)
    with kubeflow_bench.bench(project, kubeflow_bench.shared(tmp_path)) as made:
        yield made


def _finish(bench: Bench) -> None:
    """Repeat the command, and check that it finishes with one run on the server."""
    for event in bench.cluster.holds.values():
        event.set()
    state = bench.run()
    assert (state.status, bench.created) == ("finished", 1)
    assert sorted(bench.cluster.ran) == ["last", "make", "read"]
    assert bench.project.processes() == []


def _finished(bench: Bench) -> list[str]:
    """Return the stages that have finished in the newest run so far."""
    events = bench.project.events() if bench.project.runs else []
    return [event["stage"] for event in events if event["event"] == "job_finished"]


def _kill(bench: Bench, process) -> None:
    process.kill()
    process.communicate()


@pytest.mark.parametrize("is_executed", [False, True])
def test_killed_while_it_creates_the_run(bench, is_executed):
    """Before the request reaches the server, or after the server created the run."""
    bench.cluster.hold("make")
    bench.api.delays = [("POST .*/runs$", 3.0, is_executed)]
    process = bench.start()
    Project.until(lambda: bench.api.count("POST .*/runs$"))
    Project.until(lambda: bool(bench.api.runs) == is_executed)
    _kill(bench, process)
    bench.api.is_deaf, bench.api.delays = True, []
    _finish(bench)


@pytest.mark.parametrize("task", ["make", "last"])
def test_killed_while_it_follows_the_run(bench, task):
    bench.cluster.hold(task)
    process = bench.start()
    Project.until(lambda: bench.api.count("GET .*/runs/") > 5)
    _kill(bench, process)
    _finish(bench)


def test_killed_after_the_run_has_ended_and_before_its_results_are_here(bench):
    process = bench.start()
    Project.until(lambda: bench.created)
    process.send_signal(signal.SIGSTOP)
    Project.until(lambda: bench.api.runs[bench.run_id]["state"] == "SUCCEEDED")
    _kill(bench, process)
    _finish(bench)


@pytest.mark.parametrize("moment", range(8))
def test_killed_at_any_moment(bench, moment):
    process = bench.start()
    Project.until(lambda: bench.api.requests)
    time.sleep(0.25 * moment)
    _kill(bench, process)
    _finish(bench)


def test_ctrl_c_detaches_and_the_same_command_continues(bench):
    bench.cluster.hold("last")
    process = bench.start()
    Project.until(lambda: "read" in _finished(bench))
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "goes on on the cluster" in out and "cancel" in out
    assert bench.api.runs[bench.run_id]["state"] == "RUNNING"
    _finish(bench)


def test_two_ctrl_c_end_it_at_once(bench):
    bench.cluster.hold("make")
    process = bench.start()
    Project.until(lambda: bench.api.count("GET .*/runs/") > 2)
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.1)
    said = process.communicate(timeout=20)
    assert process.returncode in (130, -signal.SIGINT), said  # a shell shows both as 130
    _finish(bench)


def test_the_same_command_twice_at_once_submits_one_run(bench):
    bench.cluster.hold("make")
    both = [bench.start(), bench.start()]
    Project.until(lambda: bench.api.count("GET .*/runs/") > 10)
    bench.cluster.holds["make"].set()
    assert [one.wait(60) for one in both] == [0, 0]
    for one in both:
        one.communicate()
    assert bench.created == 1


def test_cancel_ends_what_a_detached_run_left(bench):
    bench.cluster.hold("last")
    process = bench.start()
    Project.until(lambda: "read" in _finished(bench))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    done = bench.project.run("cancel", bench.project.last.name)
    assert (done.returncode, "cancelled on" in done.stdout) == (0, True), done.stderr
    assert bench.api.runs[bench.run_id]["state"] == "CANCELED"
    again = bench.project.run("cancel")
    assert again.returncode == 2 and "no run of this outputs folder" in again.stderr
    bench.cluster.holds["last"].set()
    assert bench.run().status == "finished"
    assert bench.cluster.ran.count("make") == 1


def test_the_token_is_in_no_argument_and_in_no_file(bench, tmp_path):
    file = tmp_path / "token"
    file.write_text("canary-token")
    bench.api.token = "canary-token"
    bench.cluster.hold("make")
    process = bench.start(f"kubeflow.token_file={file}")
    Project.until(lambda: bench.api.count("GET .*/runs/") > 2)
    for pid in bench.project.processes():
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
        assert b"canary" not in words
    bench.cluster.holds["make"].set()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0 and "canary" not in out + err
    files = [path for path in bench.project.outputs.rglob("*") if path.is_file()]
    assert files and not [path for path in files if b"canary" in path.read_bytes()]


@pytest.fixture
def in_bucket(project, monkeypatch) -> Iterator[Bench]:
    """A cluster whose data root is a bucket, as KFP's own pipeline root is."""
    monkeypatch.chdir(project.path)
    with services.S3() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        server.client().create_bucket(Bucket="bucket")
        with kubeflow_bench.bench(project, "s3://bucket/edge") as made:
            yield made


def test_a_run_with_a_bucket_gives_what_a_run_here_gives(in_bucket):
    bench = in_bucket
    assert bench.run().status == "finished"
    here = bench.project.beside("here")
    here.run("usecase=cluster", "executor=local")
    assert bench.project.artifacts() == here.artifacts()
    bench.cluster.ran.clear()
    bench.run("params.more=!")
    assert bench.cluster.ran == ["read"]  # the outputs of `make` were imported
    assert (bench.project.last / "artifacts" / "read" / "text").read_text() == "3xxx!"


def test_another_outputs_folder_finds_the_results_of_any_run_in_the_bucket(in_bucket):
    in_bucket.run()
    other = in_bucket.in_outputs("other")
    assert other.run().status == "finished"
    assert (other.created, other.project.artifacts()) == (1, in_bucket.project.artifacts())


def test_two_outputs_folders_at_once_share_one_run(in_bucket):
    """If both ask for it at the same moment, the younger of two runs is ended."""
    in_bucket.cluster.hold("make")
    other = in_bucket.in_outputs("other")
    both = [in_bucket.start(), other.start()]
    Project.until(lambda: in_bucket.api.count("GET .*/runs/") > 10)
    in_bucket.cluster.holds["make"].set()
    said = [one.communicate(timeout=100) for one in both]
    assert [one.returncode for one in both] == [0, 0], said
    states = [run["state"] for run in in_bucket.api.runs.values()]
    assert states.count("SUCCEEDED") == 1 and {*states} <= {"SUCCEEDED", "CANCELED"}
    assert in_bucket.cluster.ran.count("make") == 1


AFTER_DEVICE = """
    name: cluster
    stages:
      make: {uses: mystages.made}
      aside: {uses: mystages.double, inputs: {number: make.data}}
      measure: {uses: mystages.double, inputs: {number: make.data}, runs_on: target}
      score: {uses: mystages.double, inputs: {number: measure.data}}
"""


@pytest.fixture
def with_device(project, docker_engine, sshd, plain_archive, tmp_path, monkeypatch):
    """A cluster, and the target `pi`: an engine behind an SSH server, which is this machine's too."""
    monkeypatch.chdir(project.path)
    monkeypatch.setenv("DOCKER_HOST", docker_engine.host)
    (project.path / "ssh_config").write_text(sshd.config)
    device = f"ssh://{sshd.user}@{sshd.host}:{sshd.port}{docker_engine.socket}"
    target = project.path / "conf" / "target" / "pi.yaml"
    target.parent.mkdir()
    target.write_text(json.dumps({"name": "pi", "platform": HERE, "device": device}))
    words = (f"ssh_config={project.path / 'ssh_config'}", "target=pi", "base=bootstrap")
    Contained(project, docker_engine, plain_archive)
    with kubeflow_bench.bench(project, kubeflow_bench.shared(tmp_path)) as made:
        made.words += words
        made.use(AFTER_DEVICE)
        yield made


def test_what_comes_after_the_device_runs_on_this_machine(with_device):
    state = with_device.run()
    assert state.status == "finished"
    assert sorted(with_device.cluster.ran) == ["aside", "make"]
    measured = {name: stage.measured_on for name, stage in state.stages.items()}
    assert measured == {
        "make": "x86_64",
        "aside": "x86_64",
        "measure": "device",
        "score": "x86_64",
    }
    assert (with_device.project.last / "artifacts" / "score" / "data").read_text() == "4"
    again = with_device.run()
    assert all(stage.cached for stage in again.stages.values()) and with_device.created == 1


def test_after_a_failure_on_the_cluster_only_what_it_blocks_is_skipped_here(with_device):
    with_device.use(
        AFTER_DEVICE + "      fail: {uses: mystages.fail, inputs: {data: make.data}}\n"
        "      never: {uses: mystages.double, inputs: {number: fail.out}, runs_on: target}\n"
    )
    state = with_device.run(status=1)
    assert state.status == "failed"
    assert {name: stage.state for name, stage in state.stages.items()} == {
        "make": "finished",
        "aside": "finished",
        "measure": "finished",
        "score": "finished",
        "fail": "failed",
        "never": "skipped",
    }
