"""A package of any version is opened only if it is complete."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from engine.stage import StageError
from stages.tasks.package import open_package, read_array
from tests.stages.tasks.packages import LABELS, seal, write


@pytest.fixture
def made(tmp_path):
    """A package with two roles; no model runs here."""
    return write(tmp_path / "package", "activity", {"window": 1}, model=b"m", pose=b"p")


def changed(folder, **more):
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, **more}))
    return folder


def test_models_labels_and_constants_are_found(made):
    found = open_package(made)
    assert (found.task, found.labels, found.constants) == ("activity", tuple(LABELS), {"window": 1})
    assert {role: forms["float"].read_bytes() for role, forms in found.models.items()} == {
        "model": b"m",
        "pose": b"p",
    }


@pytest.mark.parametrize("with_pose_model", [False, True])
def test_a_package_of_version_1_still_opens(tmp_path, with_pose_model):
    folder = tmp_path / "old"
    folder.mkdir()
    (folder / "labels.txt").write_text("a\nb\n")
    (folder / "preprocessing.json").write_text('{"window": 8}')
    for name in ("model", "model_edgetpu", *["pose_model"] * with_pose_model):
        (folder / f"{name}.tflite").write_bytes(name.encode())
    seal(folder, {"v": 1})
    found = open_package(folder)
    assert (found.task, found.labels, found.constants) == ("activity", ("a", "b"), {"window": 8})
    assert found.models["model"]["edgetpu"].read_bytes() == b"model_edgetpu"
    assert ("pose" in found.models) == with_pose_model


@pytest.mark.parametrize(
    "name",
    ["labels.txt", "constants.json", "models/model/float.tflite", "models/pose/float.tflite"],
)
@pytest.mark.parametrize("is_gone", [True, False])
def test_a_file_that_was_changed_or_is_gone_is_refused(made, name, is_gone):
    if is_gone:
        (made / name).unlink()
    else:
        (made / name).write_bytes((made / name).read_bytes() + b" ")
    said = "the package lacks" if is_gone else "does not match its checksum in manifest.json"
    with pytest.raises(StageError, match=said):
        open_package(made)


def test_a_model_that_the_manifest_does_not_vouch_for_is_refused(made):
    shutil.copyfile(made / "models/model/float.tflite", made / "models/model/int8.tflite")
    changed(made, models={"model": {"int8": "models/model/int8.tflite"}})
    with pytest.raises(StageError, match=r"manifest does not name models/model/int8\.tflite"):
        open_package(made)


def test_a_manifest_that_leaves_the_folder_is_refused(made, tmp_path):
    (tmp_path / "secret").write_text("")
    changed(made, files={"../secret": {"sha256": "0" * 64}})
    with pytest.raises(StageError, match=r"the package lacks \.\./secret"):
        open_package(made)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"v": 3}, "has version 3, but only 1 and 2 can be opened: update this program"),
        ({"v": 1}, "manifest does not name model.tflite"),
        ({"files": None}, "has no manifest.json that lists its files"),
        ({"files": {"labels.txt": {}}}, "manifest is damaged: it has no sha256 of labels.txt"),
        ({"files": {"a\0b": "0"}}, "the package lacks a"),
        ({"models": {"model": {}}}, "names no file for the model 'model'"),
        ({"models": {"model": None}}, "names no file for the model 'model'"),
        ({"models": {"model": {"int8": 3}}}, "names no file for the model 'model'"),
        ({"models": {"model": {"edgetpu": "labels.txt"}}}, "names no file for the model 'model'"),
        ({"models": {"model": {"int8": "/etc/passwd"}}}, "manifest does not name .*etc/passwd"),
        ({"models": []}, "manifest is damaged: it has no task, or no models"),
        ({"task": None}, "manifest is damaged: it has no task, or no models"),
    ],
)
def test_a_manifest_that_cannot_be_right_is_refused(made, more, said):
    with pytest.raises(StageError, match=said):
        open_package(changed(made, **more))


@pytest.mark.parametrize("name", ["labels.txt", "constants.json"])
def test_labels_and_constants_are_used_only_if_the_manifest_vouches_for_them(made, name):
    manifest = json.loads((made / "manifest.json").read_text())
    del manifest["files"][name]
    (made / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(StageError, match=f"manifest does not name {name}"):
        open_package(made)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("constants.json", b"{", "constants.json of the package is not a JSON object"),
        ("constants.json", b"[" * 100_000, "constants.json of the package is not a JSON object"),
        ("constants.json", b"[]", "constants.json of the package is not a JSON object"),
        ("labels.txt", b"\xff", "labels.txt of the package is not UTF-8"),
    ],
    ids=["torn", "deep", "a list", "another encoding"],
)
def test_labels_and_constants_that_cannot_be_read_are_refused(made, name, content, said):
    (made / name).write_bytes(content)
    manifest = json.loads((made / "manifest.json").read_text())
    del manifest["files"]
    seal(made, manifest)
    with pytest.raises(StageError, match=said):
        open_package(made)


def test_a_circle_of_links_is_no_file_of_a_package(made):
    (made / "labels.txt").unlink()
    (made / "labels.txt").symlink_to("labels.txt")
    with pytest.raises(StageError, match=r"the package lacks labels\.txt"):
        open_package(made)


def test_a_manifest_that_is_nested_without_end_is_none(made):
    (made / "manifest.json").write_text("[" * 100_000)
    with pytest.raises(StageError, match=r"has no manifest\.json that lists its files"):
        open_package(made)


@pytest.mark.parametrize("value", [None, "8", True, float("nan")])
def test_a_constant_that_is_no_number_is_named(made, value):
    found = replace(open_package(made), constants={"picture": {"mean": value}})
    with pytest.raises(
        StageError, match="constants have no number 'mean': package the model again"
    ):
        found.number("mean", "picture")


def test_a_folder_without_a_manifest_is_no_package(tmp_path):
    with pytest.raises(StageError, match="is not a packaged model"):
        open_package(tmp_path)


HUGE = b"\x93NUMPY\x01\x00v\x00" + (
    b"{'descr': '<f4', 'fortran_order': False, 'shape': (100000000000,), }".ljust(117) + b"\n"
)


@pytest.mark.parametrize("content", [b"", b"x", b"\x93NUMPY\x01\x00v\x00{", HUGE])
def test_a_damaged_array_is_refused_whatever_its_digest(tmp_path, content):
    """Whoever made the package also made its digests."""
    path = tmp_path / "anchors.npy"
    path.write_bytes(content)
    with pytest.raises(StageError, match=r"anchors\.npy of the package is damaged"):
        read_array(path)
    np.save(path, np.zeros(3, np.float32))
    assert read_array(path).shape == (3,)
