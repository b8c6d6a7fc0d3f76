"""The step in a pod: `python3 -m engine.stage.kubeflow` as a real process, with the paths of Kubeflow."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from engine import digest
from engine.stage import packing

ROOT = Path(__file__).resolve().parents[3]
KEY = "k" * 64
STAGE = """
import os, sys, time
from pathlib import Path
from engine import stage
from engine.stage import StageError
def act(data=None, parts=None, table=None, out=None, **params):
    {body}
"""


@dataclass
class Pod:
    """A folder with what Kubeflow Pipelines gives to one task."""

    path: Path
    arguments: list[str] = field(default_factory=list)
    job: dict[str, Any] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)  # of outputs; others lie in kfp/

    @property
    def words(self) -> list[str]:
        """The command of the pod."""
        job = {
            "stage": "s",
            "key": KEY,
            "invoke": {"module": "mine", "function": "act"},
            "params": {},
            "outputs": {"out": "out"},
            "without": [],
            "names": {},
            "given": [],
            "project": None,
            "metrics": [],
            "measured_on": "x86_64",
            "env": {},
            "files": {},
            "timeout_s": None,
            "keep": None,
            **self.job,
        }
        outputs = [
            word
            for name in job["outputs"]
            for word in ("--output", name, self.places.get(name, f"{self.path}/kfp/{name}"))
        ]
        artifacts = {
            name: {"artifacts": [{"name": name, "uri": f"s3://bucket/{name}"}]}
            for name in (*job["outputs"], "stage-metrics")
        }
        told = {"outputs": {"artifacts": artifacts, "outputFile": f"{self.path}/kfp/executor.json"}}
        words = ["--report", f"{self.path}/kfp/report", "--metrics", f"{self.path}/kfp/metrics"]
        return [sys.executable, "-m", "engine.stage.kubeflow", "run", json.dumps(job), *outputs,
                *words, "--executor-input", json.dumps(told), *self.arguments]  # fmt: skip

    def start(self, body: str) -> "subprocess.Popen[bytes]":
        """Start a stage with this body."""
        (self.path / "mine.py").write_text(STAGE.format(body=body))
        return subprocess.Popen(self.words, env=self.env, cwd=self.path, stdout=subprocess.PIPE)

    @property
    def env(self) -> dict[str, str]:
        """The variables of the pod."""
        path = f"{ROOT}{os.pathsep}{self.path}"
        return {"PATH": os.environ["PATH"], "PYTHONPATH": path, "TMPDIR": str(self.path)}

    def run(self, body: str) -> tuple[int, str]:
        """Run such a stage; return the exit status of the pod and its log."""
        process = self.start(body)
        log = process.communicate(timeout=60)[0].decode()
        return process.returncode, log

    def gets(self, name: str, source: Path) -> Path:
        """Give an input, as the data root has it, and return where it lies."""
        place = self.path / f"{name}.artifact"
        with place.open("wb") as out:
            if packing.needs_packing(source):
                packing.pack(source, out)
            else:
                out.write(source.read_bytes())
        return place

    @property
    def report(self) -> dict[str, Any]:
        """The report."""
        return json.loads((self.path / "kfp" / "report").read_text())


@pytest.fixture
def pod(tmp_path) -> Pod:
    return Pod(tmp_path)


@pytest.fixture
def folder(tmp_path) -> Path:
    made = tmp_path / "made"
    (made / "empty").mkdir(parents=True)
    (made / "tool").write_text("#!/bin/sh")
    (made / "tool").chmod(0o755)
    return made


def test_a_stage_gets_its_folder_and_leaves_a_packed_one(pod, folder):
    pod.arguments = ["--input", "data", str(pod.gets("data", folder))]
    body = "import shutil; assert (data / 'empty').is_dir(); shutil.copytree(data, out)"
    assert pod.run(body) == (0, "")
    with (pod.path / "kfp" / "out").open("rb") as file:
        found = packing.unpack(file, pod.path / "back")
    assert found == digest.of(folder) == digest.of(pod.path / "back")


def test_the_report_names_the_digests_of_inputs_and_outputs(pod, folder):
    pod.arguments = ["--input", "data", str(pod.gets("data", folder))]
    pod.run("out.write_text('x')")
    size = (pod.path / "kfp" / "out").stat().st_size
    assert pod.report["inputs"] == {"data": digest.of(folder)}
    wanted = {"digest": digest.of(pod.path / "kfp" / "out"), "packed": False}
    assert pod.report["outputs"] == {
        "out": {**wanted, "uri": "s3://bucket/out", "size_bytes": size}
    }
    assert (pod.report["stage"], pod.report["key"]) == ("s", KEY)


def test_an_input_that_is_a_folder_of_entries_has_one_for_each_value(pod, folder):
    one, two = pod.gets("one", folder), pod.gets("two", folder / "tool")
    pod.arguments = ["--entry", "parts", "0", str(one), "--entry", "parts", "cnn-1", str(two)]
    body = (
        "assert (parts / '0' / 'empty').is_dir(); out.write_bytes((parts / 'cnn-1').read_bytes())"
    )
    assert pod.run(body) == (0, "")
    assert pod.report["inputs"] == {"parts/0": digest.of(folder), "parts/cnn-1": digest.of(two)}


def test_an_input_on_a_volume_is_read_where_it_lies(pod, folder):
    pod.job = {"given": [["data", "", str(pod.gets("data", folder / "tool"))]]}
    assert pod.run("out.write_text(data.read_text())") == (0, "")
    assert (pod.path / "kfp" / "out").read_text() == "#!/bin/sh"


def test_a_users_file_keeps_its_name(pod, tmp_path):
    (tmp_path / "t.csv").write_text("1")
    pod.arguments = ["--input", "table", str(pod.gets("table", tmp_path / "t.csv"))]
    pod.job = {"names": {"table": "t.csv"}}
    assert pod.run("assert table.suffix == '.csv'; out.write_text(table.read_text())") == (0, "")


def test_an_input_that_is_left_out_is_none(pod):
    pod.job = {"without": ["data"]}
    assert pod.run("assert data is None; out.mkdir()") == (0, "")


def test_a_command_gets_the_paths_of_its_job_folder(pod, folder):
    pod.arguments = ["--input", "data", str(pod.gets("data", folder / "tool"))]
    command = ["cp", "{inputs.data}", "{outputs.out}"]
    pod.job = {"invoke": {"command": command}}
    assert pod.run("pass") == (0, "")
    assert (pod.path / "kfp" / "out").read_text() == "#!/bin/sh"


def test_a_project_has_its_own_files(pod, folder):
    pod.arguments = ["--project", str(pod.gets("project", folder))]
    pod.job = {"invoke": {"command": ["sh", "-c", "cp ../project/tool {outputs.out}"]}}
    assert pod.run("pass") == (0, "")
    assert pod.report["inputs"] == {}


def test_the_metrics_are_metadata_that_kubeflow_shows(pod):
    pod.run("out.mkdir(); return {'accuracy': 0.5}")
    told = json.loads((pod.path / "kfp" / "executor.json").read_text())["artifacts"]
    assert told["stage-metrics"]["artifacts"][0]["metadata"] == {"accuracy": 0.5}
    assert told["out"]["artifacts"][0] == {
        "name": "out", "uri": "s3://bucket/out", "metadata": {"digest": pod.report["outputs"]["out"]["digest"]}
    }  # fmt: skip
    assert json.loads((pod.path / "kfp" / "metrics").read_text()) == {"accuracy": 0.5}


def test_the_report_has_the_events_the_log_and_where_figures_come_from(pod):
    body = "print('hello'); stage.note('chose 3'); stage.measured_on('device'); out.mkdir()"
    assert pod.run(body) == (0, "hello\n")
    assert [json.loads(line)["text"] for line in pod.report["events"]] == ["chose 3"]
    assert (pod.report["log"], pod.report["measured_on"]) == ("hello\n", "device")


def test_a_variable_of_the_yaml_reaches_the_stage(pod):
    pod.job = {"env": {"MINE": "$(PATH) {{x}} 'é'"}}
    pod.run("out.write_text(os.environ['MINE'])")
    assert (pod.path / "kfp" / "out").read_text() == "$(PATH) {{x}} 'é'"


def test_a_file_that_the_job_brings_is_there_before_the_stage_starts(pod):
    pod.job = {"files": {f"{pod.path}/online": "0-3\n", "/sys/nowhere/online": "0"}}
    status, log = pod.run(f"out.write_text(Path('{pod.path}/online').read_text())")
    assert (status, (pod.path / "kfp" / "out").read_text()) == (0, "0-3\n")
    assert log == "warning: /sys/nowhere/online: No such file or directory\n"


def test_copies_are_kept_on_a_volume_and_the_report_is_the_last(pod, tmp_path):
    pod.job = {"keep": str(tmp_path / "results" / KEY)}
    pod.run("out.mkdir()")
    kept = sorted((tmp_path / "results" / KEY).iterdir(), key=lambda path: path.stat().st_mtime_ns)
    assert [path.name for path in kept] == ["out", "report.json"]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("pass", "the stage did not write its output 'out'"),
        ("out.symlink_to('/etc/passwd')", "its output 'out' contains a link, out; write files instead"),
        ("out.mkdir(); (out / 'l').symlink_to('x')",
         "its output 'out' contains a link, out/l; write files instead"),
        ("sys.exit(0)", "the stage did not write its output 'out'; its process ended before the stage "
         "returned"),
        ("raise StageError('no pictures')", "no pictures"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
    ],
)  # fmt: skip
def test_a_failure_is_in_the_report_and_the_last_line_of_the_log(pod, body, error):
    status, log = pod.run(body)
    assert (status, pod.report["status"], pod.report["result"]["error"]) == (1, 1, error)
    assert log.splitlines()[-1] == f"stage failed: {json.dumps({'status': 1, 'error': error})}"


def test_a_metric_that_is_promised_and_not_returned_is_a_failure(pod):
    pod.job = {"metrics": ["accuracy"]}
    assert pod.run("out.mkdir(); return {'loss': 1}")[0] == 1
    assert pod.report["result"]["error"] == "the stage did not return its metric 'accuracy'"


def test_the_exit_status_that_a_stage_chose_is_the_pods(pod):
    status, log = pod.run("sys.exit(7)")
    assert (status, pod.report["result"]) == (7, {"exit_status": 7})
    assert log == 'stage failed: {"status": 7, "exit_status": 7}\n'


def test_a_stage_that_is_killed_has_the_status_of_its_signal(pod):
    assert pod.run("os.kill(os.getpid(), 9)")[0] == 137


@pytest.mark.parametrize("at", [600, -1])
def test_a_damaged_input_ends_the_pod_before_the_stage_starts(pod, folder, at):
    artifact = pod.gets("data", folder)
    data = bytearray(artifact.read_bytes())
    data[600] ^= 1
    artifact.write_bytes(data if at == 600 else data[:700])
    pod.arguments = ["--input", "data", str(artifact)]
    status, log = pod.run("(Path(sys.argv[1]).parents[1] / 'ran').touch()")
    assert status == 1
    assert "its input 'data' is damaged" in log
    assert not (pod.path / "ran").exists()


def test_an_input_that_does_not_exist_is_named(pod):
    pod.arguments = ["--input", "data", "/s3/b/gone"]
    status, log = pod.run("pass")
    assert status == 1
    assert "No such file or directory: '/s3/b/gone'" in log


def test_a_full_disk_is_said_in_one_sentence(pod):
    pod.places = {"out": "/dev/full"}
    status, log = pod.run("out.write_text('x' * 10_000)")
    assert (status, pod.report["result"]) == (74, {"error": "the disk of the pod is full"})
    assert log == 'stage failed: {"status": 74, "error": "the disk of the pod is full"}\n'


def test_sigterm_reaches_the_stage_and_the_report_says_so(pod):
    body = "print('started', flush=True); time.sleep(60)"
    process = pod.start(body)
    assert process.stdout is not None
    assert process.stdout.readline() == b"started\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    assert pod.report["result"]["error"] == f"its pod was ended by signal {int(signal.SIGTERM)}"


def test_a_stage_that_exceeds_its_timeout_is_ended(pod):
    pod.job = {"timeout_s": 0.3}
    assert pod.run("time.sleep(60)")[0] == 143
    assert pod.report["result"]["error"] == "it did not end within its timeout of 0.3 s"


def test_no_process_of_a_stage_outlives_it(pod):
    body = (
        "import subprocess; out.mkdir(); "
        "child = subprocess.Popen(['sleep', '60']); print(child.pid, flush=True)"
    )
    status, log = pod.run(body)
    assert status == 0
    assert _has_ended(int(log))


def _has_ended(pid: int) -> bool:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def test_nothing_is_left_in_the_pods_temporary_folder(pod):
    pod.run("out.mkdir()")
    assert not list(pod.path.glob("job-*"))


@pytest.fixture
def gate(tmp_path) -> Callable[..., tuple[int, str]]:
    def check(metrics: dict[str, float], rules: dict[str, str]) -> tuple[int, str]:
        report = tmp_path / "report"
        report.write_text(json.dumps({"result": {"metrics": metrics}}))
        words = [sys.executable, "-m", "engine.stage.kubeflow", "gate", json.dumps(rules)]
        found = subprocess.run(
            [*words, "--report", str(report)], env={"PYTHONPATH": str(ROOT)}, capture_output=True,
            text=True,
        )  # fmt: skip
        return found.returncode, found.stdout

    return check


@pytest.mark.parametrize(
    ("metrics", "rule", "status", "line"),
    [
        ({"a": 0.9}, ">= 0.85", 0, "a 0.9 passes the gate (>= 0.85)\n"),
        ({"a": 0.7}, ">= 0.85", 1, "a 0.7 fails the gate (>= 0.85)\n"),
        ({}, ">= 0.85", 1, "a has no value, and fails the gate (>= 0.85)\n"),
        ({}, ">= 0.85 if measured", 0, "a has no value for the gate (>= 0.85 if measured)\n"),
    ],
)
def test_a_gate_ends_the_run_if_its_rule_is_broken(gate, metrics, rule, status, line):
    assert gate(metrics, {"a": rule}) == (status, line)
