"""A dishonest engine on a device: a server with invalid responses on a real socket, and archives that no
engine would send.
"""

import base64
import contextlib
import http.server
import json
import os
import platform
import resource
import socketserver
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator
from itertools import count, repeat
from pathlib import Path
from typing import Any

import pytest

from engine.containers import answers, api, archive, container_job, daemon, jobs, refusals, verdict
from engine.errors import UserError
from engine.images import Image
from engine.target import platform_of

ZEROS = bytes(1 << 16)
ID = "ab" * 32
IMAGE = "raspberrypi-mlops/plain:1"
VERSION = {"ApiVersion": "1.45", "Version": "28", "Arch": "amd64"}
INFO = {"ID": "x", "Architecture": platform.machine(), "MemTotal": 1 << 33, "NCPU": 4}
DRIP = object()
HEADER_DRIP = object()
RUNNING = {"Running": True, "ExitCode": 0, "Status": "running"}
HERE = platform_of(platform.machine())
ENDLESS = object()
BREAK = object()


class _Liar(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """A server on a Unix socket whose response to a path, matched by its end or a part, the test defines."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), _Handler)
        self.url = f"unix://{path}"
        self.answers: dict[str, Any] = {"/_ping": "OK", "/version": VERSION, "/info": INFO}
        self.asked: list[str] = []
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        path = self.path.partition("?")[0]
        self.server.asked.append(f"{self.command} {path}")  # type: ignore[attr-defined]
        fits = [end for end in self.server.answers if end in path]  # type: ignore[attr-defined]
        with contextlib.suppress(OSError):
            self._give(
                self.server.answers[max(fits, key=lambda end: (path.endswith(end), len(end)))]
                if fits
                else (404, {"message": "no such thing"})
            )  # type: ignore[attr-defined]

    do_POST = do_PUT = do_DELETE = do_HEAD = do_GET

    def _give(self, answer: Any) -> None:
        self.close_connection = True
        if answer is BREAK:
            return
        status, answer, more = (
            answer if isinstance(answer, tuple) and len(answer) == 3 else (200, answer, {})
        )
        if isinstance(answer, tuple):
            status, answer = answer
        if answer is BREAK:
            more, answer = {**more, "Content-Length": "100"}, b"{"
        self.send_response(status)
        for key, value in more.items():
            self.send_header(key, value)
        if answer is HEADER_DRIP:
            self.flush_headers()
            while True:
                self.wfile.write(b"x")
                time.sleep(0.05)
        self.end_headers()
        if answer in (DRIP, ENDLESS):
            while True:
                self.wfile.write(b" " if answer is DRIP else ZEROS)
                time.sleep(0.05 if answer is DRIP else 0)
        self.wfile.write(
            answer
            if isinstance(answer, bytes)
            else answer.encode()
            if isinstance(answer, str)
            else json.dumps(answer).encode()
        )

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def liar(tmp_path_factory, monkeypatch) -> Iterator[_Liar]:
    """A server that responds like a Docker engine, except for the lies that the test defines.

    Timeouts are short.
    """
    monkeypatch.setattr(daemon, "TIMEOUT_S", 1.0)
    monkeypatch.setattr(api, "ANSWER_S", 3.0)
    monkeypatch.setattr(api, "ANSWER_BYTES", 20_000_000)
    with tempfile.TemporaryDirectory() as folder, _Liar(Path(folder) / "s") as server:
        yield server
        server.shutdown()


def _header(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE, **more: object) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.type, entry.size, entry.mode = kind, size, 0o644 if kind == tarfile.REGTYPE else 0o755
    for key, value in more.items():
        setattr(entry, key, value)
    return entry.tobuf(tarfile.GNU_FORMAT)


def _file(name: str, data: bytes = b"x", **more: object) -> bytes:
    return _header(name, len(data), **more) + data + bytes(-len(data) % 512)


OUT = _header("out", kind=tarfile.DIRTYPE)
END = bytes(1024)
CLAIMED = b"\x80" + (5_000_000_000).to_bytes(11, "big")


def _claims(header: bytes, size: bytes) -> bytes:
    """Write another size into a header."""
    changed = header[:124] + size.ljust(12, b"\0") + header[136:148] + b" " * 8 + header[156:]
    return changed[:148] + b"%06o\0 " % sum(changed[:512]) + changed[156:]


NONSENSE = {
    "a file that never ends": lambda: iter([OUT, _header("out/x", 1 << 60)]),
    "an archive that never ends": lambda: (
        piece for n in count() for piece in [_file(f"out/{n}", bytes(1 << 20))]
    ),
    "zeros that never end behind a name": lambda: iter(
        [OUT, _claims(_header("././@LongLink", 1, tarfile.GNUTYPE_LONGNAME), CLAIMED)]
    ),
    "a pax header of 5 GB": lambda: iter(
        [OUT, _claims(_header("pax", 1, tarfile.XHDTYPE), CLAIMED)]
    ),
    "a negative size": lambda: iter([OUT, _claims(_header("out/x"), b"\xff" * 11 + b"\x00"), END]),
    "a large negative size": lambda: iter(
        [OUT, _claims(_header("out/x"), b"\xff" * 8 + b"\x00" * 4), END]
    ),
    "a pax header of a negative size": lambda: iter(
        [OUT, _claims(_header("pax", 0, tarfile.XHDTYPE), b"\xff" * 10 + b"\x00\x00"), END]
    ),
    "long names one in the other": lambda: iter(
        [OUT, *[_header("@", 0, tarfile.GNUTYPE_LONGNAME)] * 3000, END]
    ),
    "an absolute name": lambda: iter([OUT, _file("/etc/x"), END]),
    "a name that leads out": lambda: iter([OUT, _file("out/../../x"), END]),
    "another root": lambda: iter([_file("job.json"), END]),
    "a hard link to outside": lambda: iter(
        [OUT, _header("out/x", kind=tarfile.LNKTYPE, linkname="/etc/passwd"), END]
    ),
    "a hard link that leads out": lambda: iter(
        [OUT, _header("out/x", kind=tarfile.LNKTYPE, linkname="out/../../x"), END]
    ),
    "a hard link to nothing": lambda: iter(
        [OUT, _header("out/x", kind=tarfile.LNKTYPE, linkname="out/y"), END]
    ),
    "a link": lambda: iter(
        [OUT, _header("out/x", kind=tarfile.SYMTYPE, linkname="/etc"), _file("out/x/y"), END]
    ),
    "a device": lambda: iter(
        [OUT, _header("out/x", kind=tarfile.CHRTYPE, devmajor=1, devminor=5), END]
    ),
    "out/ as a file": lambda: iter([_file("out"), END]),
    "a file and a folder of one name": lambda: iter([OUT, _file("out/x"), _file("out/x/y"), END]),
    "a folder and a file of one name": lambda: iter(
        [OUT, _header("out/x", kind=tarfile.DIRTYPE), _file("out/x"), END]
    ),
    "a name that is too long": lambda: iter([OUT, _file("out/" + "x" * 300), END]),
    "no end": lambda: iter([OUT, _file("out/x")]),
    "garbage behind a file": lambda: iter([OUT, _file("out/x"), b"\xff" * 2048]),
    "a file that is cut off": lambda: iter([OUT, _header("out/x", 5000), b"x" * 700]),
    "nothing": lambda: iter([]),
    "garbage": lambda: iter([os.urandom(100_000)]),
}


def _look(folder: Path) -> list[str]:
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if "job/out" not in str(path)
    )


def _endless(pieces: Iterator[bytes]) -> Iterator[bytes]:
    yield from pieces
    yield from repeat(ZEROS)


@pytest.fixture
def job(tmp_path) -> Path:
    """A job's folder."""
    (tmp_path / "job" / "out").mkdir(parents=True)
    return tmp_path / "job"


@pytest.mark.parametrize("what", NONSENSE)
def test_an_archive_that_no_engine_sends_is_a_bad_output_and_nothing_is_written_outside(
    job, monkeypatch, what
):
    free = 200_000_000
    monkeypatch.setattr(
        archive.shutil, "disk_usage", lambda _: type("", (), {"free": free + archive._SPARE})
    )
    before, memory = _look(job.parent), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    never_ends = "never end" in what or "5 GB" in what
    with pytest.raises(tarfile.TarError):
        archive.unpack(_endless(NONSENSE[what]()) if never_ends else NONSENSE[what](), job)
    assert _look(job.parent) == before
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 200_000  # kB
    assert sum(path.stat().st_size for path in job.rglob("*")) <= free


def test_an_archive_of_too_many_names_is_refused(job, monkeypatch):
    monkeypatch.setattr(archive, "_ENTRIES_MOST", 50)
    with pytest.raises(archive.NotPlain, match="more than 50 files"):
        archive.unpack((_file(f"out/{n}") for n in count()), job)


def test_an_archive_is_written_as_it_is_but_for_rights_that_no_artifact_has(job):
    folder = _header("out/d", kind=tarfile.DIRTYPE, mode=0o500)
    files = [
        _file("out/d/s", b"1", mode=0o4755),
        _file("out/d/e", b""),
        _file("out/caf\udce9", b"2" * 70_000),
    ]
    archive.unpack(
        iter(
            [OUT, folder, *files, _header("out/l", kind=tarfile.LNKTYPE, linkname="out/d/s"), END]
        ),
        job,
    )
    assert sorted(os.listdir(os.fsencode(job / "out"))) == [b"caf\xe9", b"d", b"l"]
    assert (job / "out" / "d").stat().st_mode & 0o7777 == 0o500
    assert (job / "out" / "d" / "s").stat().st_mode & 0o7777 == 0o755
    assert (job / "out" / "l").read_text() == "1" and (
        job / "out" / "caf\udce9"
    ).stat().st_size == 70_000
    (job / "out" / "d").chmod(0o700)


def test_the_content_of_one_file_is_no_more_than_was_asked_for():
    assert b"".join(archive.content(iter([_file("x", b"12345"), END]), 5, 3)) == b"45"
    assert (
        list(
            archive.content(
                iter([_header("x", kind=tarfile.SYMTYPE, linkname="/etc/passwd"), END]), 5
            )
        )
        == []
    )
    with pytest.raises(archive.NotPlain):
        list(archive.content(_endless(iter([_header("x", 1 << 40)])), 5))
    with pytest.raises(archive.NotPlain):
        list(
            archive.content(_endless(iter([_claims(_header("x", 1, tarfile.XHDTYPE), CLAIMED)])), 5)
        )


# --- answers


def _container(liar: _Liar) -> Any:
    liar.answers[f"/containers/{ID}/json"] = {
        "Id": ID,
        "Image": "x",
        "State": {},
        "Config": {"Labels": {}},
    }
    return daemon.connect(liar.url).containers.get(ID)


@pytest.mark.parametrize("path", ["/version", "/_ping"])
@pytest.mark.parametrize(
    "answer",
    [
        DRIP,
        HEADER_DRIP,
        ENDLESS,
        BREAK,
        b"\xff\xfe",
        [],
        {},
        {"ApiVersion": [1]},
        {"ApiVersion": "x.y"},
        "[" * 100_000,
        (500, "\n" * 9),
    ],
    ids=[
        "drips",
        "drips in its header",
        "never ends",
        "breaks off",
        "no text",
        "a list",
        "empty",
        "a list for a version",
        "no version",
        "deep",
        "500",
    ],
)
def test_what_is_no_engine_is_named_in_time(liar, path, answer):
    liar.answers[path] = answer
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        daemon.connect(liar.url)
    except UserError as refused:
        assert refused.where == liar.url and refused.fix
    else:
        assert path == "/_ping" and answer not in (
            DRIP,
            HEADER_DRIP,
            ENDLESS,
            BREAK,
        )  # any response to a ping is accepted
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 200_000  # kB


SLOW = {
    "drips": DRIP,
    "drips in its header": HEADER_DRIP,
    "never ends": ENDLESS,
    "breaks off": BREAK,
}


@pytest.mark.parametrize(
    ("call", "how"),
    [
        (call, how)
        for call in ("logs", "json", "archive")
        for how in SLOW
        if (call, how) != ("archive", "never ends")
    ],  # zeros end an archive
)
def test_an_answer_that_drips_or_never_ends_is_given_up(liar, job, call, how):
    container = _container(liar)
    stat = base64.b64encode(json.dumps({"size": 5, "mode": 0}).encode()).decode()
    liar.answers[f"/containers/{ID}/{call}"] = (
        200,
        SLOW[how],
        {"X-Docker-Container-Path-Stat": stat},
    )
    with pytest.raises(Exception) as gone:
        if call == "logs":
            list(answers.words(container))
        elif call == "json":
            container.reload()
        else:
            with answers.archived(container, "/x") as found:
                archive.unpack(found[1], job)
    assert refusals.is_gone(gone.value) or isinstance(gone.value, tarfile.TarError)


def test_an_engine_that_sends_its_client_elsewhere_is_not_followed(liar):
    container = _container(liar)
    liar.answers[f"/containers/{ID}/json"] = (
        307,
        ENDLESS,
        {"Location": f"/containers/{ID}/elsewhere"},
    )
    with pytest.raises(Exception) as gone:
        container.reload()
    assert refusals.is_gone(gone.value) and not any("elsewhere" in asked for asked in liar.asked)


def test_words_with_a_moment_that_is_none_are_words(liar):
    container = _container(liar)
    frames = [b"\xff\xfe no moment", b"", b"x" * 100]
    liar.answers["/logs"] = (
        b"".join(b"\1\0\0\0" + len(frame).to_bytes(4, "big") + frame for frame in frames)
        + b"\1\0\0\0\xff\xff\xff\xff cut"
    )
    found = list(answers.words(container))
    assert [said for _, said in found] == [b"no moment", b"", b"", b"cut"] and all(
        len(moment) <= 40 for moment, _ in found
    )


@pytest.mark.parametrize(
    "odd",
    [
        {"MemTotal": 0},
        {"MemTotal": "much"},
        {"MemTotal": 10**30},
        {"NCPU": -1},
        {"ID": None},
        {"Architecture": 5},
    ],
)
def test_an_odd_account_of_an_engine_is_named(liar, odd):
    liar.answers["/info"] = {**INFO, **odd}
    with pytest.raises(answers.Nonsense, match=f"its answer is invalid: {next(iter(odd))}: "):
        answers.info(daemon.connect(liar.url))


@pytest.mark.parametrize(
    "odd",
    [
        None,
        [],
        {},
        {"Running": False},
        {"Running": False, "ExitCode": 10**30},
        {"Running": False, "ExitCode": "x"},
    ],
)
def test_an_odd_account_of_a_container_is_named(liar, odd):
    container = _container(liar)
    container.attrs["State"] = odd
    with pytest.raises(answers.Nonsense):
        answers.state(container)


@pytest.mark.parametrize(
    "moment",
    ["garbage", "9999-99-99T99:99:99Z", "", "2026-01-01T00:00:00Z" * 4, "١٢٣٤-٠١-٠١T٠٠:٠٠:٠٠Z"],
)
def test_a_moment_that_is_none_makes_no_seconds(moment):
    assert (
        verdict.seconds_of(
            answers.State(
                Running=False, ExitCode=0, StartedAt=moment, FinishedAt="2026-01-01T00:00:00Z"
            )
        )
        == 0.0
    )


@pytest.mark.parametrize(
    "stat",
    ["", "garbage", "bnVsbA==", base64.b64encode(b'{"size": -1, "mode": 0}').decode(), "W10="],
)
def test_an_odd_account_of_a_path_is_named(liar, stat):
    container = _container(liar)
    liar.answers["/archive"] = (200, b"", {"X-Docker-Container-Path-Stat": stat})
    with pytest.raises(answers.Nonsense), answers.archived(container, "/x"):
        pass


# --- the executor


@pytest.fixture
def told(liar, make_bench, monkeypatch):
    """An executor whose engine lies."""
    monkeypatch.setenv("DOCKER_HOST", liar.url)
    return make_bench("docker")


@pytest.mark.parametrize("identity", ["../../../../outside", "x", "AB" * 32])
def test_an_id_that_is_none_is_no_name_of_a_file(told, liar, tmp_path, identity):
    labels = {
        "raspberrypi-mlops": "x",
        "raspberrypi-mlops.run": "r",
        "raspberrypi-mlops.fingerprint": "f",
    }
    liar.answers["/containers/json"] = [{"Id": identity, "Labels": labels}]
    liar.answers["/json"] = {
        "Id": identity,
        "Image": "x",
        "State": {"Status": "exited"},
        "Config": {"Labels": labels},
    }
    before = sorted(tmp_path.parent.rglob("*"))
    told.executor.reclaim([], tmp_path)
    assert sorted(path for path in tmp_path.parent.rglob("*")) == before
    assert not any(asked.startswith("DELETE") for asked in liar.asked)


@pytest.mark.parametrize(
    "answer", [DRIP, ENDLESS, BREAK, {}, [{}], [5], "text", (500, {"message": "x" * 100_000})]
)
def test_a_list_of_containers_that_is_none_is_a_users_mistake_in_three_lines(
    told, liar, tmp_path, answer
):
    liar.answers["/containers/json"] = answer
    if answer == {}:
        told.executor.reclaim([], tmp_path)
        return
    with pytest.raises(UserError) as refused:
        told.executor.reclaim([], tmp_path)
    assert (
        refused.value.where == liar.url
        and len(refused.value.what) < 1000
        and "\n" not in refused.value.what
    )
    assert refused.value.what.startswith("the container engine does not work: ")


@pytest.mark.parametrize("odd", [{"MemTotal": 0}, {"ID": None}, {"SecurityOptions": 5}])
def test_an_engine_with_an_odd_account_of_itself_is_refused_before_anything_starts(told, liar, odd):
    liar.answers["/info"] = {**INFO, **odd}
    with pytest.raises(UserError, match="is invalid"):
        told.executor.missing([])


@pytest.fixture
def at_work(liar, make_bench, monkeypatch):
    """Launch a job whose container its engine has created and started, and which never ends."""
    monkeypatch.setenv("DOCKER_HOST", liar.url)
    liar.answers |= {
        "/images/": {"Id": f"sha256:{'0' * 64}", "Config": {}},
        "/containers/create": {"Id": ID},
        f"/containers/{ID}": {
            "Id": ID,
            "Image": "x",
            "State": RUNNING,
            "Config": {"Labels": {}},
            "HostConfig": {},
        },
        "/archive": (404, {"message": "no such file"}),
        "/logs": b"",
        "/wait": DRIP,
    }

    def launch(**answers: Any) -> Any:
        liar.answers |= {f"/{key}": answer for key, answer in answers.items()}
        bench = make_bench("docker", Image("plain", HERE, "1", frozenset(), False, "containers"))
        bench.start("pass")
        return bench

    return launch


@pytest.mark.parametrize(
    "wait", [(500, {"message": "what?"}), {"StatusCode": 0}], ids=["refuses", "says it ended"]
)
def test_a_container_that_is_still_at_work_has_not_ended_well(at_work, capsys, wait):
    [ended] = at_work(wait=wait).end()
    assert (ended.status, ended.kind) == (None, "daemon_lost") and "still running" in ended.why
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "state",
    [
        None,
        {},
        {"Running": False, "ExitCode": "zero"},
        {"Running": False, "ExitCode": 10**30},
        {"Running": False},
    ],
)
def test_an_end_that_makes_no_sense_is_a_lost_engine_and_no_traceback(at_work, liar, capsys, state):
    liar.answers[f"/containers/{ID}/json"] = {
        "Id": ID,
        "State": state,
        "Config": {"Labels": {}},
        "HostConfig": {},
    }
    [ended] = at_work(wait={"StatusCode": 0}).end()
    assert (ended.status, ended.kind) == (None, "daemon_lost") and "is invalid" in ended.why
    assert "Traceback" not in capsys.readouterr().err


