"""Runs in a real MLflow: on sqlite, and behind a real server that is away, slow or answers too late."""

import http.client
import http.server
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mlflow", reason="the extra 'tracking' is not installed")

from engine import journal
from engine.errors import UserError
from engine.events import RunState, replay
from engine.mlflow import cursor as cursors
from engine.mlflow import entries
from engine.mlflow.backend import resolve
from engine.mlflow.bounds import Bounds
from engine.mlflow.sync import sync
from engine.sinks import mlflow as sink
from tests.mlflow_runs import (
    ASSET,
    LONG,
    append,
    database,
    free_port,
    make_folder,
    snapshot,
    until,
    whole_run,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # warnings of MLflow and its dependencies
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, fresh_database: Path) -> Iterator[str]:
    """The address of a real server on loopback, which is on its way up."""
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    (folder / "mlflow.db").write_bytes(fresh_database.read_bytes())
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--workers",
        "1",
        "--allowed-hosts",
        "127.0.0.1:*,127.0.0.1",
        "--backend-store-uri",
        database(folder),
        "--artifacts-destination",
        str(folder / "artifacts"),
    ]
    with (folder / "server.log").open("wb") as log:
        environment = {
            **os.environ,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }
        process = subprocess.Popen(
            command, stdout=log, stderr=log, start_new_session=True, env=environment
        )
    yield f"http://127.0.0.1:{port}"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def is_healthy(server: str) -> bool:
    try:
        connection = http.client.HTTPConnection(server.removeprefix("http://"), timeout=1)
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False


@pytest.fixture
def recorded(outputs: Path, events: Any, make_job: Any) -> dict[str, Any]:
    """What MLflow knows of the whole run when nothing went wrong: the events came one by one, beside a
    sender.
    """
    found = whole_run(events, make_job)
    folder = make_folder(outputs, found[:1])
    follower = sink.Sink(folder, outputs, {})
    until(lambda: cursors.load(folder, resolve(outputs, {}).key).seq >= 0, 120)
    for event in found[1:]:
        append(folder, [event])
        time.sleep(0.02)
    follower.close()
    until(lambda: follower.outcome.startswith("recorded ("), 60)
    return snapshot(database(outputs))


@pytest.mark.usefixtures("server")  # which comes up meanwhile
def test_a_run_is_a_parent_with_a_child_for_each_stage(recorded: dict[str, Any]) -> None:
    assert set(recorded) == {"r1/", "r1/split", "r1/train", "r1/package"}
    assert {run["status"] for run in recorded.values()} == {"FINISHED"}
    assert recorded["r1/train"]["tags"]["mlflow.parentRunId"] == "PARENT"
    parent, train = recorded["r1/"], recorded["r1/train"]
    assert len(parent["params"]) == 152 and len(parent["params"]["long"]) == 6000
    assert parent["params"]["odd key_"] == "ü" and train["params"] == {"lr": "0.1"}
    curve = [
        (0, 3.0),
        (0, 1.0),
        (1, 0.5),
        (2, 1 / 3),
        (2, 0.3),
    ]  # the first attempt's, the second's, the final value
    assert [point[1:] for point in train["points"]["loss"]] == curve
    assert train["last"]["loss"] == 0.3 and parent["last"] == {
        "split.rows": 100,
        "train.accuracy": 0.9,
        "train.loss": 0.3,
        "package.latency_ms: simulated on x86_64": 4.5,
        "objective": 0.9,
    }
    assert parent["name"] == "lr=0.1 on rpi4 (demo)" and train["name"] == "train"
    assert all(value for run in recorded.values() for value in run["tags"].values())
    assert recorded["r1/split"]["inputs"][0][:2] == ("yoga", "ab" * 18)
    assert (
        recorded["r1/split"]["tags"]["rpi.cached"] == "true"
        and parent["tags"]["rpi.sample_data"] == "true"
    )
    assert recorded["r1/package"]["tags"]["rpi.measured_on"] == "simulated on x86_64"
    assert (
        train["tags"]["rpi.gate.accuracy"] == "passed: 0.9 (rule: >= 0.95)"
        and train["status"] == "FINISHED"
    )
    bias = "not evaluated: no value (rule: <= 0 if measured)"
    assert train["tags"]["rpi.gate.bias"] == parent["tags"]["rpi.gate.train.bias"] == bias
    assert parent["tags"]["rpi.gates"] == "1 passed, 1 not evaluated"
    assert recorded["r1/split"]["files"] == ["out"]
    assert [file.partition("-")[0] for file in train["files"]] == [
        "figures/confusion_matrix",  # .html
        "figures/confusion_matrix",  # .json
        "figures/globe",  # .json alone: no such kind is known here
        "out",
    ]
    about = ("config.json", "journal.jsonl", "metrics.json", "run.json")
    assert parent["files"] == ["report.html", *(f"run/{name}" for name in about)]
    description = parent["tags"]["mlflow.note.content"]
    assert description.startswith(
        "**train.accuracy = 0.9** · gates: 1 passed, 1 not evaluated"
        " · [report](#/experiments/1/runs/PARENT/artifacts/report.html?workflowType=machine_learning)"
    )
    assert "**Sample data** (yoga)" in description
    assert "secret" not in json.dumps(recorded)


