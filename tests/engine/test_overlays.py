"""What a target's accelerator adds to a pipeline: conf/accelerator/NAME.yaml, composed before the use case."""

import json

import pytest

from engine import compose, recall, registration
from engine.errors import UserError

PIPELINE = """
defaults:
  - _self_
  - /accelerator@_here_: ${target}
make:
  uses: mystages.make
  params: {n: 1}
"""
USECASE = """
defaults:
  - /pipeline@stages: shared
  - _self_
stages: %s
"""
ADDED = """
make:
  params: {n: 2}
added:
  when: {accelerator: gpu}
  uses: mystages.double
  inputs: {number: "${stages.other.inputs.number}"}
other:
  uses: mystages.double
  inputs: {number: make.data}
"""


@pytest.fixture
def stages(project):
    """Return the stages of a use case with a shared pipeline, for these words."""
    conf = project.path / "conf"
    for name in ("pipeline", "accelerator", "target"):
        (conf / name).mkdir(exist_ok=True)
    (conf / "pipeline" / "shared.yaml").write_text(PIPELINE)
    (conf / "accelerator" / "gpu.yaml").write_text(ADDED)
    (conf / "target" / "mine.yaml").write_text(
        "name: mine\nplatform: linux/amd64\naccelerator: gpu\n"
    )

    def composed(*words: str, own: str = "{}") -> dict[str, dict[str, object]]:
        project.usecase("shares", USECASE % own)
        line = registration.register(["--config-dir", str(conf), "usecase=shares", *words])
        made = compose.single(line).usecase.stages
        return {name: dict(stage.params) | dict(stage.inputs) for name, stage in made.items()}

    return composed


def test_the_accelerator_of_the_target_adds_and_changes_stages(stages):
    assert stages("target=mine") == {
        "make": {"n": 2},
        "added": {"number": "make.data"},
        "other": {"number": "make.data"},
    }


def test_a_target_without_accelerator_has_only_the_pipelines_stages(stages):
    assert stages("target=x86_64") == {"make": {"n": 1}}


def test_the_use_case_has_the_last_word(stages):
    assert stages("target=mine", own="{make: {params: {n: 3}}}")["make"] == {"n": 3}


def test_the_command_line_can_set_the_keys_of_an_added_stage(stages):
    found = stages("target=mine", "stages.other.inputs.number=added.data")
    assert found["other"] == {"number": "added.data"}


@pytest.mark.parametrize("word", ["target.accelerator=gpu", "++target.accelerator=gpu"])
def test_an_accelerator_that_is_given_as_a_value_adds_its_stages(stages, word):
    assert set(stages("target=x86_64", word)) == {"make", "added", "other"}


def test_without_the_targets_accelerator_its_stages_are_only_left_out(stages):
    assert set(stages("target=mine", "target.accelerator=none")) == {"make", "added", "other"}


ONE_MORE = """
extra:
  when: {accelerator: gpu}
  uses: mystages.double
  inputs: {number: make.data}
more:
  when: {accelerator: gpu}
  uses: mystages.double
  inputs: {number: extra.data}
make:
  params: {n: 2}
"""


@pytest.mark.parametrize("own", ["{more: {timeout: 9}}", "{extra: {timeout: 9}}"])
def test_a_use_case_that_sets_a_key_of_an_accelerators_stage_composes_for_every_target(
    stages, project, own
):
    (project.path / "conf" / "accelerator" / "gpu.yaml").write_text(ONE_MORE)
    assert set(stages("target=x86_64", own=own)) == {"make", "extra", "more"}
    assert stages("target=x86_64", own=own)["make"] == {"n": 1}
    assert set(stages("target=x86_64")) == {"make"}


def test_the_targets_own_accelerator_has_precedence_over_others(stages, project):
    (project.path / "conf" / "accelerator" / "npu.yaml").write_text(
        ONE_MORE.replace("gpu", "edgetpu")
    )
    (project.path / "conf" / "accelerator" / "gpu.yaml").write_text(
        ONE_MORE.replace("more", "made")
    )
    own = "{extra: {timeout: 9}}"
    assert set(stages("target=mine", own=own)) == {"make", "extra", "made"}
    assert set(stages("target=mine", own="{more: {timeout: 9}}")) == {
        "make",
        "extra",
        "made",
        "more",
    }


def test_two_accelerators_cannot_be_compared_by_a_value(stages, project):
    (project.path / "conf" / "accelerator" / "npu.yaml").write_text("{}\n")
    assert set(stages("target=x86_64", "target.accelerator=gpu"))
    with pytest.raises(UserError) as error:
        stages("target=x86_64", "target.accelerator=none,npu,gpu")
    assert error.value.where == "target.accelerator=none,npu,gpu"
    assert "npu and gpu" in error.value.what and "target=NAME,NAME" in error.value.fix


def test_a_changed_file_of_an_accelerator_is_not_recalled(stages, project):
    stages("target=mine")
    where = ["--config-dir", str(project.path / "conf"), "usecase=shares", "target=mine"]
    before = recall.entry_of(registration.read(where))
    (project.path / "conf" / "accelerator" / "gpu.yaml").write_text("make: {params: {n: 5}}\n")
    after = recall.entry_of(registration.read(where))
    assert before is not None and after is not None and before != after
    assert json.dumps(stages("target=mine")) == '{"make": {"n": 5}}'
