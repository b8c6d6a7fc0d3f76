"""The command of a pod: nothing that passes it on to the step replaces a part of a value."""

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from engine.kubeflow import components, types

TRICKY = st.text(alphabet="{}$()\\\"'. ainpuths[]é\n", max_size=40)


@given(st.dictionaries(TRICKY, st.one_of(TRICKY, st.lists(TRICKY))))
def test_a_value_arrives_as_it_is_and_shows_no_placeholder(value):
    text = components._argument(value)
    assert json.loads(text) == value
    assert not re.search(r"\{\{|\$\(", text)


def test_a_parameter_with_a_placeholder_of_kubeflow_is_text(mine):
    odd = "{{$}} {{$.outputs.output_file}} {{workflow.name}} $(HOME) $$(HOME)"
    made = mine("  a: {uses: mystages.make, env: {ODD: '" + odd + "'}}\n")
    assert made.job("a")["env"]["ODD"] == odd
    assert "{{" not in made.container("a")["command"][4]


def test_a_parameter_is_passed_once(mine):
    """It is in the job alone: neither a word of the command nor a parameter of the component."""
    made = mine("  a: {uses: mystages.make, params: {n: 717}}\n")
    words = made.container("a")["command"]
    assert made.job("a")["params"] == {"n": 717}
    assert "".join(words).count("717") == 1
    options = {word for word in words if word.startswith("--")}
    assert options == {"--output", "--report", "--metrics", "--executor-input"}
    assert "inputDefinitions" not in made.component("a")


def test_what_a_component_requires_is_set_and_passed_on_once(mine):
    made = mine(
        "  a: {uses: mystages.make}\n  b: {uses: mystages.double, inputs: {number: a.data}}\n"
    )
    for stage in ("a", "b"):
        component, task = made.component(stage), made.task(stage)
        wanted = component.get("inputDefinitions", {"artifacts": {}})
        given = task.get("inputs", {"artifacts": {}})
        assert {kind: {*names} for kind, names in wanted.items()} == {
            kind: {*names} for kind, names in given.items()
        }
        text = " ".join(made.container(stage)["command"])
        read = re.findall(r"\{\{\$\.inputs\.artifacts\['([^']*)'\]\.path\}\}", text)
        written = re.findall(r"\{\{\$\.outputs\.artifacts\['([^']*)'\]\.path\}\}", text)
        assert sorted(read) == sorted(wanted["artifacts"])
        assert sorted(written) == sorted(component["outputDefinitions"]["artifacts"])


def test_outputs_have_the_types_that_kubeflow_shows():
    found = {
        (name, suffix): types.of_output(name, suffix)
        for name, suffix in [("model", ".keras"), ("models", ""), ("report", ".html"), ("train", ""),
                             ("rows", ".csv"), ("report", ".json")]
    }  # fmt: skip
    assert list(found.values()) == [
        "system.Model", "system.Model", "system.HTML", "system.Dataset", "system.Dataset", "system.Artifact"
    ]  # fmt: skip


def test_a_command_keeps_its_placeholders_for_the_step(mine):
    made = mine("  a: {command: [cp, x, '{outputs.rows}'], outputs: [rows.csv]}\n")
    job = made.job("a")
    assert job["invoke"] == {"command": ["cp", "x", "{outputs.rows}"]}
    assert job["outputs"] == {"rows": "rows.csv"}