def test_what_sync_sends_later_is_what_an_undisturbed_run_sends(
    server: str, recorded: dict[str, Any], events: Any, make_job: Any, tmp_path: Path
) -> None:
    port = free_port()
    settings = {"uri": f"http://ann:secret@127.0.0.1:{port}", "experiment": "away"}
    outputs = tmp_path / "away"
    folder = make_folder(outputs, whole_run(events, make_job))
    follower = sink.Sink(folder, outputs, settings)
    began = time.monotonic()
    follower.close()
    assert time.monotonic() - began < 4  # a short run's share, not the longest wait
    until(lambda: "does not answer" in follower.outcome and is_free(folder), 120)
    assert follower.outcome.endswith("to send the run later: python run.py sync")
    until(lambda: is_healthy(server), 200)
    with Proxy(server, port):  # now it is back
        assert sync(outputs, settings).sent == ["r1"]
        assert snapshot(server, "away") == recorded
        assert sync(outputs, settings).complete == ["r1"]
        (folder / cursors.FILE_NAME).unlink()  # lost: all is sent again
        assert sync(outputs, settings).sent == ["r1"]
    assert snapshot(server, "away") == recorded
    written = [path.read_text() for path in folder.glob("*mlflow*")]
    assert not any("secret" in text for text in written)


def test_a_request_carried_out_and_never_answered_makes_nothing_twice(
    server: str, recorded: dict[str, Any], events: Any, make_job: Any, tmp_path: Path
) -> None:
    cached = "a" * 64  # not what another test recorded on this server
    make_folder(tmp_path / "late", whole_run(events, make_job, cached=cached))
    settings, reports = {"uri": f"http://127.0.0.1:{free_port()}", "experiment": "late"}, []
    until(lambda: is_healthy(server), 200)
    with Proxy(server, int(settings["uri"].rpartition(":")[2]), throws_away=True) as proxy:
        while not reports or reports[-1].problems:
            reports.append(sync(tmp_path / "late", settings))
    assert (
        len(reports) > 5 and len(proxy.lost) > 5
    )  # experiment, runs, batches, inputs, tags, ends, files
    recorded["r1/split"]["tags"]["rpi.fingerprint"] = cached
    assert snapshot(server, "late") == recorded


def is_free(folder: Path) -> bool:
    with cursors.held(folder, 0) as is_mine:
        return is_mine


class Proxy:
    """Passes every request on; the answer to the first of each kind of change, it throws away."""

    def __init__(self, behind: str, port: int, throws_away: bool = False) -> None:
        self.lost: set[tuple[str, str]] = set()

        class Handler(http.server.BaseHTTPRequestHandler):
            def pass_on(handler) -> None:
                status, kind, content = forward(handler, behind)
                change = (handler.command, re.sub(r"[0-9a-f]{32}", "", handler.path))
                if throws_away and is_change(change) and change not in self.lost:
                    self.lost.add(change)
                    return handler.connection.close()
                handler.send_response(status)
                handler.send_header("Content-Type", kind)
                handler.send_header("Content-Length", str(len(content)))
                handler.end_headers()
                handler.wfile.write(content)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = pass_on

            def log_message(self, *words: Any) -> None:
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)

    def __enter__(self) -> "Proxy":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def is_change(request: tuple[str, str]) -> bool:
    return request[0] != "GET" and "search" not in request[1]


def forward(handler: http.server.BaseHTTPRequestHandler, behind: str) -> tuple[int, str, bytes]:
    body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
    connection = http.client.HTTPConnection(behind.removeprefix("http://"), timeout=10)
    connection.request(
        handler.command,
        handler.path,
        body,
        {"Content-Type": handler.headers.get("Content-Type") or ""},
    )
    answer = connection.getresponse()
    return answer.status, answer.getheader("Content-Type") or "application/json", answer.read()


