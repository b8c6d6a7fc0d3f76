"""`images`: the definitions in containers/, including the user's, and which images a real engine has."""

import platform
import subprocess
import sys

import pytest

from engine import job_code
from engine.containers import loading
from engine.image_catalogue import BUILDERS
from engine.images import ARCHITECTURES, REPOSITORY, read, with_code
from engine.signature import Library
from engine.target import platform_of
from tests.conftest import ROOT

HERE = platform_of(platform.machine())
DEFINITION = "name: mine\ndescription: Python alone\nplatforms: [linux/amd64, linux/arm64]\n"
NUMPY = """
    from engine.stage import Out
    def only(data: Out) -> None:
        \"\"\"Write which numpy there is.\"\"\"
        import sys
        import numpy
        data.write_text(f"{numpy.__version__} {sys.executable} {numpy.__file__}")
"""
OWN = """
    name: my_images
    params: {{base: auto}}
    assets: {{base: containers/base, mine: containers/mine}}
    stages:
      base_{arch}: {{uses: stages.containers.base, runs_on: host, inputs: {{lock: "asset:base"}}, params: {{platform: {platform}, base: "${{params.base}}"}}}}
      build_mine:
        foreach: {{arch: [{arch}]}}
        uses: stages.containers.build
        runs_on: host
        inputs: {{context: "asset:mine", base: base_{arch}.rootfs}}
        params: {{platform: {platform}}}
"""


@pytest.fixture
def images(project, give, docker_engine, monkeypatch):
    """Run `images` in a folder with its own image."""
    monkeypatch.setenv("DOCKER_HOST", docker_engine.host)
    _define(project, DEFINITION)

    def given(action: str, *words: str):
        return give("images", action, "base=bootstrap", *words)

    yield given
    client = docker_engine.client()
    for tag in [
        tag
        for image in client.images.list()
        for tag in image.tags
        if tag.startswith(f"{REPOSITORY}/mine:")
    ]:
        client.images.remove(tag)


@pytest.fixture
def own_image(project):
    """A user's image, and the use case that builds it."""
    _define(
        project,
        f"name: mine\ndescription: x\nplatforms: [{HERE}]\nusecase: my_images\nenv: {{COLOUR: red}}\n",
    )
    (project.path / "containers" / "mine" / f"requirements-{ARCHITECTURES[HERE]}.lock").touch()
    project.usecase("my_images", OWN.format(platform=HERE, arch=ARCHITECTURES[HERE]))


def _define(project, text: str, name: str = "mine") -> None:
    path = project.path / "containers" / name / "image.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _full_name(project) -> str:
    """The name of the user's image for this machine in an engine."""
    library = Library(("stages",), [project.path, ROOT])
    sources = {
        module: digest
        for name in BUILDERS
        for module, digest in library.signature(name, name).sources.items()
    }
    return next(
        one.full_name
        for one in read(project.path / "containers", sources, "bootstrap")
        if one.platform == HERE
    )


def _code(project) -> str:
    """The short digest of the code in the user's images."""
    return job_code.find((project.path, ROOT), ("mystages",)).short


def _has(docker_engine) -> set[str]:
    return {
        tag
        for image in docker_engine.client().images.list()
        for tag in image.tags
        if tag.startswith(f"{REPOSITORY}/mine:")
    }


def _rows(said) -> dict[tuple[str, str], list[str]]:
    assert said.status == 0, said.err
    return {(words[0], words[1]): words[2:] for words in map(str.split, said.lines[1:])}


# --- list


def test_every_image_is_listed_for_each_platform_the_users_and_the_projects(images):
    rows = _rows(images("list"))
    assert {platform for name, platform in rows if name == "mine"} == {"linux/amd64", "linux/arm64"}
    assert {platform for name, platform in rows if name == "runtime"} == set(ARCHITECTURES)


def test_an_image_that_the_engine_lacks_is_listed_as_not_built(images, project):
    assert _rows(images("list"))["mine", HERE] == [_full_name(project), "not", "built"]


