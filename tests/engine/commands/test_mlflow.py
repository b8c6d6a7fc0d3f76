"""`mlflow`: its own page, on this machine alone. What it is refused for is in tests/messages."""

import http.client
import os
import signal
import socket
from contextlib import closing

import pytest

pytest.importorskip("mlflow", reason="the extra 'tracking' is not installed")


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


def test_the_page_answers_on_loopback_and_ends_with_the_command(project):
    port = _free_port()
    served = project.start("mlflow", f"port={port}", start_new_session=True)
    project.until(lambda: _answers("127.0.0.1", port), within_s=300)
    assert not _answers("127.0.0.2", port)
    os.killpg(served.pid, signal.SIGINT)
    served.communicate(timeout=300)
    project.until(lambda: not project.processes(), within_s=300)
