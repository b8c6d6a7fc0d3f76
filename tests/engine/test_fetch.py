"""Declared assets: fetched from the store, the mirror or the source, and always verified."""

import hashlib
import os
import subprocess

import pytest

from engine import asset, fetch
from engine.errors import UserError
from engine.store import Store

DATA = b"model"


@pytest.fixture
def model():
    """An asset of one file, whose source cannot be reached."""
    return asset.parse(
        {
            "name": "model",
            "description": "",
            "licence": "MIT",
            "files": [
                {
                    "path": "m.tflite",
                    "mirror": "models/m.tflite",
                    "url": "https://127.0.0.1:9/m",
                    "sha256": hashlib.sha256(DATA).hexdigest(),
                    "bytes": len(DATA),
                },
            ],
        },
        "f",
    )


@pytest.fixture
def mirror(tmp_path):
    """A folder with a copy of the model."""
    (tmp_path / "mirror" / "models").mkdir(parents=True)
    (tmp_path / "mirror" / "models" / "m.tflite").write_bytes(DATA)
    return tmp_path / "mirror"


def _bring(model, tmp_path, mirror):
    store = Store(tmp_path / "store")
    fetch.fetch(model, store, mirror, lambda *_: None)
    return fetch.path_of(model, store)


def test_an_asset_comes_from_the_mirror_and_then_from_the_store(model, tmp_path, mirror):
    path = _bring(model, tmp_path, mirror)
    assert path.read_bytes() == DATA
    assert _bring(model, tmp_path, None) == path


def test_a_compiled_twin_comes_along_in_a_folder_with_its_model(model, tmp_path, mirror):
    (mirror / "models" / "twin.tflite").write_bytes(b"twin")
    twin = {"path": "twin.tflite", "mirror": "models/twin.tflite", "url": "https://127.0.0.1:9/t"}
    known = {**twin, "sha256": hashlib.sha256(b"twin").hexdigest(), "bytes": 4}
    both = asset.parse({**model.model_dump(exclude={"made_by"}), "compiled": known}, "f")
    folder = _bring(both, tmp_path, mirror)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "m.tflite": DATA,
        "twin.tflite": b"twin",
    }


def test_a_copy_in_the_mirror_that_is_another_file_is_reported(model, tmp_path, mirror):
    (mirror / "models" / "m.tflite").write_bytes(b"other")
    with pytest.raises(UserError, match="its sha256 is"):
        _bring(model, tmp_path, mirror)


def test_a_damaged_copy_in_the_store_is_brought_again(model, tmp_path, mirror):
    path = _bring(model, tmp_path, mirror)
    path.write_bytes(b"rotten")
    assert _bring(model, tmp_path, mirror).read_bytes() == DATA


def test_an_asset_that_cannot_be_reached_says_where_to_put_it_and_leaves_nothing(model, tmp_path):
    with pytest.raises(UserError) as caught:
        _bring(model, tmp_path, None)
    assert "cannot be reached" in caught.value.what and "models/m.tflite" in caught.value.fix
    assert not list((tmp_path / "store" / "assets").iterdir())


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="not root: a tmpfs cannot be mounted")
def test_a_disk_that_an_asset_fills_is_not_told_as_a_source_that_cannot_be_reached(model, tmp_path):
    (tmp_path / "big").write_bytes(b"x" * 2_000_000)
    (tmp_path / "store").mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", tmp_path / "store"], check=True
    )
    file = model.files[0].model_copy(
        update={"url": (tmp_path / "big").as_uri(), "bytes": 2_000_000}
    )
    try:
        with pytest.raises(OSError, match="No space left on device"):
            _bring(model.model_copy(update={"files": (file,)}), tmp_path, None)
    finally:
        subprocess.run(["umount", "-l", tmp_path / "store"], check=True)


@pytest.mark.parametrize("path", ["../m", "/m", "a/../../m", "a\\b", "", "a//b"])
def test_a_path_that_leaves_the_assets_folder_is_refused(path):
    with pytest.raises(ExceptionGroup) as caught:
        asset.parse(
            {
                "name": "m",
                "description": "",
                "licence": None,
                "files": [
                    {
                        "path": path,
                        "mirror": "m",
                        "url": "https://x/m",
                        "sha256": "0" * 64,
                        "bytes": 1,
                    }
                ],
            },
            "f",
        )
    assert "is not a path inside a folder" in caught.value.exceptions[0].what


@pytest.mark.parametrize("there", ["/proc/kmsg", "/proc/version"])
def test_a_copy_in_the_mirror_that_is_the_kernels_is_refused_and_not_read(
    model, tmp_path, mirror, there
):
    (mirror / model.files[0].mirror).unlink()
    (mirror / model.files[0].mirror).symlink_to(there)
    with pytest.raises(UserError, match="it is on proc, a file system of the kernel"):
        _bring(model, tmp_path, mirror)


def test_of_a_copy_in_the_mirror_no_more_is_read_than_the_asset_has(model, tmp_path, mirror):
    os.truncate(mirror / model.files[0].mirror, 1 << 40)
    with pytest.raises(UserError, match="its sha256 is"):
        _bring(model, tmp_path, mirror)
