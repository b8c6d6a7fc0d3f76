"""What is published: archives that a real engine loads, a layout, and a manifest list in a real registry,
read back.
"""

import gzip
import hashlib
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from engine.stage import StageError
from stages.containers import _layout, _registry
from stages.containers.publish import publish
from tests import archives

ROOT = Path(__file__).resolve().parents[3]
BASE = archives.layer({"etc/os-release": b"ID=debian\n", "bin/x": b"x" * 100_000})


@pytest.fixture
def images(tmp_path) -> dict[str, Path]:
    """One image for each platform; two of them share a layer."""
    made = {}
    (tmp_path / "images").mkdir()
    for arch, platform in (
        ("amd64", "linux/amd64"),
        ("arm64", "linux/arm64"),
        ("armv7", "linux/arm/v7"),
    ):
        made[arch] = archives.write(
            tmp_path / "images" / arch, [BASE, archives.layer({"arch": arch.encode()})], platform
        )
    return made


@pytest.fixture
def release(images, tmp_path):
    """Publish the images into a folder; return it and the metrics."""

    def released(to: str = "out", **more):
        folder = tmp_path / to
        folder.mkdir()
        metrics = publish(
            folder / "archives",
            folder / "layout",
            folder / "report.json",
            **{"images": tmp_path / "images", "name": "demo", "tag": "v1", **more},
        )
        return folder, metrics

    return released


def _blob(folder: Path, digest: str) -> bytes:
    content = (folder / "layout" / "blobs" / "sha256" / digest[7:]).read_bytes()
    assert "sha256:" + hashlib.sha256(content).hexdigest() == digest
    return content


def test_the_layout_names_the_list_by_its_tag_and_every_platform(release):
    folder, _ = release()
    index = json.loads((folder / "layout" / "index.json").read_text())
    named, *platforms = index["manifests"]
    assert named["annotations"]["org.opencontainers.image.ref.name"] == "v1"
    assert [entry["platform"] for entry in platforms] == list(archives.PLATFORMS.values())
    assert json.loads(_blob(folder, named["digest"]))["manifests"] == platforms


def test_every_layer_is_the_archives_own_compressed(release, images):
    folder, _ = release()
    for entry in json.loads((folder / "layout" / "index.json").read_text())["manifests"][1:]:
        manifest = json.loads(_blob(folder, entry["digest"]))
        config = json.loads(_blob(folder, manifest["config"]["digest"]))
        layers = [gzip.decompress(_blob(folder, layer["digest"])) for layer in manifest["layers"]]
        assert ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers] == config[
            "rootfs"
        ]["diff_ids"]
        assert layers[0] == BASE


def test_a_layer_of_several_platforms_is_kept_once(release):
    assert release()[1] == {
        "platforms": 3,
        "blobs": 11,
        "size_bytes": pytest.approx(5000, abs=4000),
        "pushed": 0,
        "uploaded": 0,
    }


def test_an_archive_of_each_platform_can_be_read_again(release):
    folder, _ = release()
    assert sorted(path.name for path in (folder / "archives").iterdir()) == [
        "demo-amd64.tar",
        "demo-arm64.tar",
        "demo-armv7.tar",
    ]
    report = json.loads((folder / "report.json").read_text())
    for path in (folder / "archives").iterdir():
        image = _layout.read(path)
        assert image.digest == report["platforms"][image.platform]


def test_the_report_says_what_the_tests_call_each_image(release, images):
    report = json.loads((release()[0] / "report.json").read_text())
    assert report["tested"] == {
        image.platform: image.digest for image in map(_layout.read, images.values())
    }


def test_docker_loads_an_archive_under_the_images_name(release, docker_engine):
    folder, _ = release()
    client = docker_engine.client()
    for arch in ("amd64", "arm64", "armv7"):
        path = folder / "archives" / f"demo-{arch}.tar"
        with path.open("rb") as stream:
            (image,) = client.images.load(stream)
        assert image.tags == ["demo:v1"] and image.id == _layout.read(path).config_digest
        client.images.remove(image.id)


def test_the_same_archives_give_the_same_bytes_in_another_process(release, images, tmp_path):
    folder, _ = release()
    code = (
        "import sys; from pathlib import Path; from stages.containers.publish import publish; p = "
        "list(map(Path, sys.argv[1:])); "
        "publish(*p, name='demo', tag='v1')"
    )
    (tmp_path / "other").mkdir()
    outputs = [tmp_path / "other" / name for name in ("archives", "layout", "report.json")]
    subprocess.run(
        [sys.executable, "-c", code, *map(str, [*outputs, tmp_path / "images"])],
        cwd=ROOT,
        check=True,
    )
    assert (
        subprocess.run(
            ["diff", "-r", folder, tmp_path / "other"], capture_output=True, text=True
        ).stdout
        == ""
    )


