"""A compiled pipeline as YAML, in the form that the page and the API of Kubeflow Pipelines accept."""

from typing import Any

from engine.errors import UserError
from engine.kubeflow.pipeline import Pipeline
from engine.wording import plural

_HEADER = "# {name}: {count}. Written by RaspberryPi MLOps; upload it, or submit it with kfp.\n"


def written(pipeline: Pipeline) -> str:
    """Return the pipeline as YAML, after kfp has read every message in it.

    Raise UserError if kfp is not installed.
    """
    validate(pipeline)
    parts = [_dumped(pipeline.spec), _dumped(pipeline.platforms)]
    count = plural(len(pipeline.spec["root"]["dag"]["tasks"]), "task")
    return _HEADER.format(name=pipeline.name, count=count) + "---\n".join(parts)


def validate(pipeline: Pipeline) -> None:
    """Parse the specification with kfp's own messages, which accept no unknown key and no wrong type."""
    try:
        from google.protobuf import json_format
        from kfp.pipeline_spec import pipeline_spec_pb2 as messages
    except ImportError:
        what = "the package kfp, which checks pipelines, is not installed"
        fix = "install the extra 'kubeflow': uv sync --inexact --extra kubeflow, or pip install kfp"
        raise UserError("executor=kubeflow", what, fix) from None
    json_format.ParseDict(dict(pipeline.spec), messages.PipelineSpec())
    json_format.ParseDict(dict(pipeline.platforms), messages.PlatformSpec())


def _dumped(value: Any) -> str:
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(value, Dumper=dumper, sort_keys=True, width=1 << 20, allow_unicode=True)
    return text
