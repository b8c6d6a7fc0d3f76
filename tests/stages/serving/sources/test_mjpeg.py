"""Cameras that send JPEGs over HTTP, good ones and bad ones, on a real server."""

import base64
import contextlib
import dataclasses
import hashlib
import http.server
import io
import re
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.stages.serving.sources.cameras import QUICK, Camera


def jpeg(grey, height=24, width=32):
    data = io.BytesIO()
    Image.fromarray(np.full((height, width, 3), grey, np.uint8)).save(data, "JPEG")
    return data.getvalue()


GREYS = [40, 80, 120, 160]
MULTIPART = "multipart/x-mixed-replace; boundary=frame"


def part(data, with_length=True):
    length = f"Content-Length: {len(data)}\r\n" if with_length else ""
    return f"--frame\r\nContent-Type: image/jpeg\r\n{length}\r\n".encode() + data + b"\r\n"


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by the path; `asked` are the paths and the headers so far."""

    protocol_version = "HTTP/1.1"
    asked: "list[tuple[str, dict]]"
    over: threading.Event

    def log_message(self, *words):
        """Print nothing."""

    def do_GET(self):
        self.asked.append((self.path, dict(self.headers)))
        self.close_connection = True
        with contextlib.suppress(OSError):  # the reader has gone
            getattr(self, f"do_{self.path.strip('/').partition('?')[0]}")()

    def head(self, kind=MULTIPART, status=200, **headers):
        self.send_response(status)
        if kind:
            self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def send(self, *pieces, gap_s=0.0):
        for piece in pieces:
            self.wfile.write(piece)
            self.over.wait(gap_s)

    def endless(self):
        while not self.over.is_set():
            self.send(*(part(jpeg(grey)) for grey in GREYS), gap_s=0.01)

    def do_camera(self):
        self.head()
        self.endless()

    def do_unlabelled(self):
        """Parts without a length, no boundary that fits, sent in odd pieces."""
        self.head("multipart/x-mixed-replace;boundary=other")
        stream = b"".join(part(jpeg(grey), False) for grey in GREYS) * 3
        self.send(*(stream[at : at + 501] for at in range(0, len(stream), 501)), gap_s=0.002)
        self.over.wait()

    def do_chunked(self):
        self.head(Transfer_Encoding="chunked")
        while not self.over.is_set():
            data = part(jpeg(90))
            self.send(f"{len(data):x}\r\n".encode() + data + b"\r\n", gap_s=0.01)

    def do_stalls(self):
        self.head()
        self.send(part(jpeg(90)))
        self.over.wait()

    def do_ends(self):
        self.head()
        self.send(part(jpeg(90)))

    def do_grows(self):
        self.head()
        while not self.over.is_set():
            self.send(part(jpeg(90)), part(jpeg(90, 48, 64)), gap_s=0.02)

    def do_halves(self):
        self.head()
        while not self.over.is_set():
            self.send(part(jpeg(90)), part(jpeg(90)[:500]), gap_s=0.02)

    def do_cut(self):
        self.head()
        self.send(part(jpeg(90)), part(jpeg(90))[:400])

    def do_text(self):
        self.head("text/html")
        self.send(b"<html>" + part(jpeg(90)))

    def do_snapshot(self):
        data = jpeg(GREYS[len(self.asked) % 4])
        self.head("image/jpeg", Content_Length=str(len(data)))
        self.send(data)

    def do_header(self):
        """A header that never ends, a byte now and then."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        while not self.over.wait(0.05):
            self.wfile.write(b"x")

    def do_silent(self):
        self.over.wait()

    def do_garbage(self):
        self.head()
        while not self.over.is_set():
            self.send(b"\xff\xd8\xff\xe1\xff\xff" + bytes(1 << 16))

    def do_nonsense(self):
        self.wfile.write(b"\xff\xd8\xff\r\n\r\n\r\n")

    def do_secret(self):
        words = base64.b64encode(b"u:p@ss").decode()
        if self.headers.get("Authorization") != f"Basic {words}":
            return self.head("text/plain", 401, WWW_Authenticate='Basic realm="cam"')
        return self.do_camera()

    def do_digest(self):
        fields = dict(re.findall(r'(\w+)="?([^",]*)"?', self.headers.get("Authorization", "")))

        def md5(*words):
            return hashlib.md5(":".join(words).encode()).hexdigest()

        ours, asked = md5("u", "a cam", "p@ss"), md5("GET", self.path)
        count = (fields.get("nc", ""), fields.get("cnonce", ""))
        if fields.get("response") != md5(ours, "n0", *count, "auth", asked):
            challenge = 'Digest realm="a cam", nonce="n0", qop="auth", opaque="o"'
            return self.head("text/plain", 401, WWW_Authenticate=challenge)
        assert fields["opaque"] == "o" and fields["uri"] == self.path
        return self.do_camera()

    def do_moved(self):
        self.head("", 302, Location="/secret", Content_Length="0")

    def do_file(self):
        self.head("", 302, Location="file:///etc/passwd", Content_Length="0")

    def do_abroad(self):
        address = f"http://localhost:{self.server.server_port}/camera"
        self.head("", 302, Location=address, Content_Length="0")

    def do_circle(self):
        self.head("", 302, Location="/circle", Content_Length="0")

    def do_broken(self):
        self.head("text/plain", 503, Content_Length="0")


