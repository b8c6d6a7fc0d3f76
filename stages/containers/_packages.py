"""The packages in an image, from the metadata of Python distributions and from dpkg's status, and the
locks of both.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.parser import Parser
from pathlib import Path

from engine.stage import StageError
from stages.containers import _layout

_WANTED = re.compile(
    r"(?P<metadata>(?!usr/lib/python3/).*\.dist-info/METADATA)|(?P<status>var/lib/dpkg/status(\.d/[^/]+)?)"
    r"|(?P<copyright>usr/share/doc/[^/]+/copyright)|(?P<release>(etc|usr/lib)/os-release)"
)
_SHORT = 100  # a longer licence field contains the licence's text


@dataclass(frozen=True, slots=True)
class Package:
    """One installed package.

    `source` is Debian's source package and version, as used by its security tracker.
    """

    kind: str  # pypi or deb
    name: str
    version: str
    arch: str = ""
    source: tuple[str, str] = ("", "")
    licences: tuple[str, ...] = ()
    is_expression: bool = False  # whether the licence is an SPDX expression
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Installed:
    """All packages, sorted, and the Debian release (empty for any other system)."""

    packages: tuple[Package, ...]
    release: str


def installed(image: _layout.Image) -> Installed:
    """Return the installed packages. Python files of a Debian package belong to that package."""
    found = _layout.files(image, _WANTED)
    texts = {path: _text(found, path) for path in found}
    by_kind = {
        path: next(k for k, v in match.groupdict().items() if v)
        for path in texts
        if (match := _WANTED.fullmatch(path))
    }
    wheels = [
        _distribution(texts[path], path) for path, kind in by_kind.items() if kind == "metadata"
    ]
    debs = [
        package
        for path, kind in by_kind.items()
        if kind == "status"
        for package in _dpkg(texts, path)
    ]
    release = texts.get("etc/os-release") or texts.get("usr/lib/os-release") or ""
    return Installed(
        tuple(sorted({*wheels, *debs}, key=lambda p: (p.kind, p.name, p.version, p.arch))),
        _release(release),
    )


def locked(folder: Path, arch: str) -> dict[tuple[str, str, str], str]:
    """Return {(kind, name, version): sha256} of the lock files of one platform in a folder."""
    found: dict[tuple[str, str, str], str] = {}
    for path in (folder / f"requirements-{arch}.lock", folder / f"debian-{arch}.lock"):
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
            wheel = re.fullmatch(r"([\w.-]+)==(\S+) --hash=sha256:([0-9a-f]{64})", line)
            deb = re.fullmatch(r"(\S+) (\S+) \S+ ([0-9a-f]{64})", line)
            if wheel:
                found["pypi", normal(wheel[1]), wheel[2]] = wheel[3]
            elif deb:
                found["deb", deb[1], deb[2]] = deb[3]
            elif line and not line.startswith(("#", "epoch ")):
                raise StageError(
                    f"{path.name} has a line that is not a locked package: {line[:80]!r}"
                )
    return found


def normal(name: str) -> str:
    """Return the normalised name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _text(found: Mapping[str, bytes | str], path: str) -> str:
    content = _layout.follow(dict(found), path)
    return content.decode("utf-8", "replace") if content else ""


def _distribution(text: str, path: str) -> Package:
    head = Parser().parsestr(text, headersonly=True)
    name, version = str(head["Name"] or "").strip(), str(head["Version"] or "").strip()
    if not re.fullmatch(r"[\w.-]+", name, re.ASCII) or not re.fullmatch(
        r"[\w.!+-]+", version, re.ASCII
    ):
        raise StageError(f"{path} lacks the distribution's name or version")
    expression = str(head["License-Expression"] or "").strip()
    if expression:
        return Package("pypi", normal(name), version, licences=(expression,), is_expression=True)
    own = str(head["License"] or "").strip()
    classified = [
        str(each).rpartition("::")[2].strip()
        for each in head.get_all("Classifier", [])
        if str(each).startswith("License ::")
    ]
    licences = (
        [own] if own and own != "UNKNOWN" and len(own) <= _SHORT and "\n" not in own else classified
    )
    return Package("pypi", normal(name), version, licences=tuple(sorted(set(licences))))


def _dpkg(texts: Mapping[str, str], path: str) -> Iterator[Package]:
    """Yield the installed packages of a status file (deb-control(5), dpkg-query(1))."""
    for stanza in texts[path].split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z][\w-]*):[ \t]*(.*)$", stanza, re.MULTILINE))
        if (
            not stanza.strip()
            or fields.get("Status", "install ok installed").split()[-1] != "installed"
        ):
            continue
        name, version, arch = (
            fields.get(key, "") for key in ("Package", "Version", "Architecture")
        )
        if not re.fullmatch(r"[a-z0-9][a-z0-9+.-]*", name) or not re.fullmatch(
            r"[A-Za-z0-9.+:~-]+", version
        ):
            raise StageError(
                f"{path} has a stanza without a package and its version: {stanza[:60]!r}"
            )
        source = re.fullmatch(r"(\S+)(?: \((\S+)\))?", fields.get("Source", name))
        licences = re.findall(
            r"^License:[ \t]*(\S.*)$",
            texts.get(f"usr/share/doc/{name}/copyright", ""),
            re.MULTILINE,
        )
        kept = tuple(sorted({licence.strip() for licence in licences if len(licence) <= _SHORT}))
        yield Package(
            "deb",
            name,
            version,
            arch,
            (source[1], source[2] or version) if source else (name, version),
            kept,
        )


def _release(text: str) -> str:
    fields = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', text, re.MULTILINE))
    return fields.get("VERSION_ID", "") if fields.get("ID") == "debian" else ""
