"""Object detection, from annotated pictures to a verified package that finds objects: on its sample."""

import json

import pytest

pytest.importorskip("numpy", reason="the extra 'runtime' is not installed")

pytestmark = pytest.mark.slow
HERE = ("stage_packages=[stages]", "usecase=object_detection", "target=x86_64")


def test_the_sample_becomes_a_package_that_finds_objects(project):
    pytest.importorskip("tensorflow", reason="the extra 'train' is not installed")
    state = project.done(*HERE)
    assert (
        state.stages["train"].metrics["parameters"] < 100_000
    )  # the small network, without weights
    score = state.stages["score"].metrics
    assert score["map50"] >= 0.7 and score["baseline_margin"] >= 0.5
    assert score["map50_drop"] <= 0.02
    assert state.stages["verify"].metrics["agreement"] >= 0.95
    pictures = project.last / "artifacts/dataset/test/raw"
    said = project.run("predict", *HERE, f"input={pictures}", "format=jsonl")
    rows = [json.loads(line) for line in said.stdout.splitlines()]  # one for each object
    assert {row["label"] for row in rows} == {"ball", "brick", "cone"}
    assert all(row["top"] < row["bottom"] and row["left"] < row["right"] for row in rows)
