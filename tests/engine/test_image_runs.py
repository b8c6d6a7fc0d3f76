"""Images that a command builds, adds code to, and pushes: the complete path, without a container engine."""

import json
import platform

import pytest
import requests

from engine.images import ARCHITECTURES
from engine.target import platform_of
from tests import archives

HERE = platform_of(platform.machine())
ARCH = ARCHITECTURES[HERE]
BUILD = """
    import shutil
    from typing import Annotated
    from engine.stage import In, Out
    from engine.stage.suffix import Suffix
    def build(made: In, archive: Annotated[Out, Suffix(".tar")]) -> None:
        \"\"\"Write an image that was made before.\"\"\"
        shutil.copyfile(made, archive)
"""
IMAGES = """
    name: my_images
    params: {{base: auto}}
    assets: {{made: {made}}}
    stages:
      build_mine:
        foreach: {{arch: [{arch}]}}
        uses: mystages.build
        inputs: {{made: "asset:made"}}
"""


@pytest.fixture
def images(project, give, registry, monkeypatch):
    """Run `images` in a folder with its own small image."""
    folder = project.path / "containers" / "mine"
    folder.mkdir(parents=True)
    (folder / "image.yaml").write_text(
        f"name: mine\ndescription: x\nplatforms: [{HERE}]\nusecase: my_images\n"
    )
    made = archives.write(
        project.path / "image.tar", [archives.layer({"etc/x": b"1"})], HERE, Env=["PATH=/bin"]
    )
    project.stage("build", BUILD)
    project.usecase("my_images", IMAGES.format(made=made, arch=ARCH))
    monkeypatch.setenv("DOCKER_CONFIG", str(project.path / "none"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{project.path}/none.sock")

    def given(action: str, *words: str):
        where = f"kubeflow.registry={registry.address}/team"
        return give("images", action, "image=mine", "base=bootstrap", "code=baked", where, *words)

    return given


def _row(said) -> list[str]:
    assert said.status == 0, said.err
    return said.lines[1].split()


def _tags(registry) -> list[str]:
    found = requests.get(f"{registry.url}/v2/team/mine/tags/list", timeout=5).json()
    return sorted(found.get("tags") or [])


def test_an_image_is_pushed_with_the_code_of_the_users_stages(images, registry):
    name = _row(images("list"))[2]
    assert _row(images("list"))[3:] == ["not", "pushed"]
    image, on, reference, state = _row(images("build"))
    assert (image, on, state) == ("mine", HERE, "pushed")
    assert _tags(registry) == [name.rpartition(":")[2]]
    kind = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
    url = f"{registry.url}/v2/team/mine"
    digest = reference.partition("@")[2]
    manifest = requests.get(f"{url}/manifests/{digest}", headers=kind, timeout=5).json()
    config = requests.get(f"{url}/blobs/{manifest['config']['digest']}", timeout=5).json()
    python_path = [one for one in config["config"]["Env"] if one.startswith("PYTHONPATH=")]
    assert python_path == ["PYTHONPATH=/opt/rpi-mlops/0:/opt/rpi-mlops/1"]
    assert _row(images("list"))[2:] == [reference, "pushed"]


def test_a_second_build_runs_nothing_and_changed_code_is_pushed_under_its_own_tag(
    images, registry, project
):
    first = _row(images("build"))[2]
    said = images("build")
    assert _row(said)[2] == first and said.err == ""
    project.stage("more", "a = 1\n")
    said = images("build")
    assert _row(said)[2] != first and "compress cached" in said.err
    assert len(_tags(registry)) == 2


def test_what_the_registry_has_lost_is_pushed_again(images, registry):
    first = _row(images("build"))[2]
    digest = first.partition("@")[2]
    requests.delete(f"{registry.url}/v2/team/mine/manifests/{digest}", timeout=5).raise_for_status()
    assert _row(images("list"))[3:] == ["not", "pushed"]
    assert _row(images("build"))[2:] == [first, "pushed"]


def test_a_push_that_fails_says_why_and_pushes_nothing(images, registry, monkeypatch):
    _row(images("build"))
    taken = _tags(registry)[0]
    url = f"{registry.url}/v2/team/mine/manifests/{taken}"
    kind = "application/vnd.oci.image.manifest.v1+json"
    mine = requests.get(url, headers={"Accept": kind}, timeout=5).json()
    other = json.dumps({**mine, "config": mine["layers"][0]})
    requests.put(url, other, headers={"Content-Type": kind}, timeout=5).raise_for_status()
    said = images("build")
    assert said.status == 2 and "somebody else pushed it under this tag" in said.err
    assert "the images could not be pushed: push" in said.err
    assert "Traceback" not in said.err


def test_a_registry_that_is_down_is_an_error_with_a_fix(images, registry):
    registry.stop()
    said = images("build")
    assert said.status == 2
    assert said.err.splitlines()[0] == f"kubeflow.registry={registry.address}"
    assert "the registry cannot be reached" in said.err
