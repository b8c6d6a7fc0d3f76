"""A user's project.yaml, which overrides the engine's defaults."""

from pathlib import Path

import pytest

from engine import main_config
from engine.catalogue import ROOT
from engine.errors import UserError


@pytest.fixture
def own(tmp_path):
    """Load the configuration with these folders' project.yaml in it, the first before the others."""

    def load(*texts: str) -> dict[str, object]:
        folders = []
        for number, text in enumerate(texts):
            folders.append(tmp_path / str(number))
            folders[-1].mkdir()
            (folders[-1] / "project.yaml").write_text(text)
        return main_config.load((*folders, ROOT / "conf"))

    return load


def _mistakes(load, text: str) -> list[UserError]:
    with pytest.raises(ExceptionGroup) as caught:
        load(text)
    return list(caught.value.exceptions)


def test_without_one_it_is_the_engines(tmp_path):
    assert main_config.load((tmp_path, ROOT / "conf")) == main_config.load((ROOT / "conf",))


def test_a_value_takes_the_place_of_the_engines(own):
    config = own("outputs: there\nstage_packages: [mystages]")
    assert (config["outputs"], config["stage_packages"], config["data"]) == (
        "there",
        ["mystages"],
        "data",
    )


def test_a_section_keeps_the_keys_that_the_user_leaves_out(own):
    config = own("kubeflow: {host: https://kfp.example.org}")["kubeflow"]
    assert isinstance(config, dict) and config["host"] == "https://kfp.example.org"
    assert config.keys() == main_config.load((ROOT / "conf",))["kubeflow"].keys()


def test_a_name_of_a_group_is_chosen_by_default(own):
    config = own("usecase: mine\ntarget: rpi4")
    choices = [main_config.choice(config, group) for group in ("usecase", "target", "executor")]
    assert choices == ["mine", "rpi4", "auto"]


def test_the_first_of_several_folders_wins(own):
    assert own("outputs: first", "outputs: second\ndata: second")["outputs"] == "first"


def test_a_key_that_no_command_has_is_refused_with_the_nearest(own):
    [mistake] = _mistakes(own, "ouputs: there")
    assert (
        mistake.where.endswith("project.yaml: ouputs") and mistake.fix == "did you mean 'outputs'?"
    )


@pytest.mark.parametrize("value", ["3", "null", "{cpus: 2}", "[local]"])
def test_a_choice_that_is_no_name_is_refused(own, value):
    [mistake] = _mistakes(own, f"executor: {value}")
    assert (mistake.what, mistake.fix) == (
        "a name is expected here",
        "write a file's name: executor: auto",
    )


def test_all_mistakes_are_reported_at_once(own):
    assert len(_mistakes(own, "ouputs: there\ntarget: 3\nhydra: {}")) == 3


def test_a_project_is_found_from_its_own_folder_and_those_below(project, monkeypatch):
    from engine import catalogue

    (project.path / "conf" / "project.yaml").write_text("usecase: chain")
    monkeypatch.chdir(project.path)
    assert catalogue.config_dirs([]) == (project.path / "conf", ROOT / "conf")
    monkeypatch.chdir(project.path / "mystages")
    assert catalogue.config_dirs([]) == (project.path / "conf", ROOT / "conf")
    assert catalogue.config_dirs(["--config-dir=other"])[0] == Path("other").absolute()


def test_default_folders_are_in_the_project_wherever_the_current_one_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = {"outputs": "outputs", "data": "/mnt/data", "mirror": None}
    assert main_config.located(config, tmp_path) == config
    assert main_config.located(config, tmp_path.parent) == {
        **config,
        "outputs": str(tmp_path.parent / "outputs"),
    }
