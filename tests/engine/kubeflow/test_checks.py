"""What a cluster cannot run is found before anything is written, pushed or uploaded."""

import pytest

from engine.contract import Contract
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


def test_parameters_that_no_command_line_holds_are_refused(mine):
    made = mine(f"  a: {{uses: mystages.make, env: {{LONG: {'x' * components.MOST_BYTES}}}}}\n")
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


def _of_stage(outputs=(), pass_env=(), **settings):
    spec = StageSpec.model_validate({"command": ["true"], "pass_env": pass_env})
    contract = Contract(label="true", outputs=outputs)
    return list(checks.of_stage(spec, contract, Kubeflow(**settings)))
