"""Small Debian packages, wheels and locks, created for tests and served from loopback."""

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

EPOCH = 1_700_000_000
CONTROL = "Package: {name}\nVersion: 1.0\nArchitecture: all\nDescription: for a test\n"


def tar(
    members: dict[str, bytes | str | None], mode: str = "w:xz", links: dict[str, str] | None = None
) -> bytes:
    """Return a tar: bytes are files, text is a symbolic link, None a folder; `links` are hard links."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for name, what in members.items():
            info = tarfile.TarInfo(name)
            info.mode, info.uid, info.gid, info.mtime = 0o6755, 1234, 42, 99
            if what is None:
                info.type = tarfile.DIRTYPE
            elif isinstance(what, str):
                info.type, info.linkname = tarfile.SYMTYPE, what
            else:
                info.size = len(what)
            archive.addfile(info, io.BytesIO(what) if isinstance(what, bytes) else None)
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.LNKTYPE, target
            archive.addfile(info)
    return out.getvalue()


def ar(parts: dict[str, bytes]) -> bytes:
    """Return an ar archive of these parts."""
    whole = b"!<arch>\n"
    for name, data in parts.items():
        whole += (
            f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode()
            + data
            + b"\n" * (len(data) % 2)
        )
    return whole


def deb(
    name: str,
    members: dict[str, bytes | str | None],
    control: str = CONTROL,
    links: dict[str, str] | None = None,
) -> bytes:
    """Return a Debian package."""
    about = tar({"./control": control.format(name=name).encode(), "./md5sums": b"x\n"})
    return ar(
        {
            "debian-binary": b"2.0\n",
            "control.tar.xz": about,
            "data.tar.xz": tar(members, links=links),
        }
    )


def wheel(members: dict[str, bytes], executable: tuple[str, ...] = ()) -> bytes:
    """Return a wheel, or any zip."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o100755 if name in executable else 0o100600) << 16
            archive.writestr(info, data)
    return out.getvalue()


def put(data: bytes, cache: Path) -> str:
    """Put a file into the download cache and return its sha256, as if it had been downloaded."""
    digest = hashlib.sha256(data).hexdigest()
    folder = cache / "raspberrypi-mlops" / "sha256"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / digest).write_bytes(data)
    return digest


def lock(path: Path, debs: dict[str, bytes], cache: Path) -> Path:
    """Write a lock of Debian packages that are in the cache."""
    lines = [
        f"{name} 1.0 pool/{name}.deb {put(data, cache)}" for name, data in sorted(debs.items())
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([f"epoch {EPOCH}", *lines]) + "\n")
    return path
