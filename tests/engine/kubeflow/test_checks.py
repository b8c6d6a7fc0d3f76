"""What a cluster cannot run is found before anything is written, pushed or uploaded."""

import datetime

import pytest

from engine.contract import Contract, Parameter
from engine.kubeflow import checks, components
from engine.settings import Kubeflow
from engine.spec import StageSpec


def _of_settings(*, is_submitted=True, **settings):
    return [
        one.where for one in checks.of_settings(Kubeflow(**settings), is_submitted=is_submitted)
    ]


def test_everything_that_is_missing_is_said_at_once():
    assert _of_settings() == ["kubeflow.data_root", "kubeflow.registry"]


def test_a_folder_needs_a_volume_only_on_a_cluster():
    given = {"data_root": "/data", "registry": "localhost:5000/p"}
    assert _of_settings(**given) == ["kubeflow.volume"]
    assert _of_settings(**given, is_submitted=False) == []
    assert _of_settings(**given, volume="shared") == []


def test_a_bucket_needs_no_volume():
    assert _of_settings(data_root="s3://bucket/p", registry="localhost:5000/p") == []


LONGEST = "x" * components.MOST_BYTES


@pytest.mark.parametrize(
    "keys", [{"params": {"n": LONGEST}}, {"env": {"N": LONGEST}}, {"params": {"n": "{{" * 20_000}}]
)
def test_parameters_that_no_command_line_holds_are_refused_when_planning(keys):
    [mistake] = _of_stage(**keys)
    assert (mistake.where, "bytes" in mistake.what) == ("params", True)


def test_a_default_that_no_command_line_holds_is_refused_when_planning():
    spec = StageSpec.model_validate({"command": ["true"]})
    contract = Contract(label="true", params={"n": Parameter("str", LONGEST)})
    assert [one.where for one in checks.of_stage(spec, contract, Kubeflow())] == ["params"]


@pytest.mark.parametrize("value", [datetime.date(2026, 1, 1), {1: 2, "a": 3}, {None: float("nan")}])
def test_an_odd_value_is_left_to_the_other_checks(value):
    assert _of_stage(params={"n": value}) == []


def test_a_job_that_is_too_long_with_its_inputs_is_refused(mine, monkeypatch):
    monkeypatch.setattr(components, "DECLARED_MOST_BYTES", 10**9)
    made = mine(f"  a: {{uses: mystages.make, env: {{LONG: {LONGEST}}}}}\n")
    [mistake] = checks.of_pipeline(made.pipeline, "u.yaml")
    assert mistake.where == "u.yaml: stages.a.params"
    assert "bytes" in mistake.what


def test_ordinary_parameters_fit(mine):
    made = mine("  a: {uses: mystages.make, params: {n: 7}}\n")
    assert list(checks.of_pipeline(made.pipeline, "u.yaml")) == []


@pytest.mark.parametrize(
    "output", ["mlpipeline_metrics", "mlpipeline_ui_metadata", "MLPipeline_UI_metadata"]
)
def test_an_output_that_kubeflow_would_not_show_by_its_name_is_refused(output):
    """KFP 1 reserved `mlpipeline-metrics`: an output named otherwise was not shown, without a word."""
    [mistake] = _of_stage(outputs=(output,))
    assert mistake.where == f"outputs.{output}"
    assert "does not show" in mistake.what


def test_an_output_with_metrics_in_its_name_is_an_ordinary_one():
    assert _of_stage(outputs=("metrics",)) == []


def test_variables_need_a_secret():
    [mistake] = _of_stage(pass_env=["TOKEN"])
    assert (mistake.where, "TOKEN" in mistake.what) == ("pass_env", True)
    assert _of_stage(pass_env=["TOKEN"], secret="stages") == []


def _of_stage(outputs=(), params=None, env=None, pass_env=(), **settings):
    keys = {"params": params or {}, "env": env or {}, "pass_env": pass_env}
    spec = StageSpec.model_validate({"command": ["true"], **keys})
    contract = Contract(label="true", outputs=outputs)
    return list(checks.of_stage(spec, contract, Kubeflow(**settings)))
