"""`images`: what there is, what an engine has of it, what is built and what goes."""

import io
import re
import tarfile

import pytest

from engine.executors import _engine
from engine.images import REPOSITORY

MINE = "description: of a test\nplatforms: [linux/amd64, linux/arm64, linux/arm/v7]\nusecase: nothing_builds_it\n"
SOME_MB = re.compile(r"[1-9]\d* MB$")


@pytest.fixture
def images(project, give, docker_engine, monkeypatch):
    """Give an `images` command on a folder with an image of its own, beside the shipped ones, and a real engine."""
    (project.path / "containers" / "mine").mkdir(parents=True)
    (project.path / "containers" / "mine" / "image.yaml").write_text(MINE)
    monkeypatch.setenv("DOCKER_HOST", docker_engine.host)
    yield lambda *words: give("images", "base=bootstrap", *words)
    client = docker_engine.client()
    for tag in [tag for image in client.images.list() for tag in image.tags if tag.startswith(f"{REPOSITORY}/mine:")]:
        client.images.remove(tag, force=True)


@pytest.fixture
def mine(images):
    """The references of the project's own image, by platform."""
    return {line.split()[1]: line.split()[2] for line in images("image=mine").lines[1:]}


def _rows(said):
    return {line.split()[2]: line for line in said.lines[1:]}


def test_every_image_is_listed_for_each_of_its_platforms(images):
    said = images()
    assert said.status == 0 and said.lines[0].split() == ["image", "platform", "reference", "size"]
    found = {tuple(line.split()[:2]) for line in said.lines[1:]}
    assert {("mine", "linux/amd64"), ("mine", "linux/arm/v7"), ("runtime", "linux/arm64"), ("train", "linux/amd64")} <= found


def test_what_the_engine_has_is_listed_with_its_size_and_the_rest_as_not_built(images, mine, docker_engine, plain_archive):
    assert all(line.endswith("not built") for line in images("image=mine").lines[1:])
    _engine.load(docker_engine.client(), mine["linux/amd64"], plain_archive)
    rows = _rows(images("list", "image=mine"))
    assert SOME_MB.search(rows[mine["linux/amd64"]]) and rows[mine["linux/arm64"]].endswith("not built")


def test_an_edited_image_has_another_reference(images, mine, project):
    (project.path / "containers" / "mine" / "new.txt").write_text("x")
    assert not set(_rows(images("image=mine"))) & set(mine.values())


def test_prune_removes_what_no_plan_asks_for_any_more_and_nothing_else(images, mine, docker_engine, plain_archive):
    client = docker_engine.client()
    stale, others = f"{REPOSITORY}/mine:amd64-000000000000", ["other/mine:1", f"{REPOSITORY}/unknown:1"]
    for reference in (stale, mine["linux/amd64"], *others):
        _engine.load(client, reference, plain_archive)
    said = images("prune", "image=mine")
    assert [line.split()[:2] for line in said.lines] == [["removed", stale]]
    there = {tag for image in client.images.list() for tag in image.tags}
    assert stale not in there and {mine["linux/amd64"], *others} <= there
    assert images("prune", "image=mine").lines == []
    for reference in others:
        client.images.remove(reference)


def test_prune_keeps_what_a_container_uses_and_says_so(images, docker_engine):
    client, stale = docker_engine.client(), f"{REPOSITORY}/mine:amd64-000000000001"
    client.api.import_image_from_data(_tar(), repository=stale.partition(":")[0], tag=stale.partition(":")[2])
    container = client.containers.create(stale, command=["true"], network_mode="none")
    try:
        said = images("prune", "image=mine")
        assert said.status == 0 and said.lines[0].startswith(f"kept     {stale}: ")
        assert client.images.get(stale)
    finally:
        container.remove(force=True)


def _tar() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("file"))
    return packed.getvalue()


def test_an_image_that_cannot_be_built_is_told_with_its_stage(images):
    said = images("build", "image=mine")
    assert said.status == 2
    where, what, fix = (line.strip() for line in said.err.splitlines()[-3:])
    assert where == "usecase=nothing_builds_it"
    assert what == "the images could not be built: build_mine_amd64, build_mine_arm64, build_mine_armv7"
    assert fix == "see what it says above; or executor=local"


def test_build_brings_what_the_engine_lacks_once(images, docker_engine, plain_archive):
    client = docker_engine.client()
    runtime = {line.split()[1]: line.split()[2] for line in images("image=runtime").lines[1:]}
    for platform in ("linux/arm64", "linux/arm/v7"):  # these are there, as far as the engine says
        _engine.load(client, runtime[platform], plain_archive)
    first, second = images("build", "image=runtime"), images("build", "image=runtime")
    assert (first.status, second.status) == (0, 0), first.err
    assert "until=[build_runtime_amd64]" in first.err and "until=" not in second.err
    told = client.containers.run(runtime["linux/amd64"], ["python3", "-c", "import numpy, tflite_runtime; print(1)"], network_mode="none",
                                 remove=True)  # fmt: skip
    assert told.split() == [b"1"]
    for reference in runtime.values():
        client.images.remove(reference)


def test_an_image_of_the_users_own_is_built_by_the_users_own_use_case(contained, give):
    assert "not built" in give("images", "base=bootstrap", "image=mine").out
    said = give("images", "build", "base=bootstrap", "image=mine")
    assert said.status == 0 and SOME_MB.search(said.lines[-1]), said.err


def test_without_an_engine_it_says_what_brings_one(images, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    assert [images(word).err.splitlines()[1].strip() for word in ("list", "build", "prune")] == ["no Docker engine answers"] * 3
