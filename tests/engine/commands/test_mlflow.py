"""`mlflow`: its pages, only on this machine. Refusals are in tests/messages."""

import http.client
import os
import signal
import socket
from contextlib import closing

import pytest

pytest.importorskip("mlflow", reason="the extra 'tracking' is not installed")
pytestmark = pytest.mark.slow


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _answers(address: str, port: int) -> bool:
    try:
        with closing(http.client.HTTPConnection(address, port, timeout=10)) as connection:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
    except OSError:
        return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_pages_answer_on_loopback_and_end_with_the_command(project, number):
    port = _free_port()
    # nohup lets tests ignore SIGHUP
    before = ["env", "--default-signal"]
    served = project.start("mlflow", f"port={port}", before=before, start_new_session=True)
    said = [served.stdout.readline(), served.stdout.readline()]
    assert said == [
        "starting MLflow; this takes a few seconds\n",
        f"http://127.0.0.1:{port}/#/experiments?workflowType=machine_learning (press Ctrl-C to stop)\n",
    ]
    assert _answers("127.0.0.1", port)  # as soon as the address is printed
    assert not _answers("127.0.0.2", port)
    os.kill(served.pid, number)
    assert served.communicate(timeout=300) == ("stopping MLflow\n", "")
    assert served.returncode == 0
    assert not _answers("127.0.0.1", port)
    project.until(lambda: not project.processes(), within_s=300)


def test_a_server_that_ends_by_itself_is_reported_with_its_log(project):
    served = project.start("mlflow", f"port={_free_port()}", start_new_session=True)
    served.stdout.readline(), served.stdout.readline()
    servers = [pid for pid in project.processes() if pid != served.pid]
    for pid in servers:
        os.kill(pid, signal.SIGKILL)
    said = served.communicate(timeout=300)[0].splitlines()
    assert served.returncode == 1
    assert said[0] == "error: MLflow's server exited unexpectedly"
    assert said[-1] == f"full log: {project.outputs}/.engine/mlflow/server.log"


def test_a_port_that_is_taken_is_refused_before_anything_starts(project):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        served = project.start("mlflow", f"port={port}")
        out, err = served.communicate(timeout=300)
    assert (served.returncode, out) == (2, "")
    where, what, fix = err.splitlines()
    assert (where, what) == (f"port={port}", "  another program is using this port")
    assert fix.startswith("  write port=")
    assert not (project.outputs / "mlflow.db").exists()
