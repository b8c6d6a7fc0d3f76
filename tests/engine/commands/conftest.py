"""The chain after one run; addresses that do not respond."""

import platform

import pytest

from engine.images import ARCHITECTURES, REPOSITORY
from engine.target import platform_of

SLEEPING = """
    import time
    from pathlib import Path
    from engine.stage import Out, progress
    def only(data: Out, *, here: str) -> None:
        progress(3, 12, "frames")
        Path(here).touch()
        time.sleep(120)
"""


@pytest.fixture
def with_own_image(project, docker_engine, plain_archive, monkeypatch):
    """The project with a Docker engine, and with its own image, which its own use case builds immediately."""
    here = platform_of(platform.machine())
    (project.path / "containers" / "mine").mkdir(parents=True)
    (project.path / "containers" / "mine" / "image.yaml").write_text(
        f"description: x\nplatforms: [{here}]\nusecase: my_images\n"
    )
    build = (
        f"  build_mine: {{foreach: {{arch: [{ARCHITECTURES[here]}]}}, "
        f"command: [cp, {plain_archive}, '{{outputs.archive}}'], outputs: [archive]}}\n"
    )
    project.usecase("my_images", f"params: {{base: auto}}\nstages:\n{build}")
    monkeypatch.setenv("DOCKER_HOST", docker_engine.host)
    yield project
    client = docker_engine.client()
    for tag in [
        tag
        for image in client.images.list()
        for tag in image.tags
        if tag.startswith(f"{REPOSITORY}/mine:")
    ]:
        client.images.remove(tag, force=True)


@pytest.fixture
def at_work(project):
    """A running run."""
    project.only_stage(SLEEPING, params={"here": str(project.path / "here")})
    engine = project.start("usecase=one")
    project.until((project.path / "here").exists)
    project.until(lambda: [e for e in project.events() if e["event"] == "progress"])
    yield project
    engine.kill()
    engine.communicate()