def test_six_processes_at_once_on_no_database_all_succeed(
    tmp_path: Path, events: Any, make_job: Any
) -> None:
    outputs = tmp_path / "six"
    for i in range(6):
        make_folder(outputs, whole_run(events, make_job, f"r{i}", cached=f"{i:064}"), f"r{i}")
    code = """
        import os, sys, mlflow.tracking; from pathlib import Path; from engine.mlflow.sync import sync
        for _ in range(6):
            if os.fork() == 0:
                os._exit(bool(sync(Path(sys.argv[1]), {}).problems))
        sys.exit(any(os.wait()[1] for _ in range(6)))
    """  # forked after the import, so that they meet at the database
    command = [sys.executable, "-c", textwrap.dedent(code), str(outputs)]
    assert subprocess.run(command, check=False, timeout=300).returncode == 0
    found = snapshot(database(outputs))
    assert len(found) == 24 and {run["status"] for run in found.values()} == {"FINISHED"}


def test_a_killed_engine_leaves_a_killed_run(outputs: Path, events: Any, make_job: Any) -> None:
    folder = make_folder(outputs, whole_run(events, make_job)[:6])  # in the middle of train
    code = """
        import sys, time; from pathlib import Path; from engine.sinks.mlflow import Sink
        Sink(Path(sys.argv[1]), Path(sys.argv[2]), {}); time.sleep(60)
    """
    engine = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(folder), str(outputs)]
    )
    backend = resolve(outputs, {})
    until(lambda: cursors.load(folder, backend.key).seq == 5, 120)
    assert sync(outputs, {}).running == ["r1"]
    engine.kill()
    assert until(lambda: cursors.load(folder, backend.key).is_closed, 10) < 5
    engine.wait()
    status = {name: run["status"] for name, run in snapshot(database(outputs)).items()}
    assert status == {"r1/": "KILLED", "r1/split": "FINISHED", "r1/train": "KILLED"}


def test_a_rejected_run_has_failed_and_says_so(outputs: Path, events: Any, make_job: Any) -> None:
    make_folder(outputs, whole_run(events, make_job, status="rejected"))
    assert sync(outputs, {}).sent == ["r1"]
    found = snapshot(database(outputs))
    assert found["r1/"]["status"] == "FAILED" and found["r1/"]["tags"]["status"] == "rejected"
    assert (
        found["r1/train"]["status"] == "FAILED"
        and found["r1/package"]["tags"]["rpi.state"] == "skipped"
    )


def test_a_pruned_run_was_killed_and_says_so(outputs: Path, events: Any, make_job: Any) -> None:
    events.events = []
    cut = events.start([make_job("train")], run_id="r1").started("train")
    cut.add("job_skipped", stage="train", because="it promises little")
    make_folder(outputs, cut.done("pruned").events)
    sync(outputs, {})
    found = snapshot(database(outputs))
    assert found["r1/"]["status"] == found["r1/train"]["status"] == "KILLED"
    assert found["r1/"]["tags"]["rpi.status"] == "pruned"
    assert found["r1/train"]["tags"]["rpi.because"] == "it promises little"


@pytest.mark.parametrize(
    ("file", "manifest"),
    [
        ("model.tflite", {}),
        ("models/x/int8.tflite", {"v": 2, "models": {"x": {"int8": "models/x/int8.tflite"}}}),
    ],
    ids=["version 1", "version 2"],
)
def test_a_packed_model_is_an_mlflow_model_that_predicts(
    outputs: Path,
    events: Any,
    make_job: Any,
    file: str,
    manifest: dict[str, Any],
    recwarn: pytest.WarningsRecorder,
) -> None:
    tensorflow = pytest.importorskip("tensorflow")
    folder = make_folder(outputs, whole_run(events, make_job))
    package = folder / "artifacts" / "package" / "package"
    package.mkdir(parents=True)
    double = tensorflow.function(lambda x: 2.0 * x, input_signature=[tensorflow.TensorSpec([1, 4])])
    converter = tensorflow.lite.TFLiteConverter.from_concrete_functions(
        [double.get_concrete_function()]
    )
    (package / file).parent.mkdir(parents=True, exist_ok=True)
    (package / file).write_bytes(converter.convert())
    (package / "manifest.json").write_text(json.dumps(manifest))
    (package / "card.md").write_text("# What it is for")
    (folder / "model_card.md").write_text("# What it is for, and which run made it")
    journal_file = folder / journal.FILE_NAME
    journal_file.write_text(
        journal_file.read_text().replace(
            '"outputs": {"out": "sha256:1', '"outputs": {"package": "sha256:1'
        )
    )
    patient = Bounds(
        request_s=300, waiting_s=300
    )  # to import what a model needs takes a busy machine long
    report = sync(outputs, {}, patient)
    assert (report.problems, report.sent) == ({}, ["r1"])
    import mlflow
    from mlflow.tracking import MlflowClient

    client = MlflowClient(database(outputs), registry_uri=database(outputs))
    (model,) = client.search_logged_models([client.get_experiment_by_name("demo").experiment_id])
    check_pages(client, model)
    (folder / cursors.FILE_NAME).unlink()  # lost: all is sent again, and nothing is there twice
    assert sync(outputs, {}, patient).sent == ["r1"]
    check_pages(client, client.get_logged_model(model.model_id))
    loaded = mlflow.pyfunc.load_model(model.artifact_location)
    assert loaded.metadata.signature.inputs.inputs[0].shape == (-1, 4)
    batch = [[1.0, 2.0, 3.0, 4.0]] * 3
    import numpy

    (name,) = loaded.metadata.signature.inputs.input_names()
    tensor = numpy.array(batch, "float32")
    for given in (tensor, {name: tensor}):
        (result,) = loaded.predict(given).values()
        assert result.tolist() == (2 * numpy.array(batch)).tolist()
    assert not [warning for warning in recwarn if "type hints" in str(warning.message)]