@pytest.fixture
def server():
    """A server; `server.at(path)` is an address."""
    handler = type("Handler", (Handler,), {"asked": [], "over": threading.Event()})
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    made.daemon_threads, made.asked = True, handler.asked
    made.at = lambda path, user="": f"http://{user}127.0.0.1:{made.server_port}/{path}"
    threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
    yield made
    handler.over.set()
    made.shutdown()
    made.server_close()


@pytest.mark.parametrize("path", ["camera", "unlabelled", "chunked", "snapshot"])
def test_pictures_arrive(server, path):
    options = dataclasses.replace(QUICK, fps=50.0)
    with Camera(server.at(path), options) as camera:
        state = camera.until_frames(2)
        assert (state["status"], state["size"], state["type"]) == ("live", (24, 32), "mjpeg")
        assert any(abs(int(camera.picture[0, 0, 0]) - grey) < 4 for grey in [*GREYS, 90])


def test_only_the_newest_picture_is_decoded(server):
    with Camera(server.at("camera")) as camera:
        camera.until_frames(1)
        time.sleep(0.3)
        state = camera.until_frames(2)
        assert state["dropped"]["newer"] >= 3
        assert camera.taken[-1].frame == state["captured"] - 1


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("stalls", "no data for 0.3 s|no frame for"),
        ("ends", "the camera ended the stream"),
        ("cut", "the camera ended the stream"),
    ],
)
def test_an_interrupted_camera_is_opened_again(server, path, why):
    options = dataclasses.replace(QUICK, silent_s=0.3)
    with Camera(server.at(path), options) as camera:
        state = camera.until_status("no_signal")
        assert re.match(why, state["why"])
        state = camera.until(lambda state: state["reopened"] >= 2)
        assert len(server.asked) >= 3


def test_a_camera_that_changes_its_size_is_followed(server):
    with Camera(server.at("grows")) as camera:
        state = camera.until(lambda state: state["resized"] >= 2)
        assert {(one.height, one.width) for one in camera.taken} == {(24, 32), (48, 64)}
        assert state["status"] == "live"


def test_half_pictures_are_counted_and_never_shown(server):
    with Camera(server.at("halves")) as camera:
        camera.until(lambda state: state["dropped"]["damaged"] >= 2)
        camera.until_frames(2)
        assert int(camera.picture.min()) > 80  # a half picture would be grey or black below


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("text", "it sends text/html, and not JPEGs"),
        ("broken", "the camera answers HTTP 503"),
        ("header", "no answer for 0.4 s"),
        ("silent", "no answer for 0.4 s"),
        ("nonsense", "it cannot be opened"),
        ("secret", "the camera refuses this user and password (HTTP 401)"),
        ("file", "the camera redirects to something else than HTTP"),
        ("abroad", "the camera redirects to another host; give that address"),
        ("circle", "the camera answers HTTP 302"),
        ("garbage", "no frame for"),
    ],
)
def test_what_is_no_camera_says_why(server, path, why):
    options = dataclasses.replace(QUICK, silent_s=0.4)
    with Camera(server.at(path), options) as camera:
        state = camera.until_status("no_signal")
        assert any(one in state["why"] for one in why.split("|")), state["why"]
        assert state["size"] is None


def test_nobody_listens():
    with Camera("http://u:geheim@127.0.0.1:1/") as camera:
        assert camera.until_status("no_signal")["why"] == "it cannot be opened: Connection refused"


@pytest.mark.parametrize("path", ["secret", "digest", "moved"])
def test_a_user_and_password_are_sent(server, path):
    with Camera(server.at(path, "u:p%40ss@")) as camera:
        camera.until_frames(1)


@pytest.mark.parametrize("path", ["secret", "digest"])
def test_a_wrong_password_is_refused_and_never_shown(server, path):
    with Camera(server.at(path, "u:geheim@")) as camera:
        state = camera.until_status("no_signal")
        assert state["why"] == "the camera refuses this user and password (HTTP 401)"
        assert "geheim" not in f"{state}{camera.reader._source.label}"


def test_a_camera_is_released_at_once(server):
    with Camera(server.at("stalls"), dataclasses.replace(QUICK, silent_s=600.0)) as camera:
        camera.until_frames(1)
    assert not [one for one in threading.enumerate() if one.name == "source"]


def test_endless_garbage_needs_no_memory(server):
    import resource

    options = dataclasses.replace(QUICK, silent_s=0.6)
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with Camera(server.at("garbage"), options) as camera:
        camera.until_status("no_signal")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 150_000


def test_opening_again_and_again_leaves_nothing_open(server):
    def open_now():
        return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()

    options = dataclasses.replace(QUICK, retry_s=0.001, retry_most_s=0.001)
    with Camera(server.at("ends"), options) as camera:
        camera.until(lambda state: state["reopened"] >= 3)
        files, threads = open_now()
        camera.until(lambda state: state["reopened"] >= 40)
    assert open_now()[0] <= files + 3 and open_now()[1] <= threads + 3  # the server's own included
