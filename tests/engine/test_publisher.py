"""Publishing a finished job: its outputs are laid out for the user, and its gates are evaluated."""

import pytest

from engine.layout import artifact
from engine.publisher import Publisher, cached, is_rejected
from engine.store import Record


@pytest.fixture
def publisher(bench):
    """Publishes into the folder of a run."""
    return Publisher(bench.store, bench.run_dir)


@pytest.fixture
def made(bench):
    """The job `s` with this rule for its accuracy, and a record of it whose output is in the store."""

    def make(rule: str = ">= 0.8", **metrics: float):
        plan = bench.plan({"s": {"uses": "mystages.free", "require": {"accuracy": rule}}})
        state = bench.run(plan)
        outputs = dict(state.stages["s"].outputs)
        return plan.jobs["s"].job, Record("f" * 64, "s", {}, outputs, metrics)

    return make


def test_each_output_lies_below_artifacts(publisher, made, bench):
    publisher.publish(*made(accuracy=0.9))
    assert (bench.run_dir / "artifacts" / "s" / "data").read_text().startswith("free")


def test_a_file_has_the_suffix_that_its_stage_declares(publisher, bench):
    command = {"command": ["cp", "{inputs.x}", "{outputs.rows}"], "outputs": ["rows.csv"]}
    plan = bench.plan({"a": {"uses": "mystages.free"}, "s": {**command, "inputs": {"x": "a.data"}}})
    outputs = dict(bench.run(plan).stages["s"].outputs)
    publisher.publish(plan.jobs["s"].job, Record("f" * 64, "s", {}, outputs, {}))
    assert outputs.keys() == {"rows"}
    assert artifact(bench.run_dir, "s", "rows") == bench.run_dir / "artifacts" / "s" / "rows.csv"
    assert artifact(bench.run_dir, "s", "rows").is_file()


def test_what_lay_there_is_replaced(publisher, made, bench):
    place = bench.run_dir / "artifacts" / "s" / "data"
    place.mkdir(parents=True)
    (place / "old").touch()
    publisher.publish(*made(accuracy=0.9))
    assert place.is_file()


@pytest.mark.parametrize(
    ("rule", "metrics", "passed", "rejected"),
    [
        (">= 0.8", {"accuracy": 0.9}, True, False),
        (">= 0.8", {"accuracy": 0.7}, False, True),
        (">= 0.8", {}, False, True),
        (">= 0.8 if measured", {}, None, False),
    ],
    ids=["kept", "broken", "not measured", "not measured, and need not be"],
)
def test_a_gate_is_judged_by_its_rule(publisher, made, rule, metrics, passed, rejected):
    [gate] = gates = publisher.publish(*made(rule, **metrics))
    assert (gate["stage"], gate["metric"], gate["rule"], gate["passed"]) == (
        "s",
        "accuracy",
        rule,
        passed,
    )
    assert is_rejected(gates) is rejected


def test_a_cached_stage_says_all_that_the_store_has_of_it():
    record = Record(
        "f" * 64, "s", {}, {"data": "sha256:1"}, {"n": 1.0}, seconds=2.0, measured_on="device"
    )
    event = cached("s", record)
    assert (event["event"], event["stage"]) == ("job_cached", "s")
    known = {key: value for key, value in event.items() if key not in ("event", "stage")}
    assert known == {key: getattr(record, key) for key in known}
