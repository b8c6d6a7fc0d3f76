"""The limits that keep the server alive, on real sockets."""

import os
import socket
import ssl
import time

import pytest

from stages.serving.interfaces import Picture
from stages.serving.mistakes import Mistakes
from stages.serving.web import server, updates
from stages.serving.web.settings import Settings
from tests.stages.serving.web.conftest import PATIENT_S, answer_of, trusting


def _is_closed(connection: socket.socket) -> bool:
    """Wait until the server closes the connection."""
    connection.settimeout(PATIENT_S)
    try:
        while connection.recv(65536):
            pass
    except ConnectionError:
        pass
    return True


def _wait(claim):
    end_s = time.monotonic() + PATIENT_S
    while not claim():
        assert time.monotonic() < end_s
        time.sleep(0.01)


def test_a_connection_carries_many_requests(web):
    request = web.request("GET", "/healthz", Connection="keep-alive")
    with web.connect() as connection:
        for _ in range(5):
            connection.sendall(request)
            assert answer_of(connection).status == 200
        connection.sendall(request * 3)  # without waiting
        data = b""
        while data.count(b"HTTP/1.1 200") < 3:
            data += connection.recv(65536)


def test_a_head_over_the_limit_is_refused(web):
    assert web.get("/healthz", X_Long="x" * 20_000).status == 431
    assert web.get("/" + "x" * 20_000).status == 431
    assert web.send(b"x" * 40_000).status == 431
    assert web.get("/healthz", **{f"X_{n}": "1" for n in range(100)}).status == 431


def test_a_client_that_sends_its_head_slowly_is_closed(opens):
    web = opens({"head_s": 0.2})
    with web.connect() as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: ")
        assert _is_closed(slow)


def test_a_client_that_sends_its_body_slowly_is_told(opens):
    web = opens({"body_s": 0.2})
    request = web.request("POST", "/api/ask", Content_Type="image/jpeg", Content_Length="100")
    with web.connect() as slow:
        slow.sendall(request + b"x")
        assert answer_of(slow).status == 408
        assert _is_closed(slow)


def test_an_idle_connection_is_closed(opens):
    web = opens({"idle_s": 0.2})
    with web.connect() as idle:
        idle.sendall(web.request("GET", "/healthz", Connection="keep-alive"))
        assert answer_of(idle).status == 200
        assert _is_closed(idle)


def test_slow_clients_do_not_keep_others_out(opens):
    web = opens({"per_address": 5, "head_s": PATIENT_S})
    slow = [web.connect() for _ in range(5)]
    for connection in slow:
        connection.sendall(b"GET / HTTP/1.1\r\nX: ")
    _wait(lambda: web.server._site.throttle.connections == 5)
    assert web.get("/healthz").status == 200  # the oldest of them has lost its place
    for connection in slow:
        connection.close()


def test_connections_over_the_limit_are_closed(opens, monkeypatch):
    monkeypatch.setattr(updates, "NUMBERS_S", 0.1)
    web = opens({"per_address": 3})
    streams = []
    for _ in range(3):
        stream = web.connect()
        stream.sendall(web.request("GET", "/api/stream"))
        assert stream.recv(100).startswith(b"HTTP/1.1 200")
        streams.append(stream)
    with web.connect() as more:
        assert _is_closed(more)
    for stream in streams:
        stream.close()
    _wait(lambda: web.server._site.throttle.connections == 0)
    assert 'serving_refused_total{cause="connections"} 1' in web.get("/metrics").body.decode()


def test_streams_over_the_limit_are_refused(opens, monkeypatch):
    monkeypatch.setattr(updates, "NUMBERS_S", 0.1)
    web = opens({"streams": 1})
    with web.connect() as stream:
        stream.sendall(web.request("GET", "/api/stream"))
        assert stream.recv(100).startswith(b"HTTP/1.1 200")
        assert web.get("/api/stream").status == 503
        assert web.get("/pictures/door").status == 503
        assert web.get("/pictures/door.jpg").status == 200
    _wait(lambda: web.server._site.changes.viewers == 0)


def test_a_fast_client_is_delayed(opens):
    web = opens({"requests_per_s": 50.0})
    request = web.request("GET", "/healthz", Connection="keep-alive")
    start_s = time.monotonic()
    with web.connect() as connection:
        for _ in range(40):  # the first 25 come at once
            connection.sendall(request)
            assert answer_of(connection).status == 200
    assert time.monotonic() - start_s >= 14 / 50


def test_what_would_wait_too_long_is_refused(opens):
    web = opens({"requests_per_s": 1.0, "delay_s": 0.0})
    statuses = [web.get("/healthz").status for _ in range(4)]
    assert statuses[0] == 200 and statuses[-1] == 429