def test_an_image_that_the_engine_has_is_listed_with_its_size(
    images, project, docker_engine, plain_archive
):
    loading.load(docker_engine.client(), _full_name(project), plain_archive)
    full_name, size, unit = _rows(images("list"))["mine", HERE]
    assert (full_name, unit) == (_full_name(project), "MB") and 20 < float(size) < 500


def test_one_image_is_listed_where_it_is_named(images):
    assert {name for name, _ in _rows(images("list", "image=mine"))} == {"mine"}


def test_an_image_that_nobody_defines_is_refused_with_the_nearest(images):
    said = images("list", "image=mien")
    assert (said.status, said.out) == (2, "")
    assert [line.strip() for line in said.err.splitlines()] == [
        "image=mien",
        "there is no such image",
        "did you mean 'mine'?",
    ]


def test_a_wrong_definition_is_refused_with_its_file(images, project):
    _define(project, "description: x\nplatforms: []\n")
    said = images("list")
    assert (
        said.status == 2
        and "containers/mine/image.yaml: platforms" in said.err
        and "Traceback" not in said.err
    )


def test_without_an_engine_the_images_are_listed_without_their_size(project, give):
    _define(project, DEFINITION)
    said = give("images", "list", "image=mine")
    assert said.status == 0 and said.lines[1].endswith("unknown")
    assert "no Docker engine found; sizes are unknown" in said.err


@pytest.mark.parametrize("action", ["build", "prune"])
def test_without_an_engine_a_fix_is_named(images, monkeypatch, tmp_path, action):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    said = images(action)
    assert (
        said.status == 2
        and [line.strip() for line in said.err.splitlines()][1] == "no Docker engine found"
    )


# --- build


def test_what_the_engine_has_is_not_built_again(images, project, docker_engine, plain_archive):
    _define(project, DEFINITION.replace("linux/amd64, linux/arm64", HERE))
    loading.load(docker_engine.client(), _full_name(project), plain_archive)
    said = images("build", "image=mine")
    assert (said.status, said.err) == (0, "") and not list(project.outputs.glob("[!.]*"))
    assert _rows(said)["mine", HERE][0] == _full_name(project)


def test_an_image_that_no_stage_builds_is_refused_with_its_use_case(images, docker_engine):
    said = images("build", "image=mine")
    assert said.status == 2 and _has(docker_engine) == set()
    assert said.err.splitlines()[-3].strip() == "usecase=containers"
    assert "the images could not be built: build_mine@amd64" in said.err


def test_a_run_builds_the_image_that_it_needs_and_is_made_in_it(
    project, docker_engine, monkeypatch
):
    """The complete path: the smallest image with numpy is built by its use case and loaded into the engine,
    and a stage runs in it.
    """
    monkeypatch.setenv("DOCKER_HOST", docker_engine.host)
    project.only_stage(NUMPY)
    words = ("executor=docker", "base=bootstrap", "usecase=one")
    first = project.run(*words, timeout_s=300)
    assert first.returncode == 0, f"{first.stdout}\n{first.stderr}"
    text = (project.outputs / "one" / "x86_64" / "latest" / "artifacts" / "s" / "data").read_text()
    assert text.startswith("1.26.4 /usr/") and sys.prefix not in text
    built = [
        tag
        for image in docker_engine.client().images.list()
        for tag in image.tags
        if tag.startswith(f"{REPOSITORY}/runtime:")
    ]
    try:
        assert (
            len(built) == 1
            and first.stderr.startswith("images: python run.py ")
            and " usecase=containers " in first.stderr
        )
        second: subprocess.CompletedProcess[str] = project.run(*words)
        assert second.returncode == 0 and "images:" not in second.stderr
    finally:
        for tag in built:
            docker_engine.client().images.remove(tag)


