"""The code of stages in an image: what the image contains, the same bytes, and what is pushed."""

import io
import json
import shutil
import tarfile
from pathlib import Path

import pytest

from engine import job_code
from engine.catalogue import ROOT
from engine.stage import StageError
from stages.containers import _layout
from stages.containers.bake import bake
from stages.containers.compress import compress
from stages.containers.push import push
from tests import archives

BASE = archives.layer({"etc/os-release": b"ID=debian\n"})
ENV = ["PATH=/usr/bin", "PYTHONPATH=/own"]


@pytest.fixture
def code(tmp_path) -> Path:
    """Code of two folders."""
    for name, text in {"0/mine/a.py": "a = 1\n", "1/engine/stage/x.py": "", "1/tool": "#!"}.items():
        path = tmp_path / "code" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "code" / "1" / "tool").chmod(0o700)
    return tmp_path / "code"


@pytest.fixture
def image(tmp_path) -> Path:
    """A small image."""
    return archives.write(tmp_path / "image.tar", [BASE], "linux/arm64", Env=ENV, User="1000:1000")


def _members(image: _layout.Image, number: int) -> dict[str, tarfile.TarInfo]:
    with _layout.blob(image, image.layers[number][0]) as stream:
        data = stream.read()
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {member.name: member for member in tar}


def test_the_image_gets_one_more_layer_and_a_python_path(image, code, tmp_path):
    metrics = bake(image, code, tmp_path / "baked.tar")
    base, baked = _layout.read(image), _layout.read(tmp_path / "baked.tar")
    assert baked.layers[:-1] == base.layers and baked.platform == "linux/arm64"
    assert baked.config["config"] == {
        "Env": ["PATH=/usr/bin", "PYTHONPATH=/opt/rpi-mlops/0:/opt/rpi-mlops/1:/own"],
        "User": "1000:1000",
    }
    members = _members(baked, -1)
    assert {name for name, one in members.items() if one.isfile()} == {
        "opt/rpi-mlops/0/mine/a.py",
        "opt/rpi-mlops/1/engine/stage/x.py",
        "opt/rpi-mlops/1/tool",
    }
    assert {(one.uid, one.gid, one.mtime) for one in members.values()} == {(0, 0, base.created_s)}
    assert members["opt/rpi-mlops/1/tool"].mode == 0o755
    assert members["opt/rpi-mlops/0/mine/a.py"].mode == 0o644
    assert metrics["files"] == 3 and metrics["code_bytes"] < metrics["size_bytes"]


def test_the_same_inputs_give_the_same_bytes(image, code, tmp_path):
    bake(image, code, tmp_path / "first.tar")
    shutil.copytree(code, tmp_path / "again", copy_function=shutil.copy)
    bake(image, tmp_path / "again", tmp_path / "second.tar")
    assert (tmp_path / "first.tar").read_bytes() == (tmp_path / "second.tar").read_bytes()


@pytest.mark.parametrize("extra", ["other", "0.py"])
def test_code_that_is_not_in_numbered_folders_is_refused(image, code, tmp_path, extra):
    (code / extra).write_text("")
    with pytest.raises(StageError, match="only the folders 0, 1"):
        bake(image, code, tmp_path / "baked.tar")


@pytest.fixture
def pushed(image, code, tmp_path, registry):
    """Compress and push the image; return the report and the metrics."""

    def again(to: str = "r", host: str | None = None, **more):
        if not (tmp_path / "layout").exists():
            compress(image, tmp_path / "layout")
        given = {
            "name": "demo",
            "tag": "t-1",
            "registry": f"{host or registry.address}/team",
            **more,
        }
        metrics = push(tmp_path / "layout", code, tmp_path / f"{to}.json", **given)
        return json.loads((tmp_path / f"{to}.json").read_text()), metrics

    return again


def _manifests(registry, wanted: str, method: str = "GET", **more):
    import requests

    accept = {"Accept": "application/vnd.oci.image.manifest.v1+json", **more.pop("headers", {})}
    url = f"{registry.url}/v2/team/demo/manifests/{wanted}"
    return requests.request(method, url, headers=accept, timeout=5, **more)


