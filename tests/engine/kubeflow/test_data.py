"""Artifacts by digest in a folder and on a real S3 server: stored once, whole or not at all, checked."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine import digest
from engine.errors import UserError
from engine.kubeflow.data import DataRoot
from tests import services
from tests.conftest import ROOT

BUCKET, PREFIX = "models", "team [a]/x"


@pytest.fixture(scope="module")
def server() -> Iterator[services.S3]:
    """An S3 server."""
    with services.S3() as found:
        yield found


@pytest.fixture
def s3(server, monkeypatch) -> services.S3:
    """An S3 server with an empty bucket that keeps every version, in the environment."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    client = server.client()
    if BUCKET in {one["Name"] for one in client.list_buckets()["Buckets"]}:
        for one in client.list_object_versions(Bucket=BUCKET).get("Versions", []):
            client.delete_object(Bucket=BUCKET, Key=one["Key"], VersionId=one["VersionId"])
    else:
        client.create_bucket(Bucket=BUCKET)
        enabled = {"Status": "Enabled"}
        client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration=enabled)
    return server


@pytest.fixture
def shown() -> list[tuple[str, int, int, str]]:
    """The progress that was shown."""
    return []


@pytest.fixture(params=["folder", "s3"])
def root(request, tmp_path, shown) -> DataRoot:
    """A data root of each kind."""
    if request.param == "s3":
        request.getfixturevalue("s3")
        return DataRoot(f"s3://{BUCKET}/{PREFIX}/", lambda *one: shown.append(one), 5)
    (tmp_path / "root [1]").mkdir()
    return DataRoot(str(tmp_path / "root [1]"), lambda *one: shown.append(one), 5)


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder with what buckets do not keep by themselves."""
    made = tmp_path / "artifact"
    (made / "empty").mkdir(parents=True)
    for name in ("a b", "line\nbreak", "été", os.fsdecode(b"\xff"), "%2e", "*?["):
        (made / name).write_text(name, errors="surrogateescape")
    (made / "run").write_text("#!/bin/sh\n")
    (made / "run").chmod(0o755)
    return made


def _versions(server: services.S3) -> list[str]:
    """Return the key of every object that was ever put."""
    found = server.client().list_object_versions(Bucket=BUCKET)
    return [one["Key"] for one in found.get("Versions", [])]


def test_a_folder_comes_back_whole(root, folder, tmp_path):
    expected = digest.of(folder)
    uri = root.put(folder, expected)
    assert uri == root.uri(expected) and root.has(expected)
    assert root.get(uri, tmp_path / "back", expected) == expected == digest.of(tmp_path / "back")
    assert os.access(tmp_path / "back" / "run", os.X_OK)


def test_a_file_is_stored_as_it_is(root, tmp_path):
    (tmp_path / "model.tflite").write_bytes(b"TFL3" * 9)
    expected = digest.of(tmp_path / "model.tflite")
    uri = root.put(tmp_path / "model.tflite", expected)
    assert root.read(uri, 1000) == b"TFL3" * 9 and root.read(uri, 4) == b"TFL3"
    assert root.get(uri, tmp_path / "back") == expected


def test_an_empty_file_and_an_empty_folder_come_back(root, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file", tmp_path / "folder"):
        expected = digest.of(path)
        back = tmp_path / f"{path.name}-back"
        assert root.get(root.put(path, expected), back, expected) == digest.of(back) == expected


def test_what_is_not_there_is_none(root, tmp_path):
    uri = root.uri("file:" + "0" * 64)
    assert root.get(uri, tmp_path / "back") is None and root.read(uri, 10) is None
    assert not root.has("file:" + "0" * 64) and not (tmp_path / "back").exists()
    assert root.glob("pipelines/*") == []


def test_reports_are_found_by_their_pattern(root, tmp_path):
    (tmp_path / "file").write_text("report")
    for name in ("pipelines/a/1/t/2/report-ab", "pipelines/a/3/t/4/report-ab", "pipelines/a/x"):
        root._objects.upload(tmp_path / "file", name, lambda done, total: None)
    found = root.glob("pipelines/a/*/t/*/report-ab")
    assert [root.read(uri, 100) for uri in found] == [b"report"] * 2
    assert found == sorted(found) and found[0].endswith("pipelines/a/1/t/2/report-ab")


def test_a_damaged_artifact_is_named_and_leaves_nothing(root, folder, tmp_path):
    expected = digest.of(folder)
    uri = root.put(folder, expected)
    whole = root.read(uri, 1 << 20) or b""
    (tmp_path / "other").write_bytes(whole[:2000])
    root._objects.upload(tmp_path / "other", f"by-digest/{expected[5:]}", lambda done, total: None)
    with pytest.raises(UserError, match="damaged"):
        root.get(uri, tmp_path / "back", expected)
    assert not (tmp_path / "back").exists()
    root.remove(uri)
    assert root.get(root.put(folder, expected), tmp_path / "back", expected) == expected


def test_another_file_under_the_digest_is_refused_and_a_shorter_one_replaced(root, tmp_path):
    (tmp_path / "file").write_bytes(b"right")
    expected = digest.of(tmp_path / "file")
    for content in (b"wrong", b"cut"):
        (tmp_path / "wrong").write_bytes(content)
        root._objects.upload(tmp_path / "wrong", f"by-digest/{expected[5:]}", lambda *_: None)
        with pytest.raises(UserError, match="its digest is"):
            root.get(root.uri(expected), tmp_path / "back", expected)
    root.put(tmp_path / "file", expected)
    assert root.get(root.uri(expected), tmp_path / "back", expected) == expected


def test_what_has_changed_is_not_stored(root, folder):
    expected = digest.of(folder)
    (folder / "a b").write_text("later")
    with pytest.raises(UserError, match="it changed while it was uploaded"):
        root.put(folder, expected)
    file = digest.of(folder / "a b")
    (folder / "a b").write_text("even later")
    with pytest.raises(UserError, match="it changed while it was uploaded"):
        root.put(folder / "a b", file)
    assert not root.has(expected) and not root.has(file)


def test_only_large_transfers_show_their_progress(root, tmp_path, shown):
    (tmp_path / "small").write_bytes(b"1")
    root.put(tmp_path / "small", digest.of(tmp_path / "small"))
    assert shown == []
    with (tmp_path / "large").open("wb") as file:
        file.truncate(12_000_000)
    root.put(tmp_path / "large", digest.of(tmp_path / "large"))
    assert shown[-1] == ("large", 12_000_000, 12_000_000, "uploaded")


def test_an_address_elsewhere_is_refused(root, tmp_path):
    for uri in ("s3://other/x", "/etc/passwd", root.uri("file:" + "0" * 64) + "/../../x"):
        with pytest.raises(UserError, match="not below"):
            root.read(uri, 10)


@pytest.mark.slow
def test_ten_thousand_files_are_one_object(s3, tmp_path):
    root = DataRoot(f"s3://{BUCKET}/p", lambda *_: None, 5)
    (tmp_path / "many").mkdir()
    for number in range(10_000):
        (tmp_path / "many" / f"{number}.txt").write_text(str(number))
    expected = digest.of(tmp_path / "many")
    assert root.get(root.put(tmp_path / "many", expected), tmp_path / "back", expected) == expected
    assert _versions(s3) == [f"p/by-digest/{expected[5:]}"]


def test_each_digest_is_uploaded_once(s3, folder, tmp_path):
    root = DataRoot(f"s3://{BUCKET}/p", lambda *_: None, 5)
    for path in (folder, folder / "run", folder, folder / "run"):
        root.put(path, digest.of(path))
    DataRoot(f"s3://{BUCKET}/p/", lambda *_: None, 5).put(folder, digest.of(folder))
    assert len(_versions(s3)) == 2


def test_engines_that_upload_the_same_at_once_agree(root, folder, tmp_path):
    expected, failures = digest.of(folder), []

    def put() -> None:
        try:
            root.put(folder, expected)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=put) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert root.get(root.uri(expected), tmp_path / "back", expected) == expected


UPLOAD = """
import sys
from pathlib import Path
from engine.kubeflow.data import DataRoot
def say(name, done, total, verb):
    print("begun", flush=True)
    if done and done < total:
        import time
        time.sleep(60)  # in the middle of the upload
