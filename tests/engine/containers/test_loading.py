"""Loading an image into an engine: the response decides, and the client's timeout is restored."""

from types import SimpleNamespace

import pytest

from engine.containers.loading import LOAD_S, load, patience
from engine.errors import UserError

NAME = "raspberrypi-mlops/any:amd64-0"


class Engine:
    """An engine that responds to a load with these lines, and records tags."""

    def __init__(self, *answer: dict[str, str]) -> None:
        self.tagged: list[str] = []
        self.timeouts: list[float] = []
        self.api = SimpleNamespace(timeout=20.0, load_image=self._load)
        self.images = SimpleNamespace(get=lambda name: SimpleNamespace(tag=self._tag, name=name))
        self._answer = answer

    def _load(self, _: object) -> tuple[dict[str, str], ...]:
        self.timeouts.append(self.api.timeout)
        return self._answer

    def _tag(self, repository: str, tag: str) -> None:
        self.tagged.append(f"{repository}:{tag}")


@pytest.fixture
def archive(tmp_path):
    """An archive; only an engine would read its content."""
    path = tmp_path / "image.tar"
    path.touch()
    return path


def test_a_loaded_image_gets_its_full_name(archive):
    engine = Engine({"stream": "Loaded image ID: sha256:1\n"})
    assert load(engine, NAME, archive).name == "sha256:1"
    assert engine.tagged == [NAME]
    assert (engine.timeouts, engine.api.timeout) == ([LOAD_S], 20.0)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"error": "no space left on device"}, "the disk of the container engine is full"),
        ({"error": "unexpected EOF"}, "the container engine refuses this archive"),
        ({"stream": ""}, "it contains 0 images, not one"),
        ({"stream": "Loaded image: a\nLoaded image: b\n"}, "it contains 2 images, not one"),
    ],
)
def test_an_archive_that_is_not_taken_is_reported_with_the_reason(archive, answer, said):
    with pytest.raises(UserError, match=said):
        load(Engine(answer), NAME, archive)


def test_patience_ends_with_the_calls_inside_also_where_one_fails():
    engine = Engine()
    with pytest.raises(ValueError), patience(engine):
        raise ValueError
    assert engine.api.timeout == 20.0
