"""MLflow Projects with `env_manager: docker`: in a container of the image that docker_env names."""

import json

import pytest

from tests.contained import Contained

pytestmark = pytest.mark.docker

SHOW = (
    "import json, os, sys; json.dump({'text': sys.argv[1], 'level': os.environ['LEVEL'], "
    "'rows': open('/data/rows').read(), 'uid': os.getuid(), 'root': os.access('/', os.W_OK)}, "
    "open(sys.argv[2], 'w'))"
)


def _project(contained: Contained, image: str, volumes: list[str]) -> None:
    """Write a project, and the use case `one` that runs it."""
    folder = contained.project.path / "projects" / "show"
    (folder / "data").mkdir(parents=True, exist_ok=True)
    (folder / "data" / "rows").write_text("1,2\n")
    (folder / "show.py").write_text(SHOW)
    docker = {"image": image, "volumes": volumes, "environment": [["LEVEL", "2"]]}
    entry = {
        "parameters": {"text": "string", "out": "path"},
        "command": "python3 show.py {text} {out}",
    }
    about = {"name": "show", "docker_env": docker, "entry_points": {"main": entry}}
    (folder / "MLproject").write_text(json.dumps(about))
    stage = {
        "mlproject": {"uri": "projects/show", "env_manager": "docker"},
        "params": {"text": "it's $(id)"},
        "outputs": ["out"],
    }
    contained.project.usecase("one", json.dumps({"name": "one", "stages": {"s": stage}}))


@pytest.fixture
def contained(project, docker_engine, plain_archive, monkeypatch):
    """A user's folder on a real engine."""
    monkeypatch.setenv("DOCKER_HOST", docker_engine.host)
    return Contained(project, docker_engine, plain_archive, "executor=docker")


@pytest.fixture
def foreign(contained):
    """The name of an image that the engine has and that nothing here builds."""
    image = contained.engine.client().images.get(contained.full_name)
    image.tag("acme/show", "1")
    yield "acme/show:1"
    contained.engine.client().images.remove("acme/show:1")


def test_the_container_sees_the_projects_folder_and_has_no_more_rights_than_others(
    contained, foreign
):
    _project(contained, foreign, ["./data:/data"])
    contained.done()
    written = contained.project.last / "artifacts" / "s" / "out"
    found = json.loads(written.read_text())
    assert found.pop("uid") != 0
    assert found == {"text": "it's $(id)", "level": "2", "rows": "1,2\n", "root": False}


def test_an_image_that_nobody_builds_is_refused_before_anything_starts(contained):
    _project(contained, "acme/nowhere:7", [])
    result = contained.run()
    assert result.returncode == 2
    assert "no image 'acme/nowhere:7'" in result.stderr and "docker pull" in result.stderr


def test_a_volume_that_docker_would_create_empty_is_refused(contained, foreign):
    _project(contained, foreign, ["data:/data"])
    result = contained.run()
    assert result.returncode == 2
    assert "docker_env.volumes.0" in result.stderr and "./data:/data" in result.stderr