root = DataRoot(sys.argv[1], say, 5)
print("ready", flush=True)
root.put(Path(sys.argv[2]), sys.argv[3])
"""


def _killed_while_uploading(address: str, path: Path, expected: str) -> None:
    command = [sys.executable, "-c", UPLOAD, address, str(path), expected]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert [process.stdout.readline(), process.stdout.readline()] == ["ready\n", "begun\n"]
        process.send_signal(signal.SIGKILL)


@pytest.mark.parametrize(
    ("kind", "size"),
    [("folder", 12_000_000), pytest.param("s3", 120_000_000, marks=pytest.mark.slow)],
)
def test_a_killed_upload_leaves_nothing_under_the_name(request, tmp_path, kind, size):
    address = str(tmp_path)
    if kind == "s3":  # an upload in several parts
        request.getfixturevalue("s3")
        address = f"s3://{BUCKET}/p"
    (tmp_path / "large").write_bytes(os.urandom(size))
    expected = digest.of(tmp_path / "large")
    _killed_while_uploading(address, tmp_path / "large", expected)
    root = DataRoot(address, lambda *_: None, 5)
    assert not root.has(expected)
    assert root.get(root.put(tmp_path / "large", expected), tmp_path / "back", expected) == expected


def _refused(call: Callable[[], object]) -> UserError:
    with pytest.raises(UserError) as found:
        call()
    assert found.value.fix and found.value.where.startswith("kubeflow.data_root=")
    return found.value


def test_a_bucket_that_does_not_exist_is_named(s3, folder):
    root = DataRoot("s3://nobodys/p", lambda *_: None, 5)
    refused = _refused(lambda: root.put(folder, digest.of(folder)))
    assert (refused.what, refused.fix) == (
        "there is no bucket 'nobodys'",
        "aws s3 mb s3://nobodys",
    )


def test_a_wrong_key_and_no_key_are_different_errors(folder, monkeypatch):
    with services.S3(checked_after=0) as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        root = DataRoot(f"s3://{BUCKET}/p", lambda *_: None, 5)
        assert "is denied" in _refused(lambda: root.put(folder, digest.of(folder))).what
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    root = DataRoot(f"s3://{BUCKET}/p", lambda *_: None, 5)
    refused = _refused(lambda: root.put(folder, digest.of(folder)))
    assert refused.what == "there are no credentials for it" and "AWS_PROFILE" in refused.fix


@pytest.mark.parametrize("how", ["stopped", "hangs"])
def test_a_server_that_does_not_answer_is_waited_for_only_so_long(folder, monkeypatch, how):
    monkeypatch.setattr("engine.kubeflow.bucket.ATTEMPTS", 1)
    with services.S3() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        root = DataRoot(f"s3://{BUCKET}/p", lambda *_: None, 0.2)
        server.stop() if how == "stopped" else server.pause()
        for call in (
            lambda: root.has(digest.of(folder)),
            lambda: root.put(folder, digest.of(folder)),
            lambda: root.glob("*"),
        ):
            assert "cannot be reached" in _refused(call).what


def test_a_folder_that_is_full_or_read_only_fails_with_its_reason(tmp_path, folder):
    refused = _refused(lambda: DataRoot(str(tmp_path / "none"), lambda *_: None))
    assert refused.what == "there is no such folder"
    (tmp_path / "file").write_text("")
    _refused(lambda: DataRoot(str(tmp_path / "file"), lambda *_: None))


@pytest.mark.parametrize("address", ["s3://", "s3:///x", "minio://b/p", "http://b/p", "az://b"])
def test_an_address_that_is_not_supported_is_refused(address):
    assert _refused(lambda: DataRoot(address, lambda *_: None))


@pytest.mark.slow
def test_no_wait_is_long_if_google_cannot_be_reached(tmp_path, monkeypatch):
    """Without a server of Google's kind, this shows only that its client is called, and bounded."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{services.free_port()}")
    begun = time.monotonic()
    root = DataRoot("gs://bucket/p", lambda *_: None, 0.2)
    assert "cannot be reached" in _refused(lambda: root.has("file:" + "0" * 64)).what
    assert time.monotonic() - begun < 60
