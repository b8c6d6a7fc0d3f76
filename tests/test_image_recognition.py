"""Image recognition on its sample, from pictures to a verified package that answers."""

import json

import pytest

pytestmark = pytest.mark.slow


def test_the_sample_becomes_a_package_that_names_signs(project):
    pytest.importorskip("tensorflow", reason="the extra 'train' is not installed")
    words = ("stage_packages=[stages]", "usecase=image_recognition", "target=x86_64")
    state = project.done(*words)
    assert state.stages["score"].metrics["accuracy"] >= 0.9
    assert state.stages["verify"].metrics["agreement"] >= 0.9
    pictures = project.last / "artifacts" / "pictures" / "pictures"
    said = project.run("predict", *words, f"input={pictures / 'stop'}", "format=jsonl")
    labels = [json.loads(line)["label"] for line in said.stdout.splitlines()]
    assert labels.count("stop") / len(labels) > 0.8
