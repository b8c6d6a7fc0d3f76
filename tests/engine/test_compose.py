"""From a command line to a request: where things are found, and what takes precedence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from engine import catalogue, compose, registration
from engine.registration import quoted

ROOT = Path(__file__).resolve().parents[2]


def _mistakes(asks, *words: str) -> list[list[str]]:
    return [[mistake.where, mistake.what, mistake.fix] for mistake in asks(*words).mistakes]


# --- use cases


def test_a_use_case_of_the_users_folder_is_found_by_its_name(asks):
    request = asks("usecase=chain")
    assert (request.usecase.name, request.where) == ("chain", "conf/usecases/chain.yaml")


def test_a_use_case_is_found_by_its_path(asks, project):
    path = project.usecase(
        "chain", (project.path / "conf" / "usecases" / "chain.yaml").read_text()
    ).rename(project.path / "my.yaml")
    request = asks(f"usecase={path}")
    assert (request.usecase.name, request.where) == ("chain", "my.yaml")


def test_a_use_case_without_a_name_is_called_as_its_file(asks, project):
    project.usecase("nameless", "stages: {a: {uses: mystages.make}}")
    assert asks("usecase=nameless").usecase.name == "nameless"


def test_the_users_use_case_wins_over_one_of_the_same_name_that_ships(asks, project):
    project.usecase("pose_activity", "stages: {mine: {uses: mystages.make}}")
    assert list(asks("usecase=pose_activity").usecase.stages) == ["mine"]


# --- folders


def test_stages_are_looked_for_beside_the_users_conf_and_then_in_the_project(asks, project):
    assert asks("usecase=chain").roots == (project.path, ROOT)


def test_a_target_of_the_users_folder_can_be_chosen(asks, project):
    (project.path / "conf" / "target").mkdir()
    (project.path / "conf" / "target" / "mypi.yaml").write_text(
        "name: mypi\nplatform: linux/arm64\nruntime: litert\n"
    )
    assert asks("usecase=chain", "target=mypi").target.name == "mypi"


@pytest.mark.parametrize(
    ("words", "runtime"),
    [((), "litert"), (("target.accelerator=edgetpu",), "tflite_runtime")],
    ids=["cpu", "edgetpu"],
)
def test_the_runtime_that_a_target_leaves_out_reaches_the_stages(asks, project, words, runtime):
    (project.path / "conf" / "target").mkdir()
    (project.path / "conf" / "target" / "mypi.yaml").write_text(
        "name: mypi\nplatform: linux/arm64\naccelerator: none\n"
    )
    project.usecase(
        "reading", 'stages: {a: {uses: mystages.make, params: {n: "${target.runtime}"}}}'
    )
    request = asks("usecase=reading", "target=mypi", *words)
    assert (request.target.runtime, request.usecase.stages["a"].params["n"]) == (runtime, runtime)


def test_the_users_asset_wins_over_one_of_the_same_name_that_ships(asks, project):
    (project.path / "conf" / "asset" / "yoga.yaml").write_text(
        (project.path / "conf" / "asset" / "model.yaml").read_text().replace("model", "yoga", 1)
    )
    assert catalogue.of_group("asset", asks("usecase=chain").config_dirs)["yoga"].is_relative_to(
        project.path
    )


def test_the_outputs_folder_is_absolute(asks, project):
    assert asks("usecase=chain", "outputs=here").outputs == project.path / "here"


# --- overrides


def test_a_parameter_is_overridden_and_reaches_its_stage(asks):
    request = asks("usecase=chain", "params.n=5")
    assert (request.usecase.params["n"], request.usecase.stages["a"].params["n"]) == (5, 5)


def test_the_words_that_chose_use_case_and_target_are_remembered(asks):
    assert asks("usecase=chain", "target=rpi4", "params.n=5").choices_given == (
        "usecase=chain",
        "target=rpi4",
    )


def test_a_key_of_the_program_is_a_setting(asks):
    assert asks("usecase=chain", "fail_fast=true").settings.fail_fast is True


@pytest.mark.parametrize("written", ["1e-3", "0.001"])
def test_a_number_means_the_same_in_a_file_and_on_the_command_line(asks, project, written):
    project.usecase("rate", f"params: {{rate: {written}}}\nstages: {{a: {{uses: mystages.make}}}}")
    assert (
        asks("usecase=rate").usecase.params["rate"]
        == asks("usecase=rate", f"params.rate={written}").usecase.params["rate"]
        == 0.001
    )


# --- mistakes


def test_an_unknown_key_at_the_top_level_is_named_with_the_nearest(asks, project):
    project.usecase("typo", "stagse: {}\nparam: {n: 1}\nstages: {a: {uses: mystages.make}}")
    assert _mistakes(asks, "usecase=typo") == [
        [
            "conf/usecases/typo.yaml: stagse",
            "there is no key 'stagse' here",
            "did you mean 'stages'?",
        ],
        [
            "conf/usecases/typo.yaml: param",
            "there is no key 'param' here",
            "did you mean 'params'?",
        ],
    ]


@pytest.mark.parametrize(
    ("words", "where"), [((), "conf/project.yaml: until"), (("until=6",), "until=6")]
)
def test_a_wrong_setting_is_named_where_it_was_written(asks, project, words, where):
    (project.path / "conf" / "project.yaml").write_text("until: 5\n")
    with pytest.raises(ExceptionGroup) as caught:
        asks("usecase=chain", *words)
    assert [mistake.where for mistake in caught.value.exceptions] == [where]


# --- the environment


ENV = """
import os, sys
from engine import catalogue, compose, registration
compose.guard_environment()
request = compose.single(registration.register(sys.argv[1:]))
print(request.usecase.params["x"])
sys.exit("\\n".join(map(str, request.mistakes)))
"""


def _param(project, text: str, **env: str) -> "subprocess.CompletedProcess[str]":
    project.usecase("env", f'params: {{x: "{text}"}}\nstages: {{a: {{uses: mystages.make}}}}')
    argv = [sys.executable, "-c", ENV, "--config-dir", str(project.path / "conf"), "usecase=env"]
    return subprocess.run(argv, cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True)


def test_a_harmless_variable_may_be_read(project):
    names = ("RPI_COLOUR", "HOME", "USER", "MLFLOW_TRACKING_URI")
    text = " ".join(f"${{oc.env:{name}}}" for name in names)
    assert _param(project, text, **dict.fromkeys(names, "red")).stdout == "red red red red\n"


@pytest.mark.parametrize(
    "name", ["AWS_SECRET_ACCESS_KEY", "PATH", "HOMEPAGE", "MLFLOW_TRACKING_PASSWORD", "X_RPI_"]
)
def test_any_other_variable_may_not(project, name):
    result = _param(project, f"${{oc.env:{name}}}", **{name: "canary"})
    assert result.returncode != 0 and "canary" not in result.stdout + result.stderr
    assert f"YAML may not read the environment variable {name}" in result.stderr


def test_a_missing_variable_has_its_default(project):
    assert _param(project, "${oc.env:RPI_NO_SUCH,blue}").stdout == "blue\n"


@pytest.mark.parametrize("name", ["jörg", "a,b", "a (b)", "a=b", "[a]", 'a"b', "it's", "a b"])
def test_another_request_takes_outputs_of_any_name(tmp_path, name):
    line = registration.register(["usecase=containers", "tracking=none"])
    words = ["usecase=containers", "tracking=none", f"outputs={quoted(str(tmp_path / name))}"]
    assert compose.another(compose.single(line), words).outputs == tmp_path / name


def test_a_command_is_composed_also_while_hydra_runs_a_sweep(asks):
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        running = GlobalHydra.instance().hydra
        assert asks("usecase=chain").usecase.name == "chain"
        assert GlobalHydra.instance().hydra is running