def test_what_is_pushed_is_the_baked_image(image, code, pushed, registry, tmp_path):
    report, metrics = pushed()
    bake(image, code, tmp_path / "baked.tar")
    assert report["config"] == _layout.read(tmp_path / "baked.tar").config_digest
    digest = report["reference"].partition("@")[2]
    assert report["reference"] == f"{registry.address}/team/demo@{digest}"
    assert _manifests(registry, "t-1").content == _manifests(registry, digest).content
    assert metrics["uploaded"] == 3 == len(report["blobs"])


def test_a_second_push_uploads_nothing_and_changed_code_only_its_layer(pushed, code):
    first, _ = pushed()
    second, metrics = pushed("again")
    assert second == first and metrics["uploaded"] == 0
    (code / "0" / "mine" / "a.py").write_text("a = 2\n")
    third, metrics = pushed("changed", tag="t-2")
    assert third["reference"] != first["reference"] and metrics["uploaded"] == 2


def test_the_same_image_with_other_compressed_bytes_is_used(pushed, image, tmp_path):
    first, _ = pushed()
    shutil.rmtree(tmp_path / "layout")
    compress(image, tmp_path / "layout", compression=0)
    second, metrics = pushed("again")
    assert second == first and metrics["uploaded"] == 0


def test_another_image_under_the_tag_is_refused_and_kept(pushed, code, registry):
    pushed()
    before = _manifests(registry, "t-1").content
    (code / "0" / "mine" / "a.py").write_text("a = 2\n")
    with pytest.raises(StageError, match="is another image: somebody else pushed it"):
        pushed("other")
    assert _manifests(registry, "t-1").content == before


def test_what_the_registry_lost_is_pushed_again(pushed, registry):
    import requests

    first, _ = pushed()
    lost = first["blobs"][1]
    requests.delete(f"{registry.url}/v2/team/demo/blobs/{lost}", timeout=5).raise_for_status()
    again, metrics = pushed("again")
    assert again == first and metrics["uploaded"] == 1
    _manifests(registry, first["reference"].partition("@")[2], "DELETE").raise_for_status()
    assert pushed("third")[0] == first


def test_a_registry_that_is_down_is_named(image, code, pushed, registry, monkeypatch):
    monkeypatch.setattr("stages.containers._registry._ATTEMPTS", 1)
    registry.stop()
    with pytest.raises(StageError, match=f"the registry {registry.address} cannot be reached"):
        pushed()


def test_a_damaged_layout_is_refused(pushed, image, tmp_path):
    compress(image, tmp_path / "layout")
    (tmp_path / "layout" / "index.json").write_text("{}")
    with pytest.raises(StageError, match="layout of the image cannot be read"):
        pushed()


def test_the_projects_own_code_is_complete_for_a_job(image, tmp_path):
    """The layer alone runs `python -m engine.stage`: nothing outside it is needed."""
    import subprocess
    import sys

    code = job_code.lay_out(job_code.find((ROOT,), ("stages",)), tmp_path / "store")
    bake(image, code, tmp_path / "baked.tar")
    baked = _layout.read(tmp_path / "baked.tar")
    with _layout.blob(baked, baked.layers[-1][0]) as stream, tarfile.open(fileobj=stream) as tar:
        tar.extractall(tmp_path / "root", filter="data")
    (tmp_path / "job" / "out").mkdir(parents=True)
    job = {
        "module": "stages.tabular.table_sample",
        "function": "table_sample",
        "inputs": {},
        "outputs": {"table": str(tmp_path / "job" / "out" / "table.csv")},
        "params": {},
    }
    (tmp_path / "job" / "job.json").write_text(json.dumps(job))
    done = subprocess.run(
        [sys.executable, "-m", "engine.stage", str(tmp_path / "job")],
        env={"PYTHONPATH": str(tmp_path / "root/opt/rpi-mlops/0")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
