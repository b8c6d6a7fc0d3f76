"""Debian packages without dpkg: reads the lock that lists them, downloads them, and unpacks them into a
tree.

Maintainer scripts do not run, so packages of any platform unpack on any other; `_rootfs.py` does the
work of the base's scripts. Format of a package: deb(5).
"""

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from io import BytesIO
from pathlib import Path
from typing import IO

from engine.stage import StageError
from stages.containers._download import download_all, read_text
from stages.containers._tree import Tree, file, inside, members

MIRROR = "http://deb.debian.org/debian"
SNAPSHOT = "https://snapshot.debian.org/archive/debian"  # archives packages that have left the pool
STATUS = "var/lib/dpkg/status"
INFO = "var/lib/dpkg/info"
UNREAD = re.compile(
    r"usr/share/(man|info|locale|lintian|doc-base|linda)/.|usr/share/doc/[^/]+/(?!copyright$)"
)  # as in Debian's slim images
_LINE = re.compile(r"[a-z0-9][a-z0-9+.-]* [A-Za-z0-9.+~:-]+ \S+ [0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Package:
    """One line of a lock; `place` is a path in Debian's pool, or an https URL."""

    name: str
    version: str
    place: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Lock:
    """The packages of one platform.

    `epoch` is the time of their release, and the timestamp of every file made from them.
    """

    epoch: int
    packages: tuple[Package, ...]


def read_lock(path: Path) -> Lock:
    """Return the lock in a file: `epoch SECONDS`, then one package per line: name, version,
    place, sha256.
    """
    if not path.is_file():
        raise StageError(
            f"there is no {path.name}, the lock of Debian packages for this platform; "
            "create it with: make lock"
        )
    lines = [
        line
        for line in path.read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    head, *rest = lines or [""]
    match = re.fullmatch(r"epoch (\d{1,12})", head)
    if not match:
        raise StageError(
            f"{path.name} is not a lock of Debian packages: its first line is not 'epoch "
            "SECONDS'; create it again with: make lock"
        )
    for line in rest:
        if not _LINE.fullmatch(line):
            raise StageError(
                f"{path.name} is not a lock of Debian packages: '{line[:80]}'; create it "
                "again with: make lock"
            )
    return Lock(int(match[1]), tuple(Package(*line.split(" ")) for line in rest))


def install(tree: Tree, lock: Lock, leave_out: Sequence[str] = ()) -> int:
    """Download and unpack the packages of the lock that the tree lacks, write their dpkg records, and
    return their number.

    leave_out: patterns of files that are not unpacked, in addition to files that no container needs
    """
    missing = [package for package in lock.packages if package.name not in installed(tree)]
    files = download_all([(package.sha256, _places(package, lock.epoch)) for package in missing])
    stanzas = [_unpack(path, tree, leave_out) for path in files]
    tree.add(STATUS, file(_sorted_status([*_stanzas(tree), *stanzas])))
    return len(missing)


def installed(tree: Tree) -> set[str]:
    """Return the names of the packages that the tree has."""
    return {_field(stanza, "Package") for stanza in _stanzas(tree)}


def _places(package: Package, epoch: int) -> list[str]:
    if package.place.startswith("https://"):
        return [package.place]
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(epoch))
    return [f"{MIRROR}/{package.place}", f"{SNAPSHOT}/{moment}/{package.place}"]


def read_repository(source: Mapping[str, str], architecture: str, epoch: int) -> Lock:
    """Return a lock of the current packages of an apt source, for sources that cannot be locked in
    advance.

    source: url (https), suite, component, and packages, each as NAME=VERSION. The packages are checked
    against the index, and the index is protected by TLS only.
    """
    if source.keys() != {"url", "suite", "component", "packages"} or not source["url"].startswith(
        "https://"
    ):
        raise StageError(
            "image.yaml: a repository needs url (https://), suite, component and packages"
        )
    url = f"{source['url']}/dists/{source['suite']}/{source['component']}/binary-{architecture}/Packages"
    stanzas = {
        f"{_field(s, 'Package')}={_field(s, 'Version')}": s for s in read_text(url).split("\n\n")
    }
    packages = []
    for name in source["packages"].split():
        if name not in stanzas:
            raise StageError(f"{url} has no {name}")
        place, sha256 = (_field(stanzas[name], key) for key in ("Filename", "SHA256"))
        packages.append(Package(*name.split("=", 1), f"{source['url']}/{place}", sha256))
    return Lock(epoch, tuple(packages))


def _unpack(deb: Path, tree: Tree, leave_out: Sequence[str]) -> str:
    """Add the package's files to the tree and return its paragraph for dpkg's status file."""
    parts = read_ar(deb.read_bytes())
    control = {
        name: entry
        for path, entry in members(_part(parts, "control.tar"))
        for name in ["/".join(inside(path))]
        if entry.size
    }
    if "control" not in control:
        raise StageError("a Debian package has no control file")
    stanza = control.pop("control").read().decode("utf-8", "replace").strip()
    names = ["/."]
    for path, entry in members(_part(parts, "data.tar")):
        where = "/".join(inside(path))
        if (
            where
            and not UNREAD.match(where)
            and not any(fnmatchcase(where, pattern) for pattern in leave_out)
        ):
            tree.add(where, entry)
            names.append(f"/{where}")
    known_as = _field(stanza, "Package")
    if _field(stanza, "Multi-Arch") == "same":
        known_as += f":{_field(stanza, 'Architecture')}"
    tree.add(f"{INFO}/{known_as}.list", file("".join(f"{name}\n" for name in names).encode()))
    for name, entry in control.items():
        tree.add(f"{INFO}/{known_as}.{name}", entry)
    return re.sub(
        r"^(Package: .*)$", r"\1\nStatus: install ok installed", stanza, count=1, flags=re.MULTILINE
    )


def read_ar(data: bytes) -> dict[str, bytes]:
    """Return the parts of an ar archive, ar(5) with short names, as deb(5) requires."""
    if not data.startswith(b"!<arch>\n"):
        raise StageError("a file of the lock is not a Debian package: it is not an ar archive")
    parts, place = {}, 8
    while place + 60 <= len(data):
        header = data[place : place + 60]
        digits = header[48:58].strip()
        if header[58:60] != b"`\n" or not digits.isdigit() or place + 60 + int(digits) > len(data):
            raise StageError("a Debian package is broken: its ar archive is truncated or damaged")
        size = int(digits)
        parts[header[:16].decode("ascii", "replace").strip().rstrip("/")] = data[
            place + 60 : place + 60 + size
        ]
        place += 60 + size + size % 2
    return parts


def _part(parts: dict[str, bytes], stem: str) -> IO[bytes]:
    for ending in ("", ".xz", ".gz", ".bz2"):
        if stem + ending in parts:
            return BytesIO(parts[stem + ending])
    raise StageError(
        f"a Debian package has no readable {stem}; it has {', '.join(sorted(parts)) or 'nothing'}"
    )


def _stanzas(tree: Tree) -> list[str]:
    text = (tree.read(STATUS) or b"").decode("utf-8", "replace")
    return [stanza.strip() for stanza in text.split("\n\n") if stanza.strip()]


def _sorted_status(stanzas: Iterable[str]) -> bytes:
    return "".join(
        f"{stanza}\n\n" for stanza in sorted(stanzas, key=lambda stanza: _field(stanza, "Package"))
    ).encode()


def _field(stanza: str, name: str) -> str:
    match = re.search(rf"^{name}: *(.*)$", stanza, re.MULTILINE)
    return match[1].strip() if match else ""
