"""Durable files: a reader sees the old content or the new, and a failure leaves nothing."""

import os
from pathlib import Path

import pytest

from engine import durable
from engine.durable import write_whole


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "made" / "file"
    write_whole(path, b"old")
    with path.open("rb") as reader:
        write_whole(path, b"new")
        assert (reader.read(), path.read_bytes()) == (b"old", b"new")
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("is_durable", [True, False])
def test_only_a_durable_file_waits_for_the_disk(tmp_path: Path, monkeypatch, is_durable) -> None:
    synced = []
    monkeypatch.setattr(durable.os, "fsync", synced.append)
    write_whole(tmp_path / "file", b"x", durable=is_durable)
    assert bool(synced) is is_durable


def test_nothing_is_left_where_a_folder_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    with pytest.raises(OSError):
        write_whole(tmp_path / "file", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_clone_has_the_same_bytes_or_is_not_there(tmp_path: Path) -> None:
    source, copy = tmp_path / "source", tmp_path / "copy"
    source.write_bytes(b"bytes")
    if durable.clone(source, copy):
        assert copy.read_bytes() == b"bytes" and not os.access(copy, os.X_OK)
    else:
        assert not copy.exists()