def check_pages(client: Any, model: Any) -> None:
    """The model's page has what the run knows of it, and the parent's page names the model."""
    assert {metric.key: metric.value for metric in model.metrics} == {
        "split.rows": 100,
        "train.accuracy": 0.9,
        "train.loss": 0.3,
        "package.latency_ms: simulated on x86_64": 4.5,
        "objective": 0.9,
    }
    assert len(model.metrics) == 5
    assert {(one.dataset_name, one.dataset_digest) for one in model.metrics} == {
        ("yoga", "ab" * 18)
    }
    assert model.params["odd key_"] == "ü" and len(model.params) == 152
    assert model.tags["mlflow.note.content"] == "# What it is for, and which run made it"
    assert model.tags["rpi.sample_data"] == "true"
    (parent,) = client.search_runs([model.experiment_id], "attributes.run_name LIKE '% (demo)'")
    assert [one.model_id for one in parent.outputs.model_outputs] == [model.model_id]
    assert model.source_run_id == parent.info.run_id  # or the list of runs shows no model
    assert f"/models/{model.model_id}?" in parent.data.tags["mlflow.note.content"]
    history = client.get_metric_history(parent.info.run_id, "objective")
    assert [point.value for point in history] == [0.9]


def test_a_sample_that_a_stage_makes_has_the_digest_and_the_source_of_what_was_made(
    outputs: Path, events: Any, make_job: Any
) -> None:
    sample = ASSET | {"name": "toy", "digest": None, "source": "", "path": None}
    events.start([make_job("videos")], assets=[sample], run_id="r1")
    events.started("videos").finished("videos")
    make_folder(outputs, events.done().events)
    assert sync(outputs, {}).sent == ["r1"]
    ((name, digest, source),) = snapshot(database(outputs))["r1/"]["inputs"]
    made = next(event for event in events.events if event["event"] == "job_finished")
    assert name == "toy" and source == '{"uri": "stages.demo.videos"}'
    assert digest == made["outputs"]["out"].rpartition(":")[2][:36]


def test_a_cached_model_is_linked_and_keeps_the_metrics_of_its_own_run(
    outputs: Path, events: Any, make_job: Any
) -> None:
    from mlflow.tracking import MlflowClient

    from engine.mlflow import model

    jobs, package = [make_job("package")], {"package": "sha256:" + "1" * 64}
    events.start(jobs, run_id="r1").started("package", fingerprint="a" * 64)
    events.finished("package", size=1.0)
    events.events[-1]["outputs"] = package
    make_folder(outputs, list(events.done().events), "r1")
    sync(outputs, {})
    client = MlflowClient(database(outputs), registry_uri=database(outputs))
    experiment = client.get_experiment_by_name("demo").experiment_id
    (child,) = client.search_runs([experiment], "tags.`rpi.stage` = 'package'")
    made = client.create_logged_model(experiment, "m", child.info.run_id)
    model.link(client, child.info.run_id, made.model_id)
    events.events.clear()
    events.start(jobs, run_id="r2").cached("package", fingerprint="a" * 64, outputs=package)
    make_folder(outputs, events.done().events, "r2")
    (outputs / "demo" / "rpi4" / "r2" / "model_card.md").write_text("# Of another run")
    assert sync(outputs, {}).sent == ["r2"]
    (parent,) = client.search_runs([experiment], "tags.`rpi.run_id` = 'r2'")
    assert [one.model_id for one in parent.outputs.model_outputs] == [made.model_id]
    found = client.get_logged_model(made.model_id)
    assert not found.metrics and "mlflow.note.content" not in found.tags
    client.delete_logged_model(made.model_id)
    for folder in (outputs / "demo" / "rpi4").iterdir():
        (folder / cursors.FILE_NAME).unlink()
    assert sync(outputs, {}).sent == ["r1", "r2"]  # without the model that a user deleted


