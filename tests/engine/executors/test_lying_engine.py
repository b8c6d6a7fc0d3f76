"""A device's engine that is not what it says: a server of nonsense on a real socket, and archives that no engine would send."""

import os
import resource
import tarfile
from collections.abc import Iterator
from itertools import count, repeat
from pathlib import Path

import pytest

from engine.executors import _archive

ZEROS = bytes(1 << 16)


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
    "an archive that never ends": lambda: (piece for n in count() for piece in [_file(f"out/{n}", bytes(1 << 20))]),
    "zeros that never end behind a name": lambda: iter([OUT, _claims(_header("././@LongLink", 1, tarfile.GNUTYPE_LONGNAME), CLAIMED)]),
    "a pax header of 5 GB": lambda: iter([OUT, _claims(_header("pax", 1, tarfile.XHDTYPE), CLAIMED)]),
    "a negative size": lambda: iter([OUT, _claims(_header("out/x"), b"\xff" * 11 + b"\x00"), END]),
    "a large negative size": lambda: iter([OUT, _claims(_header("out/x"), b"\xff" * 8 + b"\x00" * 4), END]),
    "a pax header of a negative size": lambda: iter([OUT, _claims(_header("pax", 0, tarfile.XHDTYPE), b"\xff" * 10 + b"\x00\x00"), END]),
    "long names one in the other": lambda: iter([OUT, *[_header("@", 0, tarfile.GNUTYPE_LONGNAME)] * 3000, END]),
    "an absolute name": lambda: iter([OUT, _file("/etc/x"), END]),
    "a name that leads out": lambda: iter([OUT, _file("out/../../x"), END]),
    "another root": lambda: iter([_file("job.json"), END]),
    "a hard link to outside": lambda: iter([OUT, _header("out/x", kind=tarfile.LNKTYPE, linkname="/etc/passwd"), END]),
    "a hard link that leads out": lambda: iter([OUT, _header("out/x", kind=tarfile.LNKTYPE, linkname="out/../../x"), END]),
    "a hard link to nothing": lambda: iter([OUT, _header("out/x", kind=tarfile.LNKTYPE, linkname="out/y"), END]),
    "a link": lambda: iter([OUT, _header("out/x", kind=tarfile.SYMTYPE, linkname="/etc"), _file("out/x/y"), END]),
    "a device": lambda: iter([OUT, _header("out/x", kind=tarfile.CHRTYPE, devmajor=1, devminor=5), END]),
    "out/ as a file": lambda: iter([_file("out"), END]),
    "a file and a folder of one name": lambda: iter([OUT, _file("out/x"), _file("out/x/y"), END]),
    "a folder and a file of one name": lambda: iter([OUT, _header("out/x", kind=tarfile.DIRTYPE), _file("out/x"), END]),
    "a name that is too long": lambda: iter([OUT, _file("out/" + "x" * 300), END]),
    "no end": lambda: iter([OUT, _file("out/x")]),
    "garbage behind a file": lambda: iter([OUT, _file("out/x"), b"\xff" * 2048]),
    "a file that is cut off": lambda: iter([OUT, _header("out/x", 5000), b"x" * 700]),
    "nothing": lambda: iter([]),
    "garbage": lambda: iter([os.urandom(100_000)]),
}


def _look(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if "job/out" not in str(path))


def _endless(pieces: Iterator[bytes]) -> Iterator[bytes]:
    yield from pieces
    yield from repeat(ZEROS)


@pytest.fixture
def job(tmp_path) -> Path:
    """A job's folder."""
    (tmp_path / "job" / "out").mkdir(parents=True)
    return tmp_path / "job"


@pytest.mark.parametrize("what", NONSENSE)
def test_an_archive_that_no_engine_sends_is_a_bad_output_and_nothing_is_written_outside(job, monkeypatch, what):
    free = 200_000_000
    monkeypatch.setattr(_archive.shutil, "disk_usage", lambda _: type("", (), {"free": free + _archive._SPARE}))
    before, memory = _look(job.parent), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    never_ends = "never end" in what or "5 GB" in what
    with pytest.raises(tarfile.TarError):
        _archive.unpack(_endless(NONSENSE[what]()) if never_ends else NONSENSE[what](), job)
    assert _look(job.parent) == before
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 200_000  # kB
    assert sum(path.stat().st_size for path in job.rglob("*")) <= free


def test_an_archive_of_too_many_names_is_refused(job, monkeypatch):
    monkeypatch.setattr(_archive, "_ENTRIES_MOST", 50)
    with pytest.raises(_archive.NotPlain, match="more than 50 files"):
        _archive.unpack((_file(f"out/{n}") for n in count()), job)


def test_an_archive_is_written_as_it_is_but_for_rights_that_no_artifact_has(job):
    folder = _header("out/d", kind=tarfile.DIRTYPE, mode=0o500)
    files = [_file("out/d/s", b"1", mode=0o4755), _file("out/d/e", b""), _file("out/caf\udce9", b"2" * 70_000)]
    _archive.unpack(iter([OUT, folder, *files, _header("out/l", kind=tarfile.LNKTYPE, linkname="out/d/s"), END]), job)
    assert sorted(os.listdir(os.fsencode(job / "out"))) == [b"caf\xe9", b"d", b"l"]
    assert (job / "out" / "d").stat().st_mode & 0o7777 == 0o500
    assert (job / "out" / "d" / "s").stat().st_mode & 0o7777 == 0o755
    assert (job / "out" / "l").read_text() == "1" and (job / "out" / "caf\udce9").stat().st_size == 70_000
    (job / "out" / "d").chmod(0o700)


def test_the_content_of_one_file_is_no_more_than_was_asked_for():
    assert b"".join(_archive.content(iter([_file("x", b"12345"), END]), 5, 3)) == b"45"
    assert list(_archive.content(iter([_header("x", kind=tarfile.SYMTYPE, linkname="/etc/passwd"), END]), 5)) == []
    with pytest.raises(_archive.NotPlain):
        list(_archive.content(_endless(iter([_header("x", 1 << 40)])), 5))
    with pytest.raises(_archive.NotPlain):
        list(_archive.content(_endless(iter([_claims(_header("x", 1, tarfile.XHDTYPE), CLAIMED)])), 5))