def test_a_container_that_nothing_ends_is_given_up(at_work, monkeypatch):
    monkeypatch.setattr(container_job, "LOST_S", 1.0)
    bench = at_work()
    ended, limit = [], time.monotonic() + 60
    while not ended:
        assert time.monotonic() < limit
        bench.executor.terminate("s", force=True)
        ended = bench.executor.wait(0.1)
    assert (ended[0].kind, ended[0].why) == (
        "daemon_lost",
        "it was abandoned: its container engine does not end it",
    )


def test_an_engine_that_breaks_every_call_off_keeps_no_processor_busy(at_work, liar):
    bench = at_work(wait=BREAK)
    bench.executor.wait(3)
    assert 1 < sum("/wait" in asked for asked in liar.asked) < 30


def test_an_engine_that_dawdles_with_the_words_of_a_stage_holds_up_nobody(
    at_work, liar, monkeypatch
):
    monkeypatch.setattr(jobs, "FOLLOW_S", 0.0)
    bench = at_work()
    monkeypatch.setattr(bench.executor._machine.files, "follow", lambda *_: time.sleep(60))
    limit = time.monotonic() + 30
    while not any("/start" in asked for asked in liar.asked):
        assert time.monotonic() < limit
        time.sleep(0.05)
    for _ in range(5):
        bench.executor.wait(0.1)
    assert time.monotonic() < limit
