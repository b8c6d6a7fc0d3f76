"""A table, from its file to a verified package that answers rows: on the sample."""

import json

import pytest

pytest.importorskip("numpy", reason="the extra 'runtime' is not installed")

pytestmark = pytest.mark.slow
HERE = ("stage_packages=[stages]", "usecase=custom_algorithm", "target=rpi4_coral")


def test_the_sample_becomes_a_package_that_answers_rows(project):
    pytest.importorskip("tensorflow", reason="the extra 'train' is not installed")
    state = project.done(*HERE)
    score = state.stages["score"].metrics
    assert score["accuracy"] >= 0.88 and score["chance_margin"] > 0
    assert score["baseline_margin"] > 0 and "baseline_boosting" in score
    assert state.stages["verify"].metrics["agreement"] == 1
    [table] = project.path.rglob("artifacts/table/table/*.csv")
    header, *rows = table.read_text(encoding="utf-8").splitlines()[:6]
    path = project.path / "rows.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    said = project.run("predict", *HERE, f"input={path}", "format=jsonl")
    answers = [json.loads(line) for line in said.stdout.splitlines()]
    assert [one["row"] for one in answers] == [1, 2, 3, 4, 5]
    assert all(one["value"] and 0 < one["score"] <= 1 for one in answers)
