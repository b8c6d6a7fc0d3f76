"""A use case with an unknown task. docs/how-to/add-a-task.md adds a complete domain."""

USECASE = """
defaults:
  - /pipeline@stages: edge_export
  - _self_
task: activty
stages:
  dataset: {uses: stages.pose.dataset, inputs: {keypoints: "asset:keypoints"}}
  train: {uses: stages.pose.train, inputs: {train: dataset.train}}
  score: {uses: stages.pose.score}
assets: {keypoints: keypoints}
"""


def test_a_task_that_is_not_there_is_named_before_anything_runs(project, give):
    (project.path / "keypoints").mkdir()
    (project.path / "conf" / "usecases" / "typo.yaml").write_text(USECASE)
    said = give("plan", "usecase=typo", "stage_packages=[stages]")
    assert said.status == 2
    assert "stages.tasks has no 'activty'\n  did you mean 'activity'?" in said.err
