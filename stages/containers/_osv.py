"""Vulnerabilities in OSV's format: reads them from files, folders and zips, and finds those that
affect a package.

https://ossf.github.io/osv-schema/. Ranges of Git commits are ignored: a package has a version, not
a commit.
"""

import json
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from engine.stage import StageError
from stages.containers import _debian_version, _severity
from stages.containers._packages import normal

RECORD_BYTES = 16 << 20
FILE_BYTES = 2 << 30
_EVENTS = ("introduced", "fixed", "last_affected", "limit")


@dataclass(frozen=True, slots=True)
class Component:
    """A component to check: ecosystem (PyPI or Debian:12), name in advisories, version."""

    purl: str
    ecosystem: str
    name: str
    version: str


@dataclass(slots=True)
class Finding:
    """A vulnerability that affects a component; each database may name it differently."""

    component: Component
    names: set[str]
    severity: str
    fixed_in: set[str] = field(default_factory=set)
    summary: str = ""


@dataclass(slots=True)
class Result:
    """All findings, the number of records read, and the ranges that could not be evaluated."""

    findings: list[Finding] = field(default_factory=list)
    records: int = 0
    undecided: list[str] = field(default_factory=list)


def scan(components: Iterable[Component], vulnerabilities: Path) -> Result:
    """Return the findings for the components. Withdrawn records are ignored."""
    by_name: dict[tuple[str, str], list[Component]] = {}
    for component in components:
        by_name.setdefault((component.ecosystem.partition(":")[0], component.name), []).append(
            component
        )
    result = Result()
    for where, record in records(vulnerabilities):
        result.records += 1
        try:
            _judge(record, by_name, result)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise StageError(
                f"{where} is not a vulnerability in OSV's format ({type(error).__name__}: "
                f"{str(error)[:80]})"
            ) from None
    result.findings = _merged(result.findings)
    return result


def records(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every record with its location, from a folder or a zip of files, or a JSON file with one
    record, a list, or one record per line.
    """
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.is_file() and file.suffix in (".json", ".jsonl", ".zip"):
                yield from records(file)
    elif zipfile.is_zipfile(path):
        yield from _of_zip(path)
    else:
        yield from _of_file(path)


def _of_zip(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.filename.endswith(".json"):
                    if member.file_size > RECORD_BYTES:
                        raise StageError(
                            f"{path.name}: {member.filename} is longer than {RECORD_BYTES:,} bytes"
                        )
                    yield from _parsed(archive.read(member), f"{path.name}: {member.filename}")
    except (
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
        RuntimeError,
        EOFError,
        OSError,
        ValueError,
    ) as error:
        raise StageError(f"{path.name} is a zip that cannot be read: {str(error)[:120]}") from None


def _of_file(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the records of a JSON file; if its first line is valid JSON, each line is a record."""
    size = path.stat().st_size
    if size > FILE_BYTES:
        raise StageError(
            f"{path.name} is longer than {FILE_BYTES:,} bytes: give the records as a zip or a folder"
        )
    with path.open("rb") as lines:
        first = lines.readline(RECORD_BYTES)
        if len(first) < size and _is_json(first):
            lines.seek(0)
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield from _parsed(line, f"{path.name}, line {number}")
            return
    yield from _parsed(path.read_bytes(), path.name)


def _is_json(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _parsed(content: bytes, where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise StageError(f"{where} is not JSON: {str(error)[:80]}") from None
    found = (
        found.get("vulns", [found]) if isinstance(found, dict) else found
    )  # {"vulns": [...]} is the response of osv.dev
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise StageError(f"{where} contains neither a vulnerability nor a list of them")
    yield from ((where, each) for each in found)


def _judge(
    record: dict[str, Any], by_name: dict[tuple[str, str], list[Component]], result: Result
) -> None:
    upstream = (
        record.get("upstream") or []
    )  # Debian's record of a CVE names one CVE; its advisories name several
    names = {
        _text(name)
        for name in [
            record["id"],
            *(record.get("aliases") or []),
            *(upstream if len(upstream) == 1 else []),
        ]
    }
    if record.get("withdrawn"):
        return
    for affected in record.get("affected") or []:
        package = affected.get("package")
        if package is None:  # a record may name only Git repositories
            continue
        ecosystem, name = _text(package["ecosystem"]), _text(package["name"])
        family, _, release = ecosystem.partition(":")
        for component in by_name.get((family, normal(name) if family == "PyPI" else name), ()):
            if (not release or component.ecosystem == ecosystem) and _is_affected(
                component, affected, record["id"], result.undecided
            ):
                fixed = {
                    _text(e["fixed"])
                    for r in affected.get("ranges") or []
                    if r["type"] != "GIT"
                    for e in r["events"]
                    if "fixed" in e
                }
                summary = str(record.get("summary") or record.get("details") or "").strip()[:200]
                result.findings.append(
                    Finding(
                        component, names, _severity.level(record), fixed, summary.partition("\n")[0]
                    )
                )


def _is_affected(
    component: Component, affected: dict[str, Any], name: str, undecided: list[str]
) -> bool:
    """Return whether the version is listed or in a range (the evaluation algorithm of OSV's schema)."""
    if component.version in (affected.get("versions") or []):
        return True
    order: Callable[[str], Any] = Version if component.ecosystem == "PyPI" else _debian_version.key
    for span in affected.get("ranges") or []:
        if span["type"] == "GIT":
            continue
        try:
            if _is_inside(order(component.version), span["events"], order):
                return True
        except (InvalidVersion, ValueError):
            undecided.append(f"{name}: {component.name} {component.version}")
    return False


def _is_inside(version: Any, events: list[dict[str, str]], order: Callable[[str], Any]) -> bool:
    """Replay the events in the order of their versions.

    Version 0 means from the beginning.
    """
    kinds = [(kind, _text(event[kind])) for event in events for kind in _EVENTS if kind in event]
    starts = any(kind == "introduced" and at == "0" for kind, at in kinds)
    turns = sorted(
        (order(at), kind)
        for kind, at in kinds
        if (kind, at) != ("introduced", "0") and not (kind == "limit" and at == "*")
    )
    inside = starts
    for at, kind in turns:
        if kind == "introduced" and version >= at:
            inside = True
        elif (kind in ("fixed", "limit") and version >= at) or (
            kind == "last_affected" and version > at
        ):
            inside = False
    return inside


def _merged(findings: list[Finding]) -> list[Finding]:
    """Return one finding per vulnerability and component, with all its names and the highest severity."""
    known: dict[tuple[Component, str], Finding] = {}
    for finding in findings:
        everything = [
            *{
                id(same): same
                for name in finding.names
                if (same := known.get((finding.component, name)))
            }.values(),
            finding,
        ]
        merged = Finding(
            finding.component,
            set().union(*(each.names for each in everything)),
            max((each.severity for each in everything), key=_severity.LEVELS.index),
            set().union(*(each.fixed_in for each in everything)),
            next((each.summary for each in everything if each.summary), ""),
        )
        known.update({(finding.component, name): merged for name in merged.names})
    kept = {id(finding): finding for finding in known.values()}.values()
    return sorted(
        kept,
        key=lambda each: (
            -_severity.LEVELS.index(each.severity),
            each.component.name,
            sorted(each.names),
        ),
    )


def _text(value: Any) -> str:
    if (
        not isinstance(value, str)
        or len(value) > 1000
        or not re.fullmatch(r"[^\x00-\x1f\x7f]*", value)
    ):
        raise ValueError(f"{str(value)[:60]!r} is not a name or version")
    return value
