"""What `doctor` reports about runs and MLflow, with servers that respond correctly, oddly, or not at all."""

import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from engine.doctor import tracking

NONE = {"enabled": True, "uri": None}


@pytest.fixture
def server():
    """A server that answers each request with the status in the first part of its path."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(int(self.path.split("/")[1]))
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{made.server_port}"
        made.shutdown()
        thread.join()


def _said(tmp_path, uri):
    return tracking.mlflow(tmp_path, {"enabled": True, "uri": uri})[1]


def test_runs_are_counted(ran):
    assert tracking.mlflow(ran.outputs, NONE)[0].what == f"1 runs below {ran.outputs}"


def test_the_database_of_the_outputs_is_made_by_the_first_run(tmp_path):
    assert (
        tracking.mlflow(tmp_path, NONE)[1].what
        == "MLflow: sqlite below outputs/, created by the first run"
    )
    (tmp_path / "mlflow.db").touch()
    assert tracking.mlflow(tmp_path, NONE)[1].what == "MLflow: sqlite below outputs/"


def test_without_tracking_there_is_nothing_to_look_for(tmp_path):
    assert tracking.mlflow(tmp_path, {"enabled": False})[1].is_there


@pytest.mark.parametrize(
    ("status", "is_there"), [(200, True), (401, True), (403, True), (404, False), (500, False)]
)
def test_a_server_is_there_if_it_answers_as_one(tmp_path, server, status, is_there):
    found = _said(tmp_path, f"{server}/{status}")
    assert (found.is_there, f"{server}/{status}" in found.what) == (is_there, True)


def test_a_server_that_hangs_is_given_up(tmp_path, deaf):
    begin = time.monotonic()
    assert (
        _said(tmp_path, f"http://{deaf}").what
        == f"MLflow: http://{deaf} does not answer (timed out)"
    )
    assert time.monotonic() - begin < 60


def test_a_server_that_is_away_holds_no_run_up(tmp_path, free_port):
    found = _said(tmp_path, f"http://127.0.0.1:{free_port}")
    assert (
        found.what == f"MLflow: http://127.0.0.1:{free_port} does not answer (Connection refused)"
    )
    assert (found.is_there, found.fix) == (
        False,
        "runs continue without it; when it is back: python run.py sync",
    )


@pytest.mark.parametrize(
    "uri",
    [
        "http://ann:canary@127.0.0.1:1",
        "http://ann:canary@127.0.0.1:x",
        "ftp://ann:canary@host",
        "http://ann:canary@[/",
    ],
)
def test_a_password_in_the_tracking_address_is_not_shown(tmp_path, uri):
    found = _said(tmp_path, uri)
    assert not found.is_there and "canary" not in found.what + found.fix


def test_an_address_that_mlflow_does_not_take_is_reported(tmp_path):
    found = _said(tmp_path, "mlruns")
    assert (
        not found.is_there
        and found.fix == "leave it null, or set a database: sqlite:////path/to/mlflow.db"
    )
