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
        ("truth.json", '{"names": ["bobby/1.jpg", "cy/bob.jpg", "bob"]}', False),
        ("truth.json", '{"labels": ["ann", "bob"], "names": []}', True),
        ("truth.json", '{"bob": ["bob"], "boxes": "bob"}', False),
        ("truth.json", "no JSON", False),
        ("labels.txt", "ann\nbob\n", True),
        ("labels.txt", "ann\nbob the second\n", False),
        ("notes.txt", "bob\n", False),
    ],
)
def test_a_name_is_found_where_people_are_listed_and_nowhere_else(
    artifacts, forgotten, name, text, is_found
):
    (artifacts / "one").mkdir()
    (artifacts / "one" / name).write_text(text)
    assert forgotten("bob")[1]["holding"] == ["one"] * is_found


@pytest.mark.parametrize(
    ("report", "names"),
    [
        ({"answers": [{"file": "ann", "rows": [{"name": "bob"}, {"name": "unknown"}]}]}, ["bob"]),
        ({"answers": [{"rows": [{"bob": 1}]}, "bob"], "runtime": "bob"}, []),
        (["bob"], []),
    ],
)
def test_a_report_names_those_whom_it_answers(artifacts, forgotten, report, names):
    (artifacts / "sha256-0").write_text(json.dumps(report))  # files in the store have no suffix
    found = forgotten("bob")[1]
    assert (found["names"], found["holding"]) == (names, ["sha256-0"] * len(names))


def test_a_folder_of_the_persons_pictures_is_found(artifacts, forgotten):
    (artifacts / "people/bob").mkdir(parents=True)
    (artifacts / "people/bob/1.png").write_bytes(b"")
    assert forgotten("bob")[1]["holding"] == ["people"]


@pytest.mark.parametrize("path", ["embedder/int8.tflite", "a/embedder/1.png"])
def test_other_folders_are_no_people(artifacts, forgotten, path):
    (artifacts / "models" / path).parent.mkdir(parents=True)
    (artifacts / "models" / path).touch()
    assert forgotten("embedder")[1]["holding"] == []


@pytest.mark.parametrize("word", ["faces", "uint8", "int8.tflite", "data", "embedder", "v", "an"])
def test_a_word_in_a_package_is_no_person(package, forgotten, word):
    _, found, rewritten = forgotten(word)
    assert found["holding"] == [] and list(rewritten.iterdir()) == []


@pytest.mark.parametrize("given", ["Zo\u00eb", "Zoe\u0308", " Zo\u00eb "])
def test_all_forms_of_a_name_are_one_person(package, forgotten, given):
    _relabel(package, "Zo\u00eb\nZoe\u0308\ncy\n")
    _, found, rewritten = forgotten(given)
    assert found["names"] == ["Zo\u00eb", "cy"] and found["holding"] == ["package"]
    opened = open_package(rewritten / "package")
    gallery = faces.read(opened.data(faces.GALLERY, faces.PEOPLE), 1)
    assert opened.labels == ("cy",) and gallery.people.tolist() == [0]


def test_a_package_with_a_damaged_gallery_is_not_rewritten(package, forgotten):
    (package / "data/gallery.npy").write_bytes(b"")
    _relabel(package, "ann\nbob\ncy\n")
    _, found, rewritten = forgotten("bob")
    assert (found["holding"], found["packages"]) == (["package"], [])
    assert list(rewritten.iterdir()) == []


def _relabel(package, labels):
    (package / "labels.txt").write_text(labels, encoding="utf-8")
    manifest = json.loads((package / "manifest.json").read_text())
    (package / "manifest.json").unlink()
    (package / "data").chmod(0o755)
    packages.seal(package, manifest)
