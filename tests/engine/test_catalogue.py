"""What is available, and whose file takes precedence."""

import unicodedata
from functools import partial
from pathlib import Path

import pytest

from engine import catalogue

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def dirs(tmp_path):
    """A user's configuration with a use case, a target and an asset, some with the names of shipped ones,
    followed by the project's.
    """
    for name in (
        "usecases/mine",
        "usecases/pose_activity",
        "target/mine",
        "target/rpi4",
        "asset/mine",
        "asset/yoga",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.yaml").write_text("description: mine\n")
    return tmp_path, ROOT / "conf"


@pytest.mark.parametrize(
    ("found", "same", "ships"),
    [
        (catalogue.usecases, "pose_activity", None),
        (partial(catalogue.of_group, "target"), "rpi4", "rpi3"),
        (partial(catalogue.of_group, "asset"), "yoga", "jhmdb"),
    ],
)
def test_the_users_files_come_before_those_that_ship(dirs, found, same, ships):
    files = found(dirs)
    assert files["mine"].is_relative_to(dirs[0]) and files[same].is_relative_to(dirs[0])
    assert ships is None or files[ships].is_relative_to(ROOT)


def test_the_use_cases_that_ship_stay_to_be_chosen(tmp_path):
    assert (
        catalogue.usecases((tmp_path, ROOT / "conf"))["pose_activity"]
        == ROOT / "usecases" / "pose_activity.yaml"
    )


@pytest.mark.parametrize(
    "words", [["--config-dir", "there"], ["--config-dir=there"], ["-cd", "there"]]
)
def test_a_config_dir_is_given_in_three_ways(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert catalogue.config_dirs(["a=1", *words, "b=2"]) == (tmp_path / "there", ROOT / "conf")
    assert catalogue.without_config_dirs(["a=1", *words, "b=2"]) == ["a=1", "b=2"]


@pytest.mark.parametrize(
    "file", ["conf/project.yaml", "usecases/mine.yaml", "conf/usecases/mine.yaml"]
)
def test_the_project_is_the_nearest_folder_above_with_a_configuration(file, tmp_path, monkeypatch):
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).touch()
    (tmp_path / "data" / "mine").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "data" / "mine")
    assert catalogue.project(catalogue.config_dirs([])) == tmp_path


def test_the_folder_of_a_configuration_that_is_named_is_the_project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for named in ("own/conf", "own"):
        dirs = catalogue.config_dirs([f"--config-dir={named}"])
        assert catalogue.project(dirs) == tmp_path / "own"


def test_without_a_project_it_is_the_checkout(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert catalogue.project(catalogue.config_dirs([])) == ROOT


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("pose_activity", "pose_activity"),
        ("état", "etat"),
        (unicodedata.normalize("NFD", "état"), "etat"),
        ("my case (2)", "my_case_2"),
        ("my-case", "my_case"),
        ("2nd", None),
        ("日本", None),
    ],
)
def test_a_file_gives_its_use_case_a_name_of_plain_letters(stem, name):
    assert catalogue.name_of(stem) == name
