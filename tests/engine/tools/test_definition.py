"""The environments that images declare, and what prevents one."""

import pytest

from engine.errors import UserError
from engine.tools import definition
from tests.engine.tools.conftest import HERE, PYTHON

OTHER = next(name for name in ("linux/arm/v7", "linux/arm64") if name != HERE)


def test_an_image_is_an_environment_if_it_says_so(small):
    found = small.environment()
    assert (found.name, found.python, found.packages) == ("small", PYTHON, 1)
    assert definition.here([small.path]) == [("small", found)]
    (small.image / "environment.yaml").unlink()
    assert definition.find([small.path], "small", HERE) is None
    assert not definition.is_environment([small.path], "small")


def test_the_image_of_the_first_folder_counts(small, tmp_path):
    mine = tmp_path / "mine"
    (mine / "containers" / "small").mkdir(parents=True)
    (mine / "containers" / "small" / "image.yaml").write_text("name: small\n")
    assert definition.find([mine, small.path], "small", HERE) is None


def test_there_is_none_for_a_platform_without_a_lock(small):
    assert definition.find([small.path], "small", OTHER) is None
    assert definition.is_environment([small.path], "small")


def test_its_identity_follows_its_locks_and_not_its_licence(small):
    before = small.environment().identity
    yaml = small.image / "environment.yaml"
    yaml.write_text(yaml.read_text().replace("30M", "31M").replace("tests", "test suite"))
    assert small.environment().identity == before
    small.lock("1.1")
    assert small.environment().identity != before


def test_a_python_that_is_not_installed_is_an_obstacle(small):
    yaml = small.image / "environment.yaml"
    yaml.write_text(yaml.read_text().replace(PYTHON, "3.99"))
    why = small.environment().obstacle(small.store)
    assert why == "it needs Python 3.99, which is not installed here"


def test_a_full_disk_is_an_obstacle(small):
    assert small.environment().obstacle(small.store) == ""
    yaml = small.image / "environment.yaml"
    yaml.write_text(yaml.read_text().replace("30M", "900T"))
    assert "900000.0 GB on the disk" in small.environment().obstacle(small.store)


@pytest.mark.parametrize("text", ["size: 1G\n", 'python: "3.11"\n', 'python: "two"\nsize: 1G\n'])
def test_a_wrong_definition_is_refused_with_its_file(small, text):
    (small.image / "environment.yaml").write_text(text)
    with pytest.raises(ExceptionGroup) as caught:
        small.environment()
    [mistake] = caught.value.exceptions
    assert isinstance(mistake, UserError) and "environment.yaml" in mistake.where and mistake.fix
