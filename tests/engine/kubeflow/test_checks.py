"""What a cluster cannot run is found before anything is written, pushed or uploaded."""

import pytest

from engine.kubeflow import checks, components
from engine.settings import Kubeflow


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
    assert _of_settings(data_root="s3://b/p", registry="localhost:5000/p") == []


def test_parameters_that_no_command_line_holds_are_refused(mine):
    made = mine(f"  a: {{uses: mystages.make, env: {{LONG: {'x' * components.MOST_BYTES}}}}}\n")
    [mistake] = checks.of_pipeline(made.pipeline, "u.yaml")
    assert mistake.where == "u.yaml: stages.a.params"
    assert "bytes" in mistake.what


def test_ordinary_parameters_fit(mine):
    made = mine("  a: {uses: mystages.make, params: {n: 7}}\n")
    assert list(checks.of_pipeline(made.pipeline, "u.yaml")) == []


@pytest.mark.parametrize(
    "output", ["mlpipeline_metrics", "mlpipeline_ui_metadata.json", "MLPipeline_UI_metadata"]
)
def test_an_output_that_kubeflow_would_not_show_by_its_name_is_refused(mine, output):
    """KFP 1 reserved `mlpipeline-metrics`: an output named otherwise was never shown, without a word."""
    name = output.partition(".")[0]
    made = mine(f"  a: {{command: [touch, '{{outputs.{name}}}'], outputs: [{output}]}}\n")
    settings = made.request.settings.kubeflow
    [mistake] = checks.of_plan(made.plan, settings, made.plan.jobs, "u.yaml")
    assert mistake.where == f"u.yaml: stages.a.outputs.{name}"
    assert "does not show" in mistake.what


def test_an_output_with_metrics_in_its_name_is_an_ordinary_one(mine):
    made = mine("  a: {command: [touch, '{outputs.metrics}'], outputs: [metrics]}\n")
    assert not [*checks.of_plan(made.plan, made.request.settings.kubeflow, made.plan.jobs, "u")]
