"""The names of tasks: valid in Kubernetes, different, and not those of KFP's own nodes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.fields import OutputName
from engine.kubeflow import names
from engine.kubeflow.names import METRICS, of_tasks, report_of

STAGES = st.builds(
    "{}{}{}".format,
    st.sampled_from("aAx"),
    st.text("aA_1", max_size=60),
    st.one_of(st.just(""), st.text("aA_1+.-", min_size=1, max_size=60).map("@{}".format)),
)


def test_a_stage_has_the_name_of_its_task():
    found = of_tasks(["train", "infer_all", "train@cnn-0"], ["train"], ["asset:pictures", "a.data"])
    assert found.stages == {
        "train": "train",
        "infer_all": "infer-all",
        "train@cnn-0": "train-cnn-0",
    }
    assert found.gates == {"train": "train-gate"}
    assert found.imports == {
        "asset:pictures": "import-asset-pictures",
        "a.data": "import-a-data",
    }


@given(st.lists(STAGES, unique=True, max_size=20))
def test_names_are_valid_and_different_and_lead_back_to_their_stage(stages):
    found = of_tasks(stages, stages, [f"{stage}.data" for stage in stages])
    made = [*found.stages.values(), *found.gates.values(), *found.imports.values()]
    assert len(set(made)) == len(made)
    assert all(re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name) for name in made)
    assert [found.stage_of(found.stages[stage]) for stage in stages] == stages


@pytest.mark.parametrize("name", ["root", "executor", "train_driver", "Importer"])
def test_a_stage_is_never_taken_for_a_node_of_kubeflow(name):
    task = of_tasks([name]).stages[name]
    assert task not in ("root", "executor", "importer")
    assert not task.endswith("-driver")


@pytest.mark.parametrize(("one", "two"), [("a_b", "a@b"), ("Train", "train"), ("x_gate", "x")])
def test_stages_whose_names_would_be_equal_get_different_ones(one, two):
    found = of_tasks([one, two], [two])
    assert len({*found.stages.values(), *found.gates.values()}) == 3


def test_a_new_stage_does_not_rename_the_others():
    assert of_tasks(["a", "b"]).stages["a"] == of_tasks(["a"]).stages["a"]


@given(st.text("abc_XYZ09", min_size=1, max_size=64))
def test_no_output_of_a_stage_is_called_like_those_that_are_added(output):
    reserved = {METRICS, report_of("0" * 64), "executor-logs", "mlpipeline-metrics"}
    assert output not in reserved


def test_what_makes_an_outputs_name_unlike_those_is_refused_in_a_use_case():
    from pydantic import TypeAdapter, ValidationError

    with pytest.raises(ValidationError, match="is not a valid name of an output"):
        TypeAdapter(OutputName).validate_python(METRICS)


def test_a_pipeline_is_named_after_its_use_case_and_target():
    assert names.of_pipeline("pose_activity", "rpi4_coral") == "pose-activity-rpi4-coral"
