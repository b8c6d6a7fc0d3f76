"""A table, from its file to a verified package that answers rows: on the sample and on real wines."""

import json
import os
from pathlib import Path

import pytest

pytest.importorskip("numpy", reason="the extra 'runtime' is not installed")

pytestmark = pytest.mark.slow
MIRROR = Path(os.environ.get("RPI_MLOPS_MIRROR", Path(__file__).parents[2] / "shared/mirror"))
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


@pytest.mark.mirror
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not MIRROR.is_dir(), reason="RPI_MLOPS_MIRROR names no folder")
@pytest.mark.parametrize(("table", "most"), [("winequality_red", 0.47), ("winequality_white", 0.5)])
def test_grades_of_wines_are_predicted_as_well_as_by_gradient_boosting(project, table, most):
    pytest.importorskip("tensorflow", reason="the extra 'train' is not installed")
    state = project.done(*HERE, f"assets.table={table}", f"mirror={MIRROR}", "until=[score]")
    score = state.stages["score"].metrics
    assert score["mad"] <= most and score["skill_drop_beyond_chance"] <= 0.01
    assert score["mad"] <= score["baseline_boosting"] + 0.01 < score["baseline_median"]
