"""Files inside npm packages: fetched with the npm program from the user's registry, here one on loopback."""

import base64
import hashlib
import http.server
import io
import json
import shutil
import tarfile
import threading
import urllib.parse

import pytest

from engine import asset, fetch, npm
from engine.asset import NpmFile
from engine.errors import UserError
from engine.store import Store

DATA = b"weights"
FILE = NpmFile(package="@people/faces", version="1.2.3", path="model/w.bin")
needs_npm = pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")


def _archive():
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as packed:
        about = json.dumps({"name": FILE.package, "version": FILE.version}).encode()
        for name, data in (("package.json", about), (FILE.path, DATA)):
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(data)
            packed.addfile(entry, io.BytesIO(data))
    return made.getvalue()


@pytest.fixture
def npm_registry(tmp_path, monkeypatch):
    """A registry on loopback with one package, which npm is configured to use."""
    archive = _archive()

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            is_known = urllib.parse.unquote(self.path) in (f"/{FILE.package}", "/a.tgz")
            self.send_response(200 if is_known else 404)
            self.end_headers()
            if is_known:
                self.wfile.write(archive if self.path == "/a.tgz" else _described(archive, here))

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    here = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("npm_config_registry", here)
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    yield here
    server.shutdown()
    server.server_close()


def _described(archive, here):
    digest = base64.b64encode(hashlib.sha512(archive).digest()).decode()
    version = {
        "name": FILE.package,
        "version": FILE.version,
        "dist": {"tarball": f"{here}/a.tgz", "integrity": f"sha512-{digest}"},
    }
    versions = {"versions": {FILE.version: version}, "dist-tags": {"latest": FILE.version}}
    return json.dumps({"name": FILE.package, **versions}).encode()


@needs_npm
def test_a_file_of_a_package_is_fetched_from_the_registry_that_npm_uses(npm_registry, tmp_path):
    npm.fetch(FILE, tmp_path / "w", 100)
    assert (tmp_path / "w").read_bytes() == DATA


@needs_npm
def test_no_more_than_one_byte_too_many_is_read_of_a_larger_file(npm_registry, tmp_path):
    npm.fetch(FILE, tmp_path / "w", 2)
    assert (tmp_path / "w").read_bytes() == DATA[:3]


@needs_npm
@pytest.mark.parametrize(
    ("change", "reason"), [({"path": "x"}, "has no file x"), ({"version": "9.0.0"}, "9.0.0")]
)
def test_what_the_registry_lacks_is_named(npm_registry, tmp_path, change, reason):
    with pytest.raises(npm.NpmError, match=reason):
        npm.fetch(FILE.model_copy(update=change), tmp_path / "w", 100)


@needs_npm
def test_an_asset_is_fetched_with_npm_if_its_url_cannot_be_reached(npm_registry, tmp_path):
    assert _fetched(tmp_path, hashlib.sha256(DATA).hexdigest()).read_bytes() == DATA


@needs_npm
def test_a_file_of_a_package_with_another_digest_is_refused(npm_registry, tmp_path):
    with pytest.raises(UserError, match="sent a different file") as caught:
        _fetched(tmp_path, "0" * 64)
    assert "npm package @people/faces@1.2.3" in caught.value.what


def test_without_npm_the_error_offers_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError) as caught:
        _fetched(tmp_path, "0" * 64)
    assert "npm is not installed" in caught.value.what
    assert "mirror=MIRROR, or install npm" in caught.value.fix


def test_npm_that_does_not_finish_is_stopped(tmp_path, monkeypatch):
    program = tmp_path / "npm"
    program.write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(npm.NpmError, match=r"within 0\.2 seconds"):
        npm.fetch(FILE, tmp_path / "w", 100, timeout_s=0.2)


def _fetched(tmp_path, sha256):
    """Fetch an asset of this file, whose URL cannot be reached."""
    file = {
        "path": "w.bin",
        "mirror": "w.bin",
        "url": "https://127.0.0.1:9/w",
        "npm": FILE.model_dump(),
        "sha256": sha256,
        "bytes": len(DATA),
    }
    wanted = asset.parse({"name": "w", "description": "", "licence": "MIT", "files": [file]}, "f")
    store = Store(tmp_path / "store")
    fetch.fetch(wanted, store, None, lambda *_: None)
    return fetch.path_of(wanted, store)
