"""Folders as one tar: nothing that a digest covers is lost, and no damage goes unnoticed."""

import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import digest
from engine.stage import packing
from engine.stage.packing import Changed, Damaged

NAMES = ["a b", "line\nbreak", "été", "-x", "a.tar", "*?[", "%2e", "漢字", ".hidden"]


def _packed(path: Path) -> bytes:
    out = io.BytesIO()
    packing.pack(path, out)
    return out.getvalue()


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder with everything that a digest distinguishes."""
    root = tmp_path / "folder"
    (root / "deep" / "er").mkdir(parents=True)
    (root / "empty").mkdir()
    for name in NAMES:
        (root / "deep" / name).write_text(name)
    (root / "deep" / "er" / "tool").write_bytes(b"#!/bin/sh\n")
    (root / "deep" / "er" / "tool").chmod(0o755)
    (root / os.fsdecode(b"not-\xff-utf8")).write_bytes(b"\0" * 3000)
    (root / ("long" * 50)).write_text("")
    (root / "file-link").symlink_to("deep/-x")
    (root / "zz").symlink_to("deep/er")
    return root


def test_a_folder_comes_back_with_its_digest(folder, tmp_path):
    found = packing.unpack(io.BytesIO(_packed(folder)), tmp_path / "back")
    assert found == digest.of(folder) == digest.of(tmp_path / "back")
    assert (tmp_path / "back" / "empty").is_dir()
    assert os.access(tmp_path / "back" / "deep" / "er" / "tool", os.X_OK)
    assert not os.access(tmp_path / "back" / "deep" / "-x", os.X_OK)


def test_an_empty_folder_comes_back(tmp_path):
    (tmp_path / "a").mkdir()
    found = packing.unpack(io.BytesIO(_packed(tmp_path / "a")), tmp_path / "b")
    assert found == digest.of(tmp_path / "a") and list((tmp_path / "b").iterdir()) == []


@given(
    st.dictionaries(
        st.lists(st.sampled_from(["a", "b", "a.b", "ab", " "]), min_size=1, max_size=4).map(tuple),
        st.one_of(st.none(), st.binary(max_size=20)),
        max_size=8,
    )
)
def test_any_tree_comes_back(tmp_path_factory, entries):
    root = tmp_path_factory.mktemp("tree")
    (root / "in").mkdir()
    for parts, data in sorted(entries.items(), key=lambda one: len(one[0])):
        path = root.joinpath("in", *parts)
        if any(one.is_file() for one in (*path.parents, path)):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if data is None:
            path.mkdir(exist_ok=True)
        elif not path.exists():
            path.write_bytes(data)
    found = packing.unpack(io.BytesIO(_packed(root / "in")), root / "out")
    assert found == digest.of(root / "in") == digest.of(root / "out")


def test_the_same_folder_gives_the_same_bytes(folder, tmp_path):
    first = _packed(folder)
    os.utime(folder / "deep" / "-x", (1, 1))
    (folder / "deep" / "-x").chmod(0o600)
    assert _packed(folder) == first


def test_tar_unpacks_it_too(folder, tmp_path):
    with tarfile.open(fileobj=io.BytesIO(_packed(folder))) as tar:
        tar.extractall(tmp_path / "by-tar", filter="tar")
    (tmp_path / "by-tar" / packing.MANIFEST).unlink()
    assert digest.of(tmp_path / "by-tar") == digest.of(folder)


def test_a_file_is_packed_only_if_it_looks_packed(folder, tmp_path):
    plain, odd = tmp_path / "plain", tmp_path / "odd"
    plain.write_bytes(b"plain")
    odd.write_bytes(_packed(folder))
    assert [packing.needs_packing(path) for path in (folder, plain, odd)] == [True, False, True]
    data = _packed(odd)
    assert packing.is_packed(data[: packing.HEAD_BYTES])
    assert packing.unpack(io.BytesIO(data), tmp_path / "back") == digest.of(odd)
    assert (tmp_path / "back").read_bytes() == odd.read_bytes()


def test_no_damaged_byte_and_no_truncation_goes_unnoticed(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one").write_bytes(b"1" * 700)
    (tmp_path / "a" / "two").write_bytes(b"2" * 100)
    whole, expected = _packed(tmp_path / "a"), digest.of(tmp_path / "a")
    for number, at in enumerate(range(0, len(whole), 97)):
        changed = bytearray(whole)
        changed[at] ^= 0xFF
        for data in (bytes(changed), whole[:at]):
            try:
                found = packing.unpack(io.BytesIO(data), tmp_path / f"{number}-{len(data)}")
            except Damaged:
                continue  # the padding between files may differ, but what is unpacked may not
            assert found != expected or digest.of(tmp_path / f"{number}-{len(data)}") == expected


@pytest.mark.parametrize(
    "manifest",
    [
        b"- %s ../out\0",
        b"- %s /out\0",
        b"- %s a//b\0",
        b"empty ..\0",
        b"as a\0../..\0",
        b"as a\0b\0",
        b"what a\0",
        b"- %s a",
    ],
)
def test_a_manifest_that_leads_out_of_the_folder_is_refused(tmp_path, manifest):
    out = io.BytesIO()
    data = b"tree/1\n" + manifest.replace(b"%s", b"0" * 64)
    with tarfile.open(fileobj=out, mode="w") as tar:
        packing._add_bytes(tar, packing.MANIFEST, data)
    with pytest.raises(Damaged):
        packing.unpack(io.BytesIO(out.getvalue()), tmp_path / "in")
    assert not (tmp_path / "out").exists() and list((tmp_path / "in").iterdir()) == []


def test_nothing_is_written_through_a_link(tmp_path):
    out, empty = io.BytesIO(), b"empty b\0"
    manifest = b"tree/1\n" + empty + b"as a\0b\0" + b"empty a/c\0"
    with tarfile.open(fileobj=out, mode="w") as tar:
        packing._add_bytes(tar, packing.MANIFEST, manifest)
        packing._add(tar, tmp_path, "b", b"empty", None)
        packing._add(tar, tmp_path, "a", b"as", "b")
        packing._add(tar, tmp_path, "a/c", b"empty", None)
    with pytest.raises(Damaged, match="below a link"):
        packing.unpack(io.BytesIO(out.getvalue()), tmp_path / "in")


def test_a_loop_of_links_and_a_pipe_are_refused(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "loop").symlink_to("..")
    with pytest.raises(OSError, match="above it"):
        _packed(tmp_path / "a")
    (tmp_path / "a" / "loop").unlink()
    os.mkfifo(tmp_path / "a" / "pipe")
    with pytest.raises(OSError, match="neither a file nor a folder"):
        _packed(tmp_path / "a")


@pytest.mark.parametrize("content", ["other", "longer than before", "x"])
def test_a_file_that_changes_meanwhile_is_an_error(tmp_path, content):
    class Slow(io.BytesIO):
        def write(self, data) -> int:
            (tmp_path / "a" / "file").write_text(content)
            return super().write(data)

    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_text("first")
    with pytest.raises(Changed):
        packing.pack(tmp_path / "a", Slow())
