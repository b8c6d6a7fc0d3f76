"""Downloads by digest, from a real server on loopback, including wrong files."""

import functools
import hashlib
import os
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from engine.stage import StageError
from stages.containers import _download
from stages.containers._download import cache, cached, download_all


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server of the folder `www`, an empty cache, and no delay between attempts."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(_download.time, "sleep", lambda _: None)
    (tmp_path / "www").mkdir()
    handler = functools.partial(_Quiet, directory=tmp_path / "www")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


def put(folder: Path, name: str, data: bytes) -> str:
    """Serve a file and return its sha256."""
    (folder / "www" / name).write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def test_a_file_is_taken_from_the_first_place_that_has_it_and_then_from_the_cache(
    server: str, tmp_path: Path
) -> None:
    digest = put(tmp_path, "x", b"data")
    places = [f"{server}/missing", f"{server}/x"]
    assert download_all([(digest, places)])[0].read_bytes() == b"data"
    (tmp_path / "www" / "x").unlink()
    assert download_all([(digest, places)])[0].read_bytes() == b"data"


def test_another_file_than_the_lock_names_is_never_kept(server: str, tmp_path: Path) -> None:
    put(tmp_path, "x", b"evil")
    with pytest.raises(StageError, match="sent a file whose sha256 differs"):
        download_all([("0" * 64, [f"{server}/x"])])
    assert list(cache().iterdir()) == []


def test_a_broken_file_of_the_cache_is_brought_again(server: str, tmp_path: Path) -> None:
    digest = put(tmp_path, "x", b"data")
    download_all([(digest, [f"{server}/x"])])[0].write_bytes(b"da")
    assert cached(digest) is None
    assert download_all([(digest, [f"{server}/x"])])[0].read_bytes() == b"data"


def test_many_files_come_in_the_order_they_were_asked_for(server: str, tmp_path: Path) -> None:
    digests = [put(tmp_path, str(n), str(n).encode()) for n in range(20)]
    paths = download_all([(digest, [f"{server}/{n}"]) for n, digest in enumerate(digests)])
    assert [path.read_bytes() for path in paths] == [str(n).encode() for n in range(20)]


def test_every_place_that_failed_is_named_once(server: str) -> None:
    with pytest.raises(StageError) as told:
        download_all([("0" * 64, [f"{server}/a", "http://127.0.0.1:9/b"])])
    assert str(told.value).count(f"{server}/a: 404") == 1
    assert str(told.value).count("http://127.0.0.1:9/b: [Errno 111] Connection refused") == 1


def test_a_cache_that_cannot_be_made_says_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(StageError, match="set XDG_CACHE_HOME"):
        cache()


def test_what_a_killed_download_left_is_removed_after_a_day(server: str, tmp_path: Path) -> None:
    old, new, kept = cache() / ".old", cache() / ".new", cache() / put(tmp_path, "x", b"data")
    (cache() / ".folder").mkdir()
    for path in (old, new, kept):
        path.write_bytes(b"data")
    for path in (old, kept, cache() / ".folder"):
        os.utime(path, (0, 0))
    assert download_all([(kept.name, [])]) == [kept]
    assert set(cache().iterdir()) == {new, kept}
