"""Reading image archives: real, malicious and damaged ones."""

import gzip
import hashlib
import json
import random
import re
import tarfile

import pytest

from engine.stage import StageError
from stages.containers import _layout
from tests import archives

ALL = re.compile(".*")


@pytest.fixture
def small(tmp_path):
    """An image of two layers; the upper one overwrites a file, adds a link, and removes a file."""
    below = archives.layer(
        {"etc/a": b"old", "etc/b": b"b", "gone/x": b"x", "gone/y": b"y", "opaque/x": b"x"}
    )
    above = archives.layer(
        {
            "etc/a": b"new",
            "./etc/link": "b",
            ".wh.gone": b"",
            "opaque/.wh..wh..opq": b"",
            "etc/up": "../etc/link",
        }
    )
    return archives.write(tmp_path / "image.tar", [below, above], "linux/arm/v7", Env=["A=b"])


def _repacked(path, change):
    """Write the archive again with its members changed."""
    with tarfile.open(path) as tar:
        members = {member.name: tar.extractfile(member).read() for member in tar}
    change(members)
    path.write_bytes(archives.layer(members))
    return path


def test_an_archive_says_digest_platform_and_time(small):
    image = _layout.read(small)
    assert (image.platform, image.arch, len(image.layers), image.created_s) == (
        "linux/arm/v7",
        "armv7",
        2,
        1767323045,
    )
    with _layout.blob(image, image.digest) as stream:
        assert "sha256:" + hashlib.sha256(stream.read()).hexdigest() == image.digest


@pytest.mark.parametrize(
    ("on", "arch"), [("linux/amd64", "amd64"), ("linux/arm64", "arm64"), ("linux/arm/v7", "armv7")]
)
def test_each_platform_has_the_name_of_its_locks(tmp_path, on, arch):
    assert _layout.read(archives.write(tmp_path / "i", [archives.layer({})], on)).arch == arch


def test_the_variant_of_arm64_is_left_out(tmp_path):
    path = archives.write(tmp_path / "i", [archives.layer({})], "linux/arm64")
    image = _layout.read(path)
    image.config["variant"] = "v8"
    assert image.platform == "linux/arm64"


def test_files_are_those_that_the_layers_leave(small):
    found = _layout.files(_layout.read(small), ALL)
    assert found == {"etc/a": b"new", "etc/b": b"b", "etc/link": "b", "etc/up": "../etc/link"}


def test_links_are_followed_inside_the_image(small):
    found = _layout.files(_layout.read(small), ALL)
    assert (_layout.follow(found, "etc/up"), _layout.follow(found, "etc/none")) == (b"b", None)
    assert _layout.follow({"a": "b", "b": "a"}, "a") is None
    assert _layout.follow({"a": "/../../etc/b", "etc/b": b"b"}, "a") == b"b"


def test_only_the_beginning_is_read_where_that_is_asked(small):
    assert _layout.files(_layout.read(small), re.compile("etc/a"), head=2) == {"etc/a": b"ne"}


def test_a_hard_link_has_the_bytes_of_its_file(tmp_path):
    with tarfile.open(tmp_path / "layer", "w") as tar:
        tar.add(__file__, "a")
        link = tarfile.TarInfo("b")
        link.type, link.linkname = tarfile.LNKTYPE, "a"
        tar.addfile(link)
    image = _layout.read(archives.write(tmp_path / "i", [(tmp_path / "layer").read_bytes()]))
    found = _layout.files(image, ALL)
    assert found["a"] == found["b"] != b""


def test_a_compressed_layer_is_read_too(tmp_path):
    path = archives.write(tmp_path / "i", [gzip.compress(archives.layer({"a": b"1"}), mtime=0)])
    assert _layout.files(_layout.read(path), ALL) == {"a": b"1"}


def test_an_archive_of_several_images_is_refused(small):
    def twice(members):
        index = json.loads(members["index.json"])
        index["manifests"] *= 2
        members["index.json"] = json.dumps(index).encode()

    with pytest.raises(StageError, match="contains 2 images, not one"):
        _layout.read(_repacked(small, twice))


def test_a_changed_configuration_is_noticed(small):
    image = _layout.read(small)
    with pytest.raises(StageError, match="has a different digest than its name"):
        _layout.read(
            _repacked(
                small,
                lambda members: members.update({f"blobs/sha256/{image.config_digest[7:]}": b"{}"}),
            )
        )


def test_a_missing_layer_is_reported(small):
    image = _layout.read(small)
    _repacked(small, lambda members: members.pop(f"blobs/sha256/{image.layers[0][0][7:]}"))
    with pytest.raises(StageError, match="lacks parts of its manifest"):
        _layout.files(_layout.read(small), ALL)


@pytest.mark.parametrize("digest", ["../../x", "sha256:../x", None, 3, "sha256:" + "G" * 64])
def test_a_digest_that_is_none_is_refused(small, digest):
    index = {"manifests": [{"digest": digest}]}
    with pytest.raises(StageError, match="is not a sha256 digest"):
        _layout.read(
            _repacked(
                small, lambda members: members.update({"index.json": json.dumps(index).encode()})
            )
        )


@pytest.mark.parametrize(
    "index",
    [
        b"",
        b"[]",
        b"{}",
        b'{"manifests": 3}',
        b"[" * 100_000,
        b"\xff",
        b'{"manifests": [1]}',
        b" " * (5 << 20),
    ],
)
def test_an_index_that_is_none_is_one_sentence(small, index):
    with pytest.raises(StageError):
        _layout.read(_repacked(small, lambda members: members.update({"index.json": index})))


@pytest.mark.parametrize("is_compressed", [False, True])
def test_no_damage_ends_in_a_traceback(small, is_compressed):
    if is_compressed:
        archives.write(
            small, [gzip.compress(archives.layer({"a": random.Random(1).randbytes(5000)}), mtime=0)]
        )
    whole, chance = small.read_bytes(), random.Random(0)
    refused = 0
    for _ in range(150):
        broken = bytearray(
            whole[: chance.randrange(len(whole))] if chance.random() < 0.3 else whole
        )
        for _ in range(chance.randrange(1, 20)):
            if broken:
                broken[chance.randrange(len(broken))] = chance.randrange(256)
        small.write_bytes(broken)
        try:
            _layout.files(_layout.read(small), ALL)
        except StageError:
            refused += 1
    assert refused > 50