@pytest.mark.parametrize("uri", ["mlruns", "file:///data/mlruns", "/data/mlruns"])
def test_a_file_store_is_refused_with_a_fix(tmp_path: Path, uri: str) -> None:
    with pytest.raises(UserError, match=r"sqlite:////"):
        sink.Sink(tmp_path, tmp_path, {"uri": uri})


def test_a_database_of_another_mlflow_is_left_as_it_is(
    outputs: Path, events: Any, make_job: Any
) -> None:
    import sqlite3

    with sqlite3.connect(outputs / "mlflow.db") as connection:
        connection.execute("update alembic_version set version_num = 'f5a4f2784254'")
    make_folder(outputs, whole_run(events, make_job))
    problem = sync(outputs, {}).problems["r1"]
    assert (
        "the database has MLflow's schema f5a4f2784254; the MLflow installed here needs " in problem
    )
    assert problem.endswith(
        "back it up, then: mlflow db upgrade <its URI> (or install the MLflow that created it)"
    )


def test_an_experiment_that_was_deleted_is_named_with_a_fix(
    outputs: Path, events: Any, make_job: Any
) -> None:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(database(outputs), registry_uri=database(outputs))
    client.delete_experiment(client.create_experiment("demo"))
    make_folder(outputs, whole_run(events, make_job))
    assert sync(outputs, {}).problems == {
        "r1": "tracking.experiment: the experiment 'demo' is deleted in MLflow;"
        " restore it (mlflow experiments restore), or set tracking.experiment to another name"
    }


def test_nothing_of_mlflow_is_imported_by_the_engine() -> None:
    code = (
        "import sys, engine.sinks.mlflow; sys.exit(any(m.split('.')[0] in ('mlflow', 'pandas') for "
        "m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_credentials_are_kept_apart_from_the_uri(tmp_path: Path) -> None:
    backend = resolve(tmp_path, {"uri": "https://ann:se%40cret@host:5000/x"})
    assert (backend.uri, backend.username, backend.password) == (
        "https://host:5000/x",
        "ann",
        "se@cret",
    )
    assert (
        resolve(tmp_path, {"uri": "postgresql://ann:secret@host/db"}).shown
        == "postgresql://***@host/db"
    )


def test_values_are_cut_and_made_valid() -> None:
    assert len(entries.text(LONG)) == 6000
    assert entries.text("\udcff") == "?" and entries.text([1, "ü"]) == '[1, "ü"]'


def test_each_entry_of_a_mapping_is_a_parameter_by_which_runs_are_compared() -> None:
    params = {"seed": 1, "model": {"trees": 5, "depth": None}, "nothing": {}}
    event = {"event": "run_started", "jobs": [], "assets": [], "params": params, "time": 1.0}
    (entry,) = entries.entries(event, RunState())
    assert entry.params == {
        "seed": "1",
        "model.trees": "5",
        "model.depth": "null",
        "nothing": "{}",
    }


def test_the_values_of_a_foreach_and_what_they_are_together_reach_the_parent() -> None:
    ended = {"event": "job_finished", "attempt": 1, "seconds": 1.0, "outputs": {}}
    jobs = [{"stage": f"train@{fold}"} for fold in (0, 1)]
    events = [
        {"event": "run_started", "jobs": jobs, "time": 1.0},
        {**ended, "stage": "train@0", "metrics": {"accuracy": 0.8}, "time": 2.0},
        {**ended, "stage": "train@1", "metrics": {"accuracy": 1.0}, "time": 3.0},
    ]
    state, points = RunState(), []
    for event in events:
        replay([event], state)
        if event["event"] == "job_finished":
            points += [
                p
                for entry in entries.entries(event, state)
                if entry.stage is None
                for p in entry.points
            ]
    assert [(name, round(value, 3)) for name, value, _, _ in points] == [
        ("train-0.accuracy", 0.8),
        ("train-1.accuracy", 1.0),
        ("train.accuracy.mean", 0.9),
        ("train.accuracy.sd", 0.141),
    ]