def test_a_viewer_that_does_not_read_is_dropped(opens):
    web = opens({"write_s": 0.3, "buffer_bytes": 1024})
    web.feed.pictures["door"] = _picture(500_000)
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", web.port))
        slow.sendall(web.request("GET", "/pictures/door.jpg", Connection="keep-alive") * 20)
        _wait(lambda: web.server._site.throttle.connections == 1)
        _wait(lambda: web.server._site.throttle.connections == 0)


def test_the_end_of_the_server_ends_streams(web):
    with web.connect() as stream:
        stream.sendall(web.request("GET", "/api/stream"))
        assert stream.recv(100).startswith(b"HTTP/1.1 200")
        web.server.close()
        assert _is_closed(stream)
    with pytest.raises(ConnectionRefusedError):
        web.connect()


def test_a_server_that_was_never_started_can_be_closed(tmp_path, web):
    one = server.Server(web.hub, Settings(tmp_path, port=0))
    one.close()


def test_a_server_refuses_to_be_exposed_before_it_makes_a_token(tmp_path, web):
    with pytest.raises(Mistakes, match="needs TLS"):
        server.Server(web.hub, Settings(tmp_path / "new", host="0.0.0.0", tls="off"))
    assert not (tmp_path / "new").exists()


def test_a_server_for_all_addresses_is_called_by_its_name(opens, monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "raspberrypi")
    web = opens(host="0.0.0.0")
    assert web.server.url.startswith("https://raspberrypi.local:")
    assert ":" in web.server.fingerprint
    with trusting().wrap_socket(web.connect(), server_hostname="localhost") as connection:
        connection.sendall(web.request("GET", "/api/state", Host="raspberrypi.local:8800"))
        assert answer_of(connection).status == 200


def test_tls_is_used_and_its_fingerprint_known(opens):
    web = opens(tls="on")
    assert web.server.url.startswith("https://127.0.0.1:")
    with trusting().wrap_socket(web.connect(), server_hostname="localhost") as connection:
        der = connection.getpeercert(binary_form=True)
        assert ssl.DER_cert_to_PEM_cert(der)
        import hashlib

        assert hashlib.sha256(der).hexdigest() == web.server.fingerprint.replace(":", "").lower()
        connection.sendall(web.request("GET", "/api/state"))
        assert answer_of(connection).status == 200


def test_a_viewer_that_does_not_read_is_dropped_with_tls_too(opens):
    web = opens({"write_s": 0.3, "buffer_bytes": 1024}, tls="on")
    web.feed.pictures["door"] = _picture(500_000)
    with trusting().wrap_socket(web.connect(), server_hostname="localhost") as slow:
        slow.sendall(web.request("GET", "/pictures/door"))
        assert slow.recv(100).startswith(b"HTTP/1.1 200")
        _wait(lambda: web.server._site.pictures.viewers == 1)
        for frame in range(2, 2000):
            web.feed.pictures["door"] = _picture(500_000, frame)
            time.sleep(0.01)
            if not web.server._site.pictures.viewers:
                break
        _wait(lambda: web.server._site.throttle.connections == 0)


def test_a_browser_that_forgot_tls_is_shown_the_way_without_the_token(opens):
    web = opens(tls="on")
    answer = web.ask("GET", f"/?token={web.token}", token=False)
    assert (answer.status, answer.headers["location"]) == (308, f"https://{web.host}/")
    assert web.ask("GET", "/", Host="evil.example").status == 403


def test_clients_that_break_tls_are_closed(opens):
    web = opens({"head_s": 0.3}, tls="on")
    for data in (b"\x16\x03\x01" + os.urandom(200), b"\x16", b""):
        with web.connect() as broken:
            broken.sendall(data)
            assert _is_closed(broken)
    _wait(lambda: web.server._site.throttle.connections == 0)


def test_a_server_without_files_to_open_goes_on(web, monkeypatch):
    import asyncio

    refused = web.server._site.tally._refused
    accept = asyncio.SelectorEventLoop.sock_accept
    fails = iter([True])

    async def once(loop, listener):
        found = await accept(loop, listener)
        if next(fails, False):
            found[0].close()
            raise OSError(24, "Too many open files")
        return found

    monkeypatch.setattr(asyncio.SelectorEventLoop, "sock_accept", once)
    for _ in range(3):
        with web.connect() as connection:
            connection.sendall(web.request("GET", "/healthz"))
            connection.settimeout(PATIENT_S)
            answer_of(connection)
    assert web.get("/healthz").status == 200 and refused["files"] == 1


def _picture(size, frame=1):
    return Picture(b"\xff\xd8\xff" + bytes(size), frame, time.time())
