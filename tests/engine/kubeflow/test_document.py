"""The written pipeline: checked by kfp's own messages, and refused without kfp."""

import copy
import sys

import pytest
import yaml
from google.protobuf.json_format import ParseError

from engine.errors import UserError
from engine.kubeflow import document
from engine.kubeflow.pipeline import Pipeline

ONE = "  a: {uses: mystages.make}\n"


def test_the_file_has_a_specification_and_what_kubernetes_needs(mine):
    made = mine(ONE)
    text = document.written(made.pipeline)
    assert text.startswith("# mine-x86-64: 1 task. Written by RaspberryPi MLOps")
    assert [*yaml.safe_load_all(text)] == [made.pipeline.spec, made.pipeline.platforms]


def test_a_key_that_kubeflow_does_not_have_is_an_error(mine):
    made = mine(ONE).pipeline
    spec = copy.deepcopy(dict(made.spec))
    spec["root"]["dag"]["tasks"]["a"]["retry"] = 3
    with pytest.raises(ParseError, match="retry"):
        document.written(Pipeline(made.name, spec, made.platforms, made.names, made.keys))


def test_without_kfp_the_message_says_how_to_install_it(mine, monkeypatch):
    made = mine(ONE)
    monkeypatch.setitem(sys.modules, "kfp.pipeline_spec", None)
    with pytest.raises(UserError) as found:
        document.written(made.pipeline)
    assert "uv sync --inexact --extra kubeflow" in found.value.fix


def test_planning_and_compiling_import_neither_kfp_nor_a_client_of_buckets():
    import subprocess

    lines = (
        "import sys; import engine.executors.kubeflow, engine.kubeflow.pipeline, engine.commands.run; "
        "sys.exit(str([n for n in ('kfp', 'fsspec', 's3fs', 'docker') if n in sys.modules]))"
    )
    found = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True)
    assert found.stderr.strip() == "[]"
