"""From a command line to a request: what is found where, and what wins over what."""

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from engine import catalogue, compose, registration
from engine.asset import Asset
from engine.errors import UserError
from engine.registration import quoted

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = """
    name: sample
    description: numbers
    licence: MIT
    sample: true
    settings: {params: {n: 7}, assets: {other: null}}
    until: [a]
    made_by: {uses: mystages.make, output: data}
"""
READS = """
    name: reads
    params: {n: 3}
    assets: {mine: sample, other: model}
    stages:
      a: {uses: mystages.double, inputs: {number: "asset:mine"}}
      b: {uses: mystages.make, params: {n: "${params.n}"}}
"""
MODEL = "name: model\ndescription: a model\nlicence: null\nmade_by: {uses: mystages.make, output: data}\n"


@pytest.fixture
def asks(project, monkeypatch):
    """Compose a command line in the project's folder."""
    (project.path / "conf" / "asset").mkdir()
    for name, text in (("sample", SAMPLE), ("model", MODEL)):
        (project.path / "conf" / "asset" / f"{name}.yaml").write_text(dedent(text))
    project.usecase("reads", READS)
    monkeypatch.chdir(project.path)

    def ask(*words: str) -> compose.Request:
        given = ["--config-dir", str(project.path / "conf"), "stage_packages=[mystages]", *words]
        return compose.single(registration.register(given))

    return ask


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
        MODEL.replace("name: model", "name: yoga")
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


# --- assets


def test_an_asset_is_a_declared_one_by_its_name(asks):
    assert isinstance(asks("usecase=reads").assets["mine"], Asset)


def test_an_asset_is_a_path_that_exists(asks, project):
    (project.path / "numbers").touch()
    assert asks("usecase=reads", "assets.mine=numbers").assets["mine"] == project.path / "numbers"


def test_an_asset_may_be_switched_off(asks):
    assert asks("usecase=reads", "assets.mine=null").assets["mine"] is None


def test_what_an_asset_asks_for_is_taken_where_the_user_says_nothing(asks):
    request = asks("usecase=reads")
    assert (
        request.usecase.params["n"],
        request.usecase.stages["b"].params["n"],
        request.assets["other"],
    ) == (7, 7, None)


@pytest.mark.parametrize("value", ["5", "3"])
def test_what_the_user_says_wins_over_what_an_asset_asks_for(asks, value):
    assert asks("usecase=reads", f"params.n={value}").usecase.params["n"] == int(value)
    assert isinstance(asks("usecase=reads", "assets.other=model").assets["other"], Asset)


def test_another_asset_does_not_ask_for_what_the_first_did(asks):
    assert asks("usecase=reads", "assets.mine=model").usecase.params["n"] == 3


def test_a_plan_reaches_as_far_as_its_data_and_says_so(asks):
    request = asks("usecase=reads")
    assert request.settings.until == ("a",)
    assert "sample reaches a and no further stage: nothing beyond is planned" in request.notes
    assert asks("usecase=reads", "until=[b]").settings.until == ("b",)


@pytest.fixture
def own_data(project):
    """Data that the user has laid into data/reads/."""
    folder = project.path / "data" / "reads"
    folder.mkdir(parents=True)
    (folder / "numbers").write_text("4")
    return folder


def test_the_users_own_data_takes_the_place_of_a_sample(asks, own_data):
    request = asks("usecase=reads")
    assert request.assets["mine"] == own_data
    assert request.notes == ("data/reads is taken as mine, instead of the sample sample",)
    assert (request.usecase.params["n"], request.settings.until) == (3, ())


def test_an_empty_folder_is_no_data(asks, own_data):
    (own_data / "numbers").unlink()
    assert isinstance(asks("usecase=reads").assets["mine"], Asset)


def test_an_asset_that_the_user_names_wins_over_the_folder_of_own_data(asks, own_data):
    assert isinstance(asks("usecase=reads", "assets.mine=sample").assets["mine"], Asset)


def test_an_asset_that_is_no_sample_keeps_its_place(asks, own_data):
    assert isinstance(asks("usecase=reads", "assets.other=model").assets["other"], Asset)


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