def test_a_registry_gets_every_platform_under_one_tag(release, registry, tmp_path):
    folder, metrics = release(registry=f"{registry.address}/project")
    assert metrics["pushed"] == 1 and metrics["uploaded"] == 7  # three configurations, four layers
    report = json.loads((folder / "report.json").read_text())
    assert report["pushed"] == f"{registry.address}/project/demo:v1"
    kind, content = _registry.Repository(_registry.parse(report["pushed"])).manifest("v1")
    assert kind == _registry.OCI_INDEX and _registry.digest_of(content) == report["index"]
    assert [entry["platform"] for entry in json.loads(content)["manifests"]] == list(
        archives.PLATFORMS.values()
    )
    for number, (platform, digest) in enumerate(report["platforms"].items()):
        pulled = tmp_path / f"pulled{number}"
        assert _registry.pull(report["pushed"], platform, pulled) == digest
        assert (pulled / "blobs" / "sha256" / digest[7:]).read_bytes() == _blob(folder, digest)


def test_pushing_again_sends_nothing_twice(release, registry):
    release(registry=registry.address)
    assert release("again", registry=registry.address)[1]["uploaded"] == 0


def test_docker_itself_pulls_what_was_pushed(release, registry, docker_engine):
    release(registry=f"{registry.address}/project")
    client = docker_engine.client()
    for platform, arch in (("linux/amd64", "amd64"), ("linux/arm/v7", "arm")):
        image = client.images.pull(f"{registry.address}/project/demo", tag="v1", platform=platform)
        assert image.attrs["Architecture"] == arch
        client.images.remove(image.id, force=True)


def test_a_layer_that_is_compressed_already_is_kept_as_it_is(tmp_path):
    packed = gzip.compress(BASE, mtime=0)
    (tmp_path / "i").mkdir()
    path = archives.write(
        tmp_path / "i" / "amd64", [packed], diff_ids=["sha256:" + hashlib.sha256(BASE).hexdigest()]
    )
    with tarfile.open(path) as tar:
        members = {member.name: tar.extractfile(member).read() for member in tar}
    old = json.loads(members["index.json"])["manifests"][0]["digest"][7:]
    manifest = members.pop(f"blobs/sha256/{old}").replace(b"layer.v1.tar", b"layer.v1.tar+gzip")
    new = hashlib.sha256(manifest).hexdigest()
    members |= {
        f"blobs/sha256/{new}": manifest,
        "index.json": members["index.json"].replace(old.encode(), new.encode()),
    }
    path.write_bytes(archives.layer(members))
    publish(tmp_path / "a", tmp_path / "l", tmp_path / "r", tmp_path / "i", name="x")
    assert (
        tmp_path / "l" / "blobs" / "sha256" / hashlib.sha256(packed).hexdigest()
    ).read_bytes() == packed


def test_a_layer_of_another_digest_is_refused(images, release):
    whole = images["arm64"].read_bytes()
    images["arm64"].write_bytes(whole.replace(b"x" * 1000, b"y" * 1000))
    with pytest.raises(
        StageError, match=r"a layer of arm64 has a different digest than in its manifest"
    ):
        release()


def test_an_archive_in_the_wrong_place_is_refused(images, release):
    with pytest.raises(StageError, match="the archive given as arm64 is for linux/arm/v7"):
        images["arm64"].write_bytes(images["armv7"].read_bytes())
        release()


@pytest.mark.parametrize(("key", "what"), [("smoke/arm64", "smoke test"), ("scan/armv7", "scan")])
def test_what_was_tested_is_what_is_published(images, release, tmp_path, key, what):
    name, _, arch = key.partition("/")
    report = tmp_path / key
    report.parent.mkdir()
    given = {name: report.parent}
    report.write_text(json.dumps({"image": _layout.read(images[arch]).digest}))
    release("right", **given)
    report.write_text(json.dumps({"image": "sha256:" + "0" * 64}))
    with pytest.raises(
        StageError,
        match=f"the {what} given as {arch} belongs to a different image than the archive",
    ):
        release("other", **given)
    report.write_text("[]")
    with pytest.raises(
        StageError, match=f"the input given as {what} is not an output of that stage"
    ):
        release("none", **given)


def test_nothing_to_publish_is_reported(tmp_path):
    (tmp_path / "images").mkdir()
    with pytest.raises(StageError, match="there is no archive to publish"):
        publish(tmp_path / "a", tmp_path / "l", tmp_path / "r", tmp_path / "images", name="x")


@pytest.mark.parametrize(
    "wrong",
    [
        {"registry": "me:secret@h.io"},
        {"tag": "a b"},
        {"name": "Demo"},
        {"name": "../x"},
        {"registry": "http://h.io"},
    ],
)
def test_a_name_that_no_registry_takes_is_refused_before_anything_is_done(release, tmp_path, wrong):
    with pytest.raises(StageError, match="not an image reference"):
        release(**wrong)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_registry_that_is_not_there_is_reported(release, registry, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)
    registry.stop()
    with pytest.raises(StageError, match="cannot be reached"):
        release(registry=registry.address)
