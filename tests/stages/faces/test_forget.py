"""Removing a person: which artifacts are found, and what the packages without the person still know."""

import json

import numpy as np
import pytest

from stages.faces.forget import forget
from stages.tasks import faces
from stages.tasks.faces import Gallery
from stages.tasks.package import open_package
from tests.stages.tasks import packages

CONSTANTS = {"size": 32, "threshold": 0.9}
EMBEDDINGS = faces.unit_length(np.float32([[1, 0], [0, 1], [1, 1], [2, 1]]))


@pytest.fixture
def artifacts(tmp_path):
    """A folder to put artifacts into."""
    (tmp_path / "artifacts").mkdir()
    return tmp_path / "artifacts"


@pytest.fixture
def package(artifacts):
    """A package of ann, bob (two faces) and cy, with the right to read it only."""
    folder = artifacts / "package"
    for name in ("data", "models/embedder"):
        (folder / name).mkdir(parents=True)
    (folder / "models/embedder/int8.tflite").write_bytes(b"net")
    (folder / "labels.txt").write_text("ann\nbob\ncy\n")
    (folder / "constants.json").write_text(json.dumps(CONSTANTS))
    (folder / "card.md").write_text("# Card\n")
    Gallery(EMBEDDINGS, np.int64([0, 1, 1, 2])).write(folder / "data")
    models = {"embedder": {"int8": "models/embedder/int8.tflite"}}
    packages.seal(folder, {"v": 2, "task": "faces", "models": models})
    (folder / "data").chmod(0o555)
    return folder


@pytest.fixture
def forgotten(artifacts, tmp_path):
    """Run the stage; return its metrics, what it found, and the folder of rewritten packages."""

    def run(person):
        found, rewritten = tmp_path / "found.json", tmp_path / "rewritten"
        metrics = forget(artifacts, found, rewritten, person=person)
        return metrics, json.loads(found.read_text()), rewritten

    return run


def test_a_package_without_the_person_is_whole(package, forgotten):
    metrics, found, rewritten = forgotten("bob")
    listed = {"holding": ["package"], "packages": ["package"]}
    assert found == {"names": ["ann", "bob", "cy"], **listed}
    opened = open_package(rewritten / "package")
    assert opened.labels == ("ann", "cy") and metrics["packages"] == 1
    gallery = faces.read(opened.data(faces.GALLERY, faces.PEOPLE), 2)
    assert gallery.people.tolist() == [0, 1]
    assert gallery.embeddings.tobytes() == EMBEDDINGS[[0, 3]].tobytes()


def test_neither_name_nor_embedding_of_the_person_is_left(package, forgotten):
    *_, rewritten = forgotten("bob")
    left = b"".join(path.read_bytes() for path in rewritten.rglob("*") if path.is_file())
    assert b"bob" not in left
    assert not any(EMBEDDINGS[at].tobytes() in left for at in (1, 2))
    assert b"A person was removed" in left


def test_the_same_package_gives_the_same_bytes_again(package, forgotten, tmp_path):
    *_, rewritten = forgotten("bob")
    first = {path.name: path.read_bytes() for path in rewritten.rglob("*") if path.is_file()}
    rewritten.rename(tmp_path / "before")
    *_, again = forgotten("bob")
    assert first == {path.name: path.read_bytes() for path in again.rglob("*") if path.is_file()}


def test_a_package_that_would_know_nobody_is_not_made(package, forgotten):
    (package / "data").chmod(0o755)
    (package / "labels.txt").write_text("bob\n")
    Gallery(EMBEDDINGS, np.zeros(4, np.int64)).write(package / "data")
    manifest = json.loads((package / "manifest.json").read_text())
    (package / "manifest.json").unlink()
    packages.seal(package, manifest)
    metrics, found, rewritten = forgotten("bob")
    assert found["holding"] == ["package"] and list(rewritten.iterdir()) == []
    assert metrics["packages"] == 0


def test_a_damaged_package_is_found_but_not_rewritten(package, forgotten):
    (package / "constants.json").write_text("{}")
    _, found, rewritten = forgotten("bob")
    assert found["holding"] == ["package"] and list(rewritten.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "text", "is_found"),
    [
        ("truth.json", '{"names": ["bob/1.jpg", "cy/1.jpg"]}', True),
        ("truth.json", '{"names": ["bobby/1.jpg", "cy/bob.jpg"]}', False),
        ("report.json", '{"answers": [{"rows": [{"name": "bob"}]}]}', True),
        ("predictions.jsonl", '{"name": "cy"}\n{"name": "bob"}\n', True),
        ("predictions.jsonl", 'no JSON\n{"name": "bobby"}\n', False),
        ("labels.txt", "ann\nbob\n", True),
        ("labels.txt", "ann\nbob the second\n", False),
    ],
)
def test_a_name_is_found_whole_or_before_a_slash(artifacts, forgotten, name, text, is_found):
    (artifacts / "one").mkdir()
    (artifacts / "one" / name).write_text(text)
    assert forgotten("bob")[1]["holding"] == ["one"] * is_found


def test_a_folder_of_the_persons_pictures_is_found(artifacts, forgotten):
    (artifacts / "people/bob").mkdir(parents=True)
    (artifacts / "people/bob/1.png").write_bytes(b"")
    assert forgotten("bob")[1]["holding"] == ["people"]
