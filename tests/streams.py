"""Serves videos from this machine over HTTP, RTSP, and as MPEG-TS over TCP: complete, slow, and interrupted."""

import http.server
import io
import socket
import struct
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset, like a crash of the machine


class HttpServer:
    """Answers any path below its address; `with` starts and ends it.

    /video: the file, in ranges, like a web server; /cut: only the first half of the announced length;
    /camera: JPEGs at a fixed rate, like a camera; /reset: the same, until the connection is reset;
    /silent: the same, until it stops sending.
    """

    def __init__(
        self, video: Path | None = None, pictures: Sequence[np.ndarray] = (), rate: float = 10.0
    ) -> None:
        self.video = video.read_bytes() if video else b""
        self.jpegs = [_jpeg(picture) for picture in pictures]
        self.sent = 0  # pictures
        self.gap_s = 1 / rate
        self.over = threading.Event()
        handler = type("Handler", (_Handler,), {"served": self})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)

    def __enter__(self) -> "HttpServer":
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()

    def address(self, path: str) -> str:
        """Return the address of `path`."""
        return f"http://127.0.0.1:{self._server.server_port}/{path}"


class _Handler(http.server.BaseHTTPRequestHandler):
    served: HttpServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *words: Any) -> None:
        """Print nothing."""

    def do_GET(self) -> None:
        self.close_connection = True
        what = self.path.strip("/").partition("?")[0]
        try:
            if what in ("video", "cut"):
                self._send_file(what == "cut")
            elif what in ("camera", "reset", "silent"):
                self._send_pictures(what)
            else:
                self.send_error(404)
        except ConnectionError:
            pass  # the reader has closed the connection

    def _send_file(self, is_cut: bool) -> None:
        whole = self.served.video
        wanted = self.headers.get("Range", "bytes=0-").removeprefix("bytes=")
        start = int(wanted.partition("-")[0])
        self.send_response(206)
        self.send_header("Content-Length", str(len(whole) - start))
        self.send_header("Content-Range", f"bytes {start}-{len(whole) - 1}/{len(whole)}")
        self.end_headers()
        self.wfile.write(whole[start : len(whole) // 2 if is_cut else None])

    def _send_pictures(self, ending: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for jpeg in self.served.jpegs:
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            self.wfile.write(head.encode() + jpeg + b"\r\n")
            self.served.sent += 1
            if self.served.over.wait(self.served.gap_s):
                return
        if ending == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self.connection.close()
        elif ending == "silent":
            self.served.over.wait()


def _jpeg(picture: np.ndarray) -> bytes:
    data = io.BytesIO()
    Image.fromarray(picture).save(data, "JPEG")
    return data.getvalue()


MPEG_TS = """
    import sys, time
    from fractions import Fraction
    import av, numpy as np
    address, picture, frames, rate = sys.argv[1], np.load(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    options = {"tune": "zerolatency", "preset": "ultrafast", "g": "10"}
    with av.open(address + "?listen=1", "w", format="mpegts") as container:
        stream = container.add_stream("libx264", rate=rate, options=options)
        stream.height, stream.width = picture.shape[:2]
        stream.pix_fmt = "yuv420p"
        for at in range(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = at, Fraction(1, rate)
            container.mux(stream.encode(frame))
            time.sleep(1 / rate)
        container.mux(stream.encode(None))
"""


def mpeg_ts(picture: Path, frames: int, rate: int) -> "tuple[str, subprocess.Popen[bytes]]":
    """Start a process that sends a picture (.npy) this often, live, to the first client.

    Return its address; it is already listening.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    words = [address, str(picture), str(frames), str(rate)]
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(MPEG_TS), *words])
    _wait_until_listening(port, process)
    return address, process


def _wait_until_listening(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Check the kernel's list, because a connection would be mistaken for the reader's."""
    listening = f":{port:04X} 00000000:0000 0A"
    while listening not in Path("/proc/net/tcp").read_text():
        assert process.poll() is None, "the server ended before anyone connected"
        time.sleep(0.03)


H264_RTP = """
    import sys, time
    from fractions import Fraction
    import av, numpy as np
    address, picture, frames, rate = sys.argv[1], np.load(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    options = {"tune": "zerolatency", "preset": "ultrafast", "g": "5"}
    with av.open(address, "w", format="rtp") as container:
        stream = container.add_stream("libx264", rate=rate, options=options)
        stream.height, stream.width = picture.shape[:2]
        stream.pix_fmt = "yuv420p"
        for at in range(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = at, Fraction(1, rate)
            container.mux(stream.encode(frame))
            time.sleep(1 / rate)
        container.mux(stream.encode(None))
"""
SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
    "a=fmtp:96 packetization-mode=1\r\na=control:track\r\n"
)


class RtspCamera:
    """Sends a picture (.npy) this often as H.264 to the first client, over the RTSP connection itself.

    RFC 2326: section 10 for the requests, 10.12 for the frames between them.
    """

    def __init__(self, picture: Path, frames: int, rate: int) -> None:
        self._words = [str(picture), str(frames), str(rate)]
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"rtsp://127.0.0.1:{self._listener.getsockname()[1]}/1"
        self.asked: list[str] = []

    def __enter__(self) -> "RtspCamera":
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._listener.close()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection, connection.makefile("rb") as requests:
            while not self.asked or self.asked[-1] != "PLAY":
                lines = [line.decode().strip() for line in iter(requests.readline, b"\r\n")]
                self.asked.append(lines[0].partition(" ")[0])
                headers = dict(line.split(": ", 1) for line in lines[1:])
                connection.sendall(_answer(self.asked[-1], headers))
            self._play(connection)

    def _play(self, connection: socket.socket) -> None:
        """Forward the UDP packets of a process, until it ends."""
        with socket.socket(type=socket.SOCK_DGRAM) as packets:
            packets.bind(("127.0.0.1", 0))
            packets.settimeout(0.2)
            to = f"rtp://127.0.0.1:{packets.getsockname()[1]}"
            words = [sys.executable, "-c", textwrap.dedent(H264_RTP), to, *self._words]
            process = subprocess.Popen(words)
            while process.poll() is None:
                try:
                    packet = packets.recv(65536)
                except TimeoutError:
                    continue
                connection.sendall(b"$\0" + struct.pack(">H", len(packet)) + packet)


def _answer(method: str, headers: dict[str, str]) -> bytes:
    extra, body = {
        "OPTIONS": ("Public: OPTIONS, DESCRIBE, SETUP, PLAY\r\n", ""),
        "DESCRIBE": (f"Content-Type: application/sdp\r\nContent-Length: {len(SDP)}\r\n", SDP),
        "SETUP": (f"Transport: {headers.get('Transport')}\r\nSession: 1\r\n", ""),
        "PLAY": ("Session: 1\r\n", ""),
    }[method]
    return f"RTSP/1.0 200 OK\r\nCSeq: {headers['CSeq']}\r\n{extra}\r\n{body}".encode()
