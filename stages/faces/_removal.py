"""Finds a person's data in artifacts of face recognition, and makes packages without the person."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.stage import StageError
from stages.tasks import faces
from stages.tasks.package import MANIFEST, Package, open_package

CHANGED = """
## Changed after the evaluation

A person was removed from the gallery. The figures above include that person.
"""


def texts(artifact: Path) -> "Iterator[str]":
    """Yield every name of a folder or file below an artifact, every line of a text file, and every
    string of a JSON file; a picture's name begins with its person's: "Ada/1.jpg".
    """
    for path in sorted(artifact.rglob("*")) if artifact.is_dir() else [artifact]:
        if path != artifact:
            yield path.name
        if path.is_file():
            yield from _lines(path)


def people(artifact: Path) -> "set[str]":
    """Return the names in the labels of an artifact."""
    found = artifact.rglob("labels.txt") if artifact.is_dir() else ()
    return {name for path in found for name in path.read_text(encoding="utf-8").splitlines()}


def holds(artifact: Path, person: str) -> bool:
    """Return whether an artifact has the person's name, as such or in the name of a picture."""
    return any(text == person or text.startswith(f"{person}/") for text in texts(artifact))


def as_package(artifact: Path) -> "Package | None":
    """Return the artifact if it is a whole package of this task."""
    try:
        found = open_package(artifact)
    except StageError:
        return None
    return found if found.task == "faces" else None


def without(package: Package, person: str, to: Path) -> bool:
    """Write the package without the person, and return True; False if nobody would be left."""
    gallery = faces.read(package.data(faces.GALLERY, faces.PEOPLE), len(package.labels))
    gone = package.labels.index(person)
    is_kept = gallery.people != gone
    if not is_kept.any():
        return False
    for name in sorted(package.named):
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(package.folder / name, to / name)
    kept = gallery.people[is_kept]
    faces.Gallery(gallery.embeddings[is_kept], kept - (kept > gone)).write(to / "data")
    labels = "".join(f"{one}\n" for one in package.labels if one != person)
    (to / "labels.txt").write_text(labels, encoding="utf-8")
    _explain(to / "card.md")
    _seal(package.folder / MANIFEST, to)
    faces.read(open_package(to).folder / "data", len(package.labels) - 1)
    return True


def _lines(path: Path) -> "Iterator[str]":
    if path.suffix == ".txt":
        yield from path.read_text(encoding="utf-8", errors="replace").splitlines()
    elif path.suffix in (".json", ".jsonl"):
        words = path.read_text(encoding="utf-8", errors="replace")
        for one in words.splitlines() if path.suffix == ".jsonl" else [words]:
            yield from _strings(_parsed(one))


def _parsed(words: str) -> Any:
    try:
        return json.loads(words)
    except (ValueError, RecursionError):
        return None


def _strings(value: Any) -> "Iterator[str]":
    """Yield the strings in JSON data, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _strings(one)


def _explain(card: Path) -> None:
    words = card.read_text(encoding="utf-8") if card.is_file() else ""
    if CHANGED not in words:
        card.write_text(words + CHANGED, encoding="utf-8")


def _seal(old: Path, package: Path) -> None:
    """Write the manifest with the digests of the new files."""
    manifest = json.loads(old.read_text(encoding="utf-8"))
    manifest["files"] = {
        path.relative_to(package).as_posix(): {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "bytes": path.stat().st_size,
        }
        for path in sorted(package.rglob("*"))
        if path.is_file()
    }
    (package / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