def test_a_reference_to_no_parameter_is_named_by_its_place(asks, project):
    project.usecase(
        "typo",
        'params: {epochs: 1}\nstages: {a: {uses: mystages.make, params: {n: "${params.epoch}"}}}',
    )
    [[where, what, fix]] = _mistakes(asks, "usecase=typo")
    assert (where, what, fix) == (
        "conf/usecases/typo.yaml: stages.a.params.n",
        "Interpolation key 'params.epoch' not found",
        "did you mean 'params.epochs'?",
    )


def test_parameters_that_mean_one_another_are_a_mistake(asks, project):
    project.usecase(
        "loop", 'params: {a: "${params.b}", b: "${params.a}"}\nstages: {a: {uses: mystages.make}}'
    )
    [where, what, _] = _mistakes(asks, "usecase=loop")[0]
    assert where.startswith("conf/usecases/loop.yaml: params.") and "ecursive" in what


def test_every_asset_that_cannot_be_had_is_told_at_once(asks):
    assert _mistakes(asks, "usecase=reads", "assets.mine=sampel", "assets.other=/no/such") == [
        [
            "conf/usecases/reads.yaml: assets.mine",
            "'sampel' is neither a declared asset nor a path that exists",
            "did you mean 'sample'?",
        ],
        [
            "conf/usecases/reads.yaml: assets.other",
            "'/no/such' is neither a declared asset nor a path that exists",
            "choose one of: activity_sample, exercise, jhmdb, model, movenet_lightning, sample, yoga",
        ],
    ]


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
    assert f"the environment variable {name} may not be read from YAML" in result.stderr


def test_a_missing_variable_has_its_default(project):
    assert _param(project, "${oc.env:RPI_NO_SUCH,blue}").stdout == "blue\n"


# --- values that no program can take


def _told(asks, *words: str) -> list[UserError]:
    with pytest.raises(ExceptionGroup) as caught:
        asks(*words)
    return list(caught.value.exceptions)


@pytest.mark.parametrize(
    "value", ["nan", "inf", "-inf", "1e999", "9" * 400, "[1,nan]", "{a:inf}", "{1:2}", "{nan:1}"]
)
def test_an_odd_value_is_named_with_each_key_and_a_way_out(asks, value):
    keys = (
        "params.n",
        "+stages.a.params.x",
        "executor.cpus",
        "+stages.a.resources.cpus",
        "target.cpus",
        "+stages.a.retry_delay",
    )
    told = _told(asks, "usecase=chain", *(f"{key}={value}" for key in keys))
    unnamed = [key for key in keys if not any(key.lstrip("+") in mistake.where for mistake in told)]
    assert unnamed == [] and all(len(str(mistake).splitlines()) == 3 for mistake in told)


@pytest.mark.parametrize("key", ["executor.cpus", "target.cpus", "+stages.a.resources.cpus"])
@pytest.mark.parametrize("value", ["inf", "nan", "1e999"])
def test_text_is_no_way_to_an_endless_number(asks, key, value):
    words = f'{key}="{value}"'
    try:
        told = list(asks("usecase=chain", words).mistakes)
    except ExceptionGroup as several:
        told = list(several.exceptions)
    assert [key.lstrip("+").partition(".")[2] in mistake.where for mistake in told] == [True]


def test_an_odd_number_of_a_resolver_is_found_too(asks, project):
    project.usecase(
        "odd", "params: {n: '${oc.decode:\"nan\"}'}\nstages: {a: {uses: mystages.make}}"
    )
    assert [mistake.what for mistake in _told(asks, "usecase=odd")] == [
        "nan is not a finite number"
    ]


@pytest.mark.parametrize("name", ["jörg", "a,b", "a (b)", "a=b", "[a]", 'a"b', "it's", "a b"])
def test_another_request_takes_outputs_of_any_name(tmp_path, name):
    line = registration.register(["usecase=containers", "tracking=none"])
    words = ["usecase=containers", "tracking=none", f"outputs={quoted(str(tmp_path / name))}"]
    assert compose.another(compose.single(line), words).outputs == tmp_path / name
