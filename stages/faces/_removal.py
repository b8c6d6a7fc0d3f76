"""Finds packages of face recognition, and makes them again without a person."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np

from engine.stage import StageError
from stages.faces import _names
from stages.tasks import faces
from stages.tasks.package import MANIFEST, Package, open_package

CHANGED = """
## Changed after the evaluation

A person was removed from the gallery. The figures above include that person.
"""


def as_package(artifact: Path) -> "Package | None":
    """Return the artifact if it is a whole package of this task."""
    try:
        found = open_package(artifact)
        if found.task != "faces":
            return None
        _gallery(found)
    except StageError:
        return None
    return found


def without(package: Package, person: str, to: Path) -> bool:
    """Write the package without the person, and return True; False if nobody would be left.

    person: in the normal form, which several labels of the package may have
    """
    gallery = _gallery(package)
    labels = [one for one in package.labels if _names.normal(one) != person]
    moved = {package.labels.index(one): at for at, one in enumerate(labels)}
    is_kept = np.isin(gallery.people, list(moved))
    if not is_kept.any():
        return False
    for name in sorted(package.named):
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(package.folder / name, to / name)
    kept = np.array([moved[one] for one in gallery.people[is_kept].tolist()], np.int64)
    faces.Gallery(gallery.embeddings[is_kept], kept).write(to / "data")
    (to / "labels.txt").write_text("".join(f"{one}\n" for one in labels), encoding="utf-8")
    _explain(to / "card.md")
    _seal(package.folder / MANIFEST, to)
    _gallery(open_package(to))
    return True


def _gallery(package: Package) -> faces.Gallery:
    return faces.read(package.data(faces.GALLERY, faces.PEOPLE), len(package.labels))


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
