"""Importance by permutation, with a network that the stages before it have trained and quantised."""

import importlib.util
import json

import pytest

from stages.tabular import importance as stage_module
from tests.stages.tabular import made

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return made.write(tmp_path_factory.mktemp("pumps"))


@pytest.fixture(scope="module")
def trained(do, table):
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("the extra 'train' is not installed")
    small = {"members": 4, "hidden": 8, "second": 4, "epochs": 12, "learning_rate": 0.02}
    train = do("stages.tabular.train", {"train": table / "train"}, **small)
    assert train.status == 0, train.log
    inputs = {"model": train.out / "model", "train": table / "train"}
    quantised = do("stages.edge.quantise", inputs, input_type="uint8")
    assert quantised.status == 0, quantised.log
    return {"models": quantised.out / "models", "decision": train.out / "decision"}


@pytest.fixture
def measured(do, table, trained):
    """Run the stage with these parameters, and return its metrics and report."""

    def run(**params):
        done = do("stages.tabular.importance", {"test": table / "test", **trained}, **params)
        assert done.status == 0, done.log
        return done.metrics, json.loads((done.out / "report").read_text()), done.said

    return run


def test_columns_that_decide_the_class_are_important_and_noise_is_not(measured):
    metrics, report, said = measured()
    found = {one["column"]: one for one in report["columns"]}
    assert list(found) == ["a", "colour", "noise"] and metrics == {"columns": 3, "rows": 48}
    assert found["a"]["mean"] > 0.1 and found["colour"]["mean"] > 0.03
    assert abs(found["noise"]["mean"]) < found["colour"]["mean"]
    assert all(one["low"] <= one["mean"] <= one["high"] for one in report["columns"])
    assert (report["figure"], report["repeats"]) == ("auroc", 10)
    assert not [one for one in said if one["event"] == "note"]


def test_the_same_seed_gives_the_same_report(measured):
    reports = [measured(seed=seed, repeats=2)[1] for seed in (0, 0, 1)]
    assert reports[0] == reports[1] != reports[2]


def test_many_columns_are_measured_with_fewer_rows_and_repeats():
    assert stage_module._budget(5, 10, 1000) == (10, 1000)
    assert stage_module._budget(20, 10, 2000) == (10, 500)
    repeats, rows = stage_module._budget(2000, 10, 10_000)
    assert (repeats, rows) == (2, stage_module.FEWEST_ROWS)
