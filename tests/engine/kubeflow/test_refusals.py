"""Why a server could not be reached, in plain words: real connections that fail."""

import socket
import threading

import pytest
import requests
import urllib3

from engine.kubeflow import refusals
from tests import services
from tests.speaker import Speaker

TIMEOUT_S = 0.2


def _of_requests(url: str) -> BaseException:
    with pytest.raises(requests.RequestException) as found:
        requests.get(url, timeout=TIMEOUT_S)
    return found.value


def _of_urllib3(url: str) -> BaseException:
    with pytest.raises(urllib3.exceptions.HTTPError) as found:
        urllib3.PoolManager().request("GET", url, timeout=TIMEOUT_S, retries=False)
    return found.value


@pytest.fixture(params=[_of_requests, _of_urllib3])
def explained(request):
    """Return a function that says why a library cannot reach an address."""
    return lambda url: refusals.explained(request.param(url))


@pytest.fixture
def silent():
    """The port of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_closed_port_refuses_the_connection(explained):
    assert "connection is refused" in explained(f"http://127.0.0.1:{services.free_port()}")


def test_an_unknown_name_is_no_host(explained):
    assert explained("http://nobody.invalid") == "no host of this name is found"


def test_a_silent_server_does_not_answer_in_time(explained, silent):
    assert explained(f"http://127.0.0.1:{silent}") == "it does not answer in time"


def test_a_server_that_hangs_up_closes_the_connection(explained):
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=lambda: server.accept()[0].close())
        thread.start()
        said = explained(f"http://127.0.0.1:{server.getsockname()[1]}")
        thread.join()
    assert said == "it closes the connection without an answer"


def test_a_server_without_tls_is_named_as_such(explained):
    with Speaker.running() as speaker:
        said = explained(f"https://{speaker.host}")
    assert said == "its TLS connection fails: the server answers without TLS"


def test_a_certificate_that_nobody_signed_is_not_trusted(explained, certificate):
    from tests.kubeflow_api import KubeflowApi

    with KubeflowApi(*certificate) as server:
        said = explained(server.url)
    assert said == "its TLS certificate is not trusted: self-signed certificate"


def test_only_tls_is_of_tls():
    with Speaker.running() as speaker:
        assert refusals.is_of_tls(_of_requests(f"https://{speaker.host}"))
    assert not refusals.is_of_tls(_of_requests(f"http://127.0.0.1:{services.free_port()}"))


def test_an_error_without_a_message_is_named_by_its_type():
    assert refusals.explained(requests.RequestException()) == "RequestException"
