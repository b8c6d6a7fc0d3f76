"""A written pipeline as a picture: ours, and one that another program wrote."""

import pytest
import yaml

from engine.errors import UserError
from engine.kubeflow import document, graph

GATED = """
  a: {uses: mystages.make}
  b: {uses: mystages.double, inputs: {number: a.data}, require: {total: ">= 2"}}
  c: {uses: mystages.double, inputs: {number: b.data}}
"""
FOREIGN = """
components: {comp-one: {executorLabel: exec-one}}
deploymentSpec: {executors: {exec-one: {container: {image: 'x/y:z', command: [sh, -c, 'true']}}}}
root: {dag: {tasks: {one: {componentRef: {name: comp-one}}, two: {dependentTasks: [one]}}}}
"""


def test_tasks_gates_and_artifacts_are_drawn(mine, tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text(document.written(mine(GATED).pipeline))
    nodes, edges = graph.of_pipeline(graph.read(path, "p"))
    assert [node.name for node in nodes] == ["a", "b", "b gate", "c"]
    assert nodes[2].lines == ("total >= 2",)
    assert [(one.source, one.target, one.label) for one in edges] == [
        ("a", "b", "data"),
        ("b", "b gate", ""),
        ("b", "c", "data"),
        ("b gate", "c", ""),
    ]


def test_an_import_is_drawn_as_an_asset(mine, project):
    (project.path / "numbers").write_text("3")
    text = "  b: {uses: mystages.double, inputs: {number: 'asset:numbers'}}\n"
    made = mine(f"{text}assets: {{numbers: {project.path}/numbers}}\n")
    nodes, edges = graph.of_pipeline(made.pipeline.spec)
    assert [(node.name, node.is_asset) for node in nodes] == [("b", False), ("asset:numbers", True)]
    assert [(one.source, one.target) for one in edges] == [("asset:numbers", "b")]


def test_the_pipeline_of_another_program_is_drawn_too():
    nodes, edges = graph.of_pipeline(yaml.safe_load(FOREIGN))
    assert [node.name for node in nodes] == ["one", "two"]
    assert [(one.source, one.target) for one in edges] == [("one", "two")]


@pytest.mark.parametrize("text", ["a: 1\n", "[]", "{", "", "root: 3\ncomponents: {}\n", "\0"])
def test_what_is_no_pipeline_is_refused(tmp_path, text):
    path = tmp_path / "p.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match="not a pipeline"):
        graph.read(path, "input=p.yaml")


DAMAGED = [
    "{a: 5}",
    "[a]",
    "{a: {dependentTasks: [b]}, b: {dependentTasks: [a]}}",
    "{a: {dependentTasks: [nothing]}}",
    "{a: {inputs: {artifacts: {x: {taskOutputArtifact: {}}}}}}",
    "{a: {componentRef: {name: c}}}",
]


@pytest.mark.parametrize("tasks", DAMAGED)
def test_damaged_tasks_are_a_mistake_of_the_file(tmp_path, tasks):
    path = tmp_path / "p.yaml"
    step = "[python3, -m, engine.stage.kubeflow, run, '{']"
    path.write_text(
        f"root: {{dag: {{tasks: {tasks}}}}}\ncomponents: {{c: {{executorLabel: e}}}}\n"
        f"deploymentSpec: {{executors: {{e: {{container: {{command: {step}}}}}}}}}\n"
    )
    with pytest.raises(UserError, match="tasks do not have the form"):
        graph.of_file(path, "input=p.yaml")


def test_tasks_that_share_a_name_stay_apart():
    """KFP's `set_display_name` gives any name to any task."""
    tasks = {"one": {"taskInfo": {"name": "same"}},
             "two": {"taskInfo": {"name": "same"}, "dependentTasks": ["one"]},
             "three": {"taskInfo": {"name": "one"}}}  # fmt: skip
    spec = {"root": {"dag": {"tasks": tasks}}, "components": {}, "deploymentSpec": {}}
    nodes, edges = graph.of_pipeline(spec)
    assert [node.name for node in nodes] == ["one", "two", "three"]
    assert [(one.source, one.target) for one in edges] == [("one", "two")]


def test_the_command_draws_it(give, project, mine):
    (project.path / "p.yaml").write_text(document.written(mine(GATED).pipeline))
    lines = give("graph", "input=p.yaml").lines
    assert [" gate" in line for line in lines] == [False, False, True, True]
    assert give("graph", "input=p.yaml", "output=p.svg").lines == ["p.svg"]
