"""An invalid value is reported where it was written."""

import pytest

from engine.errors import UserError
from engine.origin import traced

FILE = """
name: u
task: 2024
defaults: [/pipeline@stages: shared, _self_]
params: {epochs: -1, empty: null, net: {units: 3}}
stages:
  train: {params: {epochs: "${params.epochs}", rate: 2.0, text: "a ${params.epochs}", lost: "${params.no}", empty: "${params.empty}", net: "${params.net}"}}
  refer: {inputs: {models: train.model}}
"""

SHARED = """
pack: {params: {task: '${task}', platform: '${target.platform}'}, inputs: {models: '${stages.refer.inputs.models}'}}
"""
ADDED = "compile: {inputs: {models: '${stages.refer.inputs.models}'}}\n"


@pytest.mark.parametrize(
    ("key", "command", "where"),
    [
        ("stages.train.params.epochs", (), "{file}: params.epochs"),
        ("stages.train.params.epochs", ("params.epochs=-1",), "params.epochs=-1"),
        ("stages.train.params.empty", (), "{file}: params.empty"),
        ("stages.pack.params.task", (), "{file}: task"),
        ("stages.pack.params.task", ("task=5",), "task=5"),
        ("stages.pack.params.platform", (), "{file}: stages.pack.params.platform"),
        ("stages.pack.inputs.models", (), "{file}: stages.refer.inputs.models"),
        ("stages.compile.inputs.models.0", (), "{file}: stages.refer.inputs.models.0"),
        ("stages.train.params.rate", (), "{file}: stages.train.params.rate"),
        ("stages.train.params.rate", ("stages.train.params.rate=2",), "stages.train.params.rate=2"),
        ("stages.train.params.new", ("+stages.train.params.new=2",), "+stages.train.params.new=2"),
        ("stages.train.params.text", (), "{file}: stages.train.params.text"),
        ("stages.train.params.lost", (), "{file}: stages.train.params.lost"),
        ("stages.train.params.lost", ("+params.no=1",), "+params.no=1"),
        ("stages.train.params.net.units", (), "{file}: params.net.units"),
        ("stages.train.params.net.depth", ("params.net.depth=1",), "params.net.depth=1"),
        ("stages.other.params.x", (), "{file}: stages.other.params.x"),
    ],
)
def test_a_mistake_is_at_the_place_where_its_value_was_written(tmp_path, key, command, where):
    file = tmp_path / "u.yaml"
    file.write_text(FILE)
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "pipeline" / "shared.yaml").write_text(SHARED)
    (tmp_path / "accelerator").mkdir()
    (tmp_path / "accelerator" / "own.yaml").write_text(ADDED)
    found = traced(
        UserError(f"{file}: {key}", "what", "fix"), ("python", "run.py", *command), (tmp_path,)
    )
    assert (found.where, found.what, found.fix) == (where.format(file=file), "what", "fix")


def test_a_file_that_cannot_be_read_changes_nothing(tmp_path):
    mistake = UserError(f"{tmp_path}/absent.yaml: stages.a.params.n", "what", "fix")
    assert traced(mistake, (), ()).where == mistake.where
