"""Sweeps on real launchers with several workers: local processes, Ray and Slurm."""

import contextlib
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from engine.sweeps import record
from engine.sweeps.record import Sweep
from tests.services import Service, free_port

SOURCE = """
    import time
    from typing import TypedDict
    from engine.stage import Out
    class Result(TypedDict):
        score: float
    def only(data: Out, *, n: int) -> Result:
        data.write_text("1")
        time.sleep(60 if n == 60 else 1)
        if n == 13:
            raise SystemExit(3)
        return {"score": n}
"""
USECASE = """
    params: {n: 1}
    objective: s.score
    stages:
      s: {uses: mystages.only, params: {n: "${params.n}"}, require: {score: "> 1"}}
"""
RAY = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
}
SUBMITIT = ("hydra.launcher.timeout_min=5",)


@pytest.fixture(params=["submitit_local", "submitit_slurm", "ray"])
def swept(request, project, launchers):
    """A project whose sweeps run on this launcher, and the words that choose it."""
    project.stage("only", SOURCE)
    project.usecase("one", USECASE)
    project.python = launchers
    words = (f"hydra/launcher={request.param}",)
    if request.param == "ray":
        project.environment = RAY
        words += ("+hydra.launcher.ray.remote.max_retries=0", "+hydra.launcher.ray.init.num_cpus=2")
    else:
        words += SUBMITIT
    if request.param == "submitit_slurm":
        cluster = request.getfixturevalue("slurm")
        project.environment = {"SLURM_CONF": str(cluster.config)}
    return project, words


def the_sweep(project) -> Sweep:
    (folder,) = (project.outputs / "sweeps").iterdir()
    found = record.read(folder)
    assert found
    return found


def facts_of(sweep: Sweep, number: int) -> list[dict]:
    lines = (sweep.path / "jobs" / f"{number}.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_the_jobs_run_in_several_workers_and_the_sweep_ends_as_its_worst_job(swept):
    project, words = swept
    result = project.run("-m", "usecase=one", "params.n=1,2,13,3", *words)
    assert result.returncode == 1, result.stdout + result.stderr
    sweep = the_sweep(project)
    assert [job.state for job in sweep.jobs] == ["rejected", "finished", "failed", "finished"]
    assert sweep.end and sweep.end.best == 4
    workers = {fact["pid"] for n in range(1, 5) for fact in facts_of(sweep, n) if "pid" in fact}
    assert len(workers) > 1
    if "submitit_slurm" in str(words):
        assert {job.facts.host for job in sweep.jobs} == {"n1", "n2"}
    assert "best     job 4 (n=3)" in result.stdout


def test_a_worker_that_dies_is_the_failure_of_its_job_only(swept):
    project, words = swept
    engine = project.start("-m", "usecase=one", "params.n=2,60,3,4", *words)
    project.until(lambda: _worker(project) or engine.poll() is not None)
    os.kill(_worker(project), signal.SIGKILL)
    out, err = engine.communicate(timeout=300)
    assert engine.returncode == 1, out + err
    sweep = the_sweep(project)
    assert [job.state for job in sweep.jobs] == ["finished", "failed", "finished", "finished"]
    assert "its worker process died" in sweep.jobs[1].facts.message


def _worker(project) -> int:
    """Return the process of the second job once its stage runs, or 0."""
    for folder in (project.outputs / "sweeps").glob("*/jobs/2.jsonl"):
        run = record.job(folder.parents[1], 2).facts.run
        if run and "job_started" in str(project.events(project.outputs / run)):
            return next(json.loads(line)["pid"] for line in folder.read_text().splitlines())
    return 0


class RayNodes(Service):
    """A Ray cluster of two nodes in a network of its own; the second has its own outputs folder."""

    def __init__(self, python: str, outputs: Path) -> None:
        super().__init__()
        self.address, self._outputs = f"127.0.0.1:{free_port()}", outputs
        self._ray = str(Path(python).with_name("ray"))

    def start(self) -> None:
        """Start both nodes."""
        port = self.address.rpartition(":")[2]
        head = f"{self._ray} start --head --port={port} --node-ip-address=127.0.0.1"
        node = f"{self._ray} start --address={self.address} --node-ip-address=127.0.0.2"
        common = "--num-cpus=1 --disable-usage-stats"
        mount = f"mount -t tmpfs none {self._outputs}"
        script = f"""
            ip link set lo up
            until {head} {common} --include-dashboard=false --temp-dir={self.folder}/ray
            do sleep 1; done  # it allows itself 30 s, which a busy machine may exceed
            unshare -m sh -c ': {self.folder}; {mount}; until {node} {common}
            do sleep 1; done; while :; do sleep 1; done'  # its folder marks it, so that it is ended
        """
        self._run("unshare", "-n", "sh", "-c", script)
        self._until(lambda: self._has_nodes())

    def close(self) -> None:
        """End every process in the network of the nodes: Ray's own have left their parents."""
        first = self._processes[0].pid if self._processes else os.getpid()
        own = _network(first)
        for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
            with contextlib.suppress(OSError):
                if _network(pid) == own != _network(os.getpid()) and pid != first:
                    os.kill(pid, signal.SIGKILL)
        super().close()

    def _has_nodes(self) -> bool:
        done = self.inside(self._ray, "status", f"--address={self.address}")
        return done.stdout.count("node_") >= 2

    def inside(self, *command: str, **options) -> "subprocess.CompletedProcess[str]":
        """Run a command in the network of the nodes."""
        argv = ["nsenter", "-n", "-t", str(self._processes[0].pid), *command]
        env = {**os.environ, **RAY}
        return subprocess.run(argv, env=env, capture_output=True, text=True, **options)


def _network(pid: int) -> str:
    return str(Path(f"/proc/{pid}/ns/net").readlink())


@pytest.mark.root
def test_the_journals_of_a_node_that_shares_no_folder_are_collected(
    project, launchers, monkeypatch
):
    project.stage("only", SOURCE)
    project.usecase("one", USECASE)
    project.python, project.environment = launchers, RAY
    project.outputs.mkdir()
    monkeypatch.chdir(project.path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parent.parent))
    for name, value in RAY.items():
        monkeypatch.setenv(name, value)
    with RayNodes(launchers, project.outputs) as nodes:
        inside = ("nsenter", "-n", "-t", str(nodes._processes[0].pid))
        words = ("hydra/launcher=ray", f"hydra.launcher.ray.init.address={nodes.address}")
        words += ("+hydra.launcher.ray.init.object_store_memory=null",)
        engine = project.start("-m", "usecase=one", "params.n=2,3,4,5", *words, before=inside)
        out, err = engine.communicate(timeout=400)
    assert engine.returncode == 0, out + err
    sweep = the_sweep(project)
    assert {job.state for job in sweep.jobs} == {"finished"}
    away = [job for job in sweep.jobs if job.facts.is_elsewhere]
    assert 0 < len(away) < 4
    for job in away:
        run_dir = sweep.run_dir(job)
        assert run_dir and project.state(run_dir).status == "finished"
        assert (run_dir / "report.html").is_file() and not (run_dir / "artifacts").exists()
    latest = next(project.outputs.glob("one/*/latest")).resolve()
    assert (latest / "artifacts" / "s").is_dir()