def test_an_image_of_the_users_is_built_from_the_users_folder_by_the_users_use_case(
    images, own_image, project, docker_engine
):
    said = images("build", "image=mine")
    assert said.status == 0, said.err
    image = docker_engine.client().images.get(_full_name(project))
    assert "COLOUR=red" in image.attrs["Config"]["Env"]


def test_an_image_with_code_in_it_runs_stages_without_any_mount(
    images, own_image, project, docker_engine
):
    said = images("build", "image=mine", "code=baked")
    full_name = _rows(said)["mine", HERE][0]
    assert full_name == with_code(_full_name(project), _code(project))
    words = ["python3", "-c", "import mystages.make, engine.stage; print(engine.stage.__file__)"]
    output = docker_engine.client().containers.run(
        full_name, words, network_mode="none", remove=True, read_only=True
    )
    assert output.decode().strip() == "/opt/rpi-mlops/1/engine/stage/__init__.py"
    assert _rows(images("list", "image=mine", "code=baked"))["mine", HERE][2] == "MB"


def test_where_the_target_has_a_device_its_engine_is_given_the_image(
    images, own_image, project, docker_engine, sshd, monkeypatch, tmp_path
):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    (tmp_path / "ssh_config").write_text(sshd.config)
    address = (
        f"ssh://{sshd.user}@{sshd.host}:{sshd.port}{docker_engine.host.removeprefix('unix://')}"
    )
    said = images(
        "build",
        "image=mine",
        "target=x86_64",
        f"target.device={address}",
        f"ssh_config={tmp_path / 'ssh_config'}",
    )
    assert said.status == 0, said.err
    assert _has(docker_engine) == {_full_name(project)} and set(_rows(said)) == {("mine", HERE)}


# --- prune


def test_an_image_whose_definition_has_changed_is_removed_and_the_present_one_stays(
    images, project, docker_engine, plain_archive
):
    before = _full_name(project)
    _define(project, DEFINITION + "env: {COLOUR: red}\n")
    after = _full_name(project)
    for full_name in (before, after):
        loading.load(docker_engine.client(), full_name, plain_archive)
    said = images("prune")
    assert said.status == 0 and [line.split()[:2] for line in said.lines] == [["removed", before]]
    assert _has(docker_engine) == {after}


def test_images_that_are_nobodys_here_are_left_alone(images, docker_engine, plain_image):
    said = images("prune")
    assert (said.status, said.out) == (0, "")
    assert docker_engine.client().images.get(plain_image.full_name)


def test_a_name_that_somebody_else_gave_an_image_is_left_alone(images, docker_engine, plain_image):
    client = docker_engine.client()
    client.images.get(plain_image.full_name).tag(f"{REPOSITORY}/mine", "of-ann")
    said = images("prune")
    assert (said.status, said.out) == (0, "") and _has(docker_engine) == {
        f"{REPOSITORY}/mine:of-ann"
    }


def test_an_image_that_a_container_has_is_kept_and_says_so(
    images, project, docker_engine, plain_image
):
    before = _full_name(project)
    client = docker_engine.client()
    other = client.containers.create(plain_image.full_name, command=["true"], network_mode="none")
    other.commit(
        *before.rsplit(":", 1), changes="LABEL of=mine"
    )  # without another name, the image itself would be removed
    other.remove()
    container = client.containers.create(before, command=["true"], network_mode="none")
    _define(project, DEFINITION + "env: {COLOUR: red}\n")
    try:
        said = images("prune", "image=mine")
        assert said.status == 0 and said.lines[0].startswith(f"kept     {before}: ")
        assert _has(docker_engine) == {before}
    finally:
        container.remove(force=True)


def test_an_image_whose_code_has_changed_is_removed(images, project, docker_engine, plain_archive):
    now = with_code(_full_name(project), _code(project))
    before = with_code(_full_name(project), "0123456789ab")
    for full_name in (before, now):
        loading.load(docker_engine.client(), full_name, plain_archive)
    said = images("prune")
    assert said.status == 0 and [line.split()[:2] for line in said.lines] == [["removed", before]]
    assert _has(docker_engine) == {now}
