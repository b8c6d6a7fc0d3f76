"""The server under abuse: 10,000 bad requests, and hundreds of slow clients; it stays up and small."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from pathlib import Path

import pytest

from tests.stages.serving.web.conftest import PATIENT_S, Web

REQUESTS = 10_000
pytestmark = pytest.mark.slow


def _bad(web: Web, chance: random.Random) -> bytes:
    """Return one of many kinds of bad requests."""
    noise = chance.randbytes(chance.randrange(1, 400))
    good = web.request("GET", "/api/state")
    body = web.request("POST", "/api/ask", noise, Content_Type="application/json")
    cut = chance.randrange(1, len(good))
    flipped = bytearray(body)
    flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
    return chance.choice(
        [
            noise,
            noise + b"\r\n\r\n",
            good[:cut],
            body,
            bytes(flipped),
            good.replace(b"HTTP/1.1", b"HTTP/" + noise[:3]),
            good.replace(b"/api/state", b"/" + noise.hex().encode()),
            good.replace(b"Host: ", b"Host: evil.example\r\nX: "),
            good.replace(b"Bearer", b"Bearer wrong"),
            good.replace(b"GET", b"\x16\x03\x01\x02\x00"),
            web.request("POST", "/api/ask", Content_Length="99999999999"),
            web.request("POST", "/api/ask", Transfer_Encoding="chunked"),
            web.request("POST", "/api/ask", b"\xff\xd8\xff" + noise, Content_Type="image/jpeg"),
            web.request("GET", "/pictures/%2e%2e%2f%2e%2e%2fetc%2fpasswd"),
            web.request("GET", "/snapshots/..%2f..%2f..%2fetc%2fpasswd"),
            web.request("GET", "/api/events?after=99999999999999999999"),
            web.request("GET", f"/{'x' * chance.randrange(20_000)}"),
            web.request("BREW", "/"),
            b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * chance.randrange(2000),
            b"\r\n" * chance.randrange(1, 100),
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ]
    )


def _statuses(web: Web, seed: int, count: int, found: list[int]) -> None:
    chance = random.Random(seed)
    for _ in range(count):
        with web.connect() as connection, contextlib.suppress(ConnectionError):
            connection.sendall(_bad(web, chance))
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(65536)
            found.append(int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else 0)


def _memory_mb() -> float:
    text = Path("/proc/self/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0]) / 1024


def test_ten_thousand_bad_requests_leave_the_server_as_it_was(opens):
    web = opens({"requests_per_s": 1e9, "tokens_s": 0.0})
    found: list[int] = []
    _statuses(web, 0, 500, [])
    before_mb = _memory_mb()
    threads = [
        threading.Thread(target=_statuses, args=(web, seed, REQUESTS // 8, found))
        for seed in range(1, 9)
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert web.get("/api/state").status == 200  # others are answered meanwhile
        time.sleep(0.05)
    assert len(found) > 0.95 * REQUESTS
    assert {400, 401, 403, 404, 405, 413, 431, 501} - set(found) <= {405}
    assert not [status for status in found if status >= 500 and status not in (501, 505)]
    assert web.said == []  # no error of ours
    assert _memory_mb() - before_mb < 20
    end_s = time.monotonic() + PATIENT_S
    while web.server._site.throttle.connections:
        assert time.monotonic() < end_s
        time.sleep(0.05)


def test_hundreds_of_slow_clients_keep_nobody_out(opens):
    """Slowloris: every client sends a byte of its head now and then, and connects again when closed."""
    web = opens()
    has_ended = threading.Event()

    def slow(number: int) -> None:
        while not has_ended.is_set():
            with contextlib.suppress(OSError), web.connect() as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
                while not has_ended.wait(0.2):
                    connection.sendall(b"x")

    threads = [threading.Thread(target=slow, args=(number,)) for number in range(300)]
    for thread in threads:
        thread.start()
    try:
        time.sleep(2)
        answered = 0
        for _ in range(20):
            with contextlib.suppress(OSError):
                answered += web.get("/api/state").status == 200
        assert answered >= 18
        assert web.server._site.throttle.connections <= 64
    finally:
        has_ended.set()
        for thread in threads:
            thread.join()


def test_slow_clients_of_another_address_do_not_keep_the_others_out(opens):
    web = opens()
    slow = []
    for number in range(200):
        connection = socket.socket()
        connection.bind((f"127.0.0.{2 + number % 4}", 0))
        connection.connect(("127.0.0.1", web.port))
        connection.sendall(b"GET / HTTP/1.1\r\nX: ")
        slow.append(connection)
    assert all(web.get("/api/state").status == 200 for _ in range(20))
    for connection in slow:
        connection.close()
