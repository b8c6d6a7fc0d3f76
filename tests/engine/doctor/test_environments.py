"""The environments of executor=local, as `doctor` reports them."""

from engine.doctor.environments import environments
from engine.tools import making
from tests.engine.tools.conftest import PYTHON, small  # noqa: F401  # a fixture


def test_one_that_can_be_made_is_reported_with_its_size(small):  # noqa: F811
    [found] = environments([small.path], small.store)
    assert not found.is_there and "not made (0.0 GB" in found.what and "first run" in found.fix


def test_one_that_is_made_is_reported_with_its_folder(small):  # noqa: F811
    making.make(small.environment(), small.store)
    [found] = environments([small.path], small.store)
    assert found.is_there and small.environment().identity in found.what


def test_what_prevents_one_is_reported(small):  # noqa: F811
    yaml = small.image / "environment.yaml"
    yaml.write_text(yaml.read_text().replace(PYTHON, "3.99"))
    [found] = environments([small.path], small.store)
    assert not found.is_there and "Python 3.99" in found.what
    (next(small.image.glob("*.lock"))).unlink()
    [found] = environments([small.path], small.store)
    assert "does not exist for this machine" in found.what
