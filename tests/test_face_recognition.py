"""Face recognition, from pictures of people to a verified package that names them: on its sample."""

import json

import pytest

pytest.importorskip("numpy", reason="the extra 'runtime' is not installed")

pytestmark = pytest.mark.slow
HERE = ("stage_packages=[stages]", "usecase=face_recognition", "target=x86_64")


def test_the_sample_becomes_a_package_that_names_people(project):
    pytest.importorskip("tensorflow", reason="the extra 'train' is not installed")
    state = project.done(*HERE)
    score = state.stages["score"].metrics
    assert score["eer"] <= 0.05 and score["rank1"] >= 0.9 and score["baseline_margin"] >= 0.2
    assert state.stages["verify"].metrics["agreement"] == 1
    package = project.last / "artifacts/package/package"
    assert not [path for path in package.rglob("*") if path.suffix in (".png", ".jpg", ".pgm")]
    pictures = project.last / "artifacts/people/people/person_00"
    said = project.run("predict", *HERE, f"input={pictures}", "format=jsonl")
    rows = [json.loads(line) for line in said.stdout.splitlines()]
    assert len(rows) == 6 and [row["name"] for row in rows].count("person_00") >= 4
