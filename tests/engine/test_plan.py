"""The plan: which jobs are cached, which wait, and why a job runs."""

from dataclasses import replace

import pytest

from engine.plan import describe, settle
from tests.engine.conftest import fails
from tests.strategies import stages

CHAIN = {"a": [], "b": ["a"], "c": ["b"]}


def _reasons(plan) -> dict[str, str]:
    return {name: planned.reason for name, planned in plan.jobs.items()}


def test_on_an_empty_store_the_first_stage_runs_and_the_others_wait_for_it(bench):
    plan = bench.plan(stages(CHAIN))
    assert _reasons(plan) == {"a": "not in the store", "b": "waits for a", "c": "waits for b"}
    assert [planned.fingerprint is None for planned in plan.jobs.values()] == [False, True, True]


def test_after_a_run_every_job_is_in_the_store(bench):
    bench.run(stages(CHAIN))
    plan = bench.plan(stages(CHAIN))
    assert set(_reasons(plan).values()) == {"in the store"}
    assert all(planned.record for planned in plan.jobs.values())


def test_what_was_made_before_a_failure_is_in_the_store(bench):
    bench.executor.does["b"] = fails
    bench.run(stages(CHAIN))
    assert _reasons(bench.plan(stages(CHAIN))) == {
        "a": "in the store",
        "b": "not in the store",
        "c": "waits for b",
    }


@pytest.mark.parametrize(
    "harm",
    [
        lambda place: place.unlink(),
        lambda place: (place.chmod(0o644), place.write_text("rotten")),
    ],
    ids=["gone", "damaged"],
)
def test_a_job_whose_artifact_is_no_more_what_it_was_runs_again_and_says_why(bench, harm):
    state = bench.run(stages(CHAIN))
    harm(bench.store.path(state.stages["b"].outputs["data"]))
    assert _reasons(bench.plan(stages(CHAIN))) == {
        "a": "in the store",
        "b": "its artifact in the store is damaged or missing",
        "c": "waits for b",
    }


def test_the_jobs_stand_in_an_order_that_may_be_run(bench):
    assert list(bench.plan(stages({"c": ["b"], "b": ["a"], "a": []})).jobs) == ["a", "b", "c"]


def test_a_stages_description_is_the_whole_first_paragraph(bench):
    plan = bench.plan(stages({"a": []}))
    planned = plan.jobs["a"]
    contract = replace(planned.job.contract, doc="Make a\nfrom b.\n\nMore of it.")
    job = replace(planned.job, contract=contract)
    (described,) = describe(replace(plan, jobs={"a": replace(planned, job=job)}))
    assert described["doc"] == "Make a from b."


def test_planning_starts_nothing_and_writes_nothing(bench):
    bench.plan(stages(CHAIN))
    assert bench.executor.launched == [] and not bench.store.root.exists()


def test_a_job_needs_each_stage_once(bench):
    twice = stages({"a": []}) | {
        "b": {
            "command": ["make", "{outputs.data}"],
            "outputs": ["data"],
            "inputs": {"x": "a.data", "y": "a.data"},
        }
    }
    assert bench.plan(twice).jobs["b"].job.needs == ["a"]


def test_an_asset_counts_by_its_bytes_and_not_by_its_path(bench, tmp_path):
    reading = {
        "a": {
            "command": ["make", "{outputs.data}"],
            "outputs": ["data"],
            "inputs": {"x": "asset:mine"},
        }
    }
    prints = []
    for name, text in (("one", "same"), ("two", "same"), ("three", "other")):
        (tmp_path / name).write_text(text)
        prints.append(bench.plan(reading, {"mine": tmp_path / name}).jobs["a"].fingerprint)
    assert prints[0] == prints[1] != prints[2]


def test_one_input_more_is_another_fingerprint(bench, tmp_path):
    (tmp_path / "mine").write_text("x")
    with_input = {
        "a": {
            "command": ["make", "{outputs.data}"],
            "outputs": ["data"],
            "inputs": {"x": "asset:mine"},
        }
    }
    without = {"a": {"command": ["make", "{outputs.data}"], "outputs": ["data"]}}
    prints = {
        bench.plan(keys, {"mine": tmp_path / "mine"}).jobs["a"].fingerprint
        for keys in (with_input, without)
    }
    assert len(prints) == 2


@pytest.mark.parametrize(
    "keys",
    [
        {"params": {"n": 2}},
        {"env": {"COLOUR": "red"}},
        {"pass_env": ["COLOUR"]},
        {"outputs": ["data", "more"]},
        {"command": ["made", "{outputs.data}"]},
    ],
    ids=["parameter", "environment", "passed", "outputs", "command"],
)
def test_what_a_command_depends_on_changes_its_fingerprint(bench, keys):
    plain = {"command": ["make", "{outputs.data}"], "outputs": ["data"]}
    assert (
        bench.plan({"a": plain}).jobs["a"].fingerprint
        != bench.plan({"a": plain | keys}).jobs["a"].fingerprint
    )


def test_the_value_of_a_passed_variable_is_no_part_of_a_fingerprint(bench, monkeypatch):
    keys = {"command": ["make", "{outputs.data}"], "outputs": ["data"], "pass_env": ["TOKEN"]}
    prints, parts = set(), []
    for value in ("first", "second"):
        monkeypatch.setenv("TOKEN", value)
        planned = bench.plan({"a": keys}).jobs["a"]
        prints.add(planned.fingerprint)
        parts.append(str(planned.parts))
    assert len(prints) == 1 and "first" not in parts[0] and "second" not in parts[1]


@pytest.mark.parametrize(
    "keys",
    [
        {"retries": 3},
        {"timeout": "1h"},
        {"retry_delay": "9s"},
        {"resources": {"cpus": 4, "memory": "1G"}},
    ],
    ids=lambda keys: next(iter(keys)),
)
def test_how_a_stage_is_driven_does_not_change_its_fingerprint(bench, keys):
    plain = {"command": ["make", "{outputs.data}"], "outputs": ["data"]}
    assert (
        bench.plan({"a": plain}).jobs["a"].fingerprint
        == bench.plan({"a": plain | keys}).jobs["a"].fingerprint
    )


def test_a_gate_does_not_change_a_fingerprint(bench):
    plain = {"uses": "mystages.free"}
    prints = {
        bench.plan({"a": plain | keys}).jobs["a"].fingerprint
        for keys in ({}, {"require": {"x": "> 1"}})
    }
    assert len(prints) == 1


def test_the_name_of_a_stage_does_not_change_its_fingerprint(bench):
    plain = {"command": ["make", "{outputs.data}"], "outputs": ["data"]}
    plan = bench.plan({"a": plain, "b": plain})
    assert plan.jobs["a"].fingerprint == plan.jobs["b"].fingerprint


@pytest.mark.parametrize(("runs_on", "same"), [("target", False), ("build", True)])
def test_a_figure_of_a_target_is_not_taken_from_the_store_where_it_was_taken_elsewhere(
    bench, runs_on, same
):
    plan = bench.plan(
        {"a": {"command": ["make", "{outputs.data}"], "outputs": ["data"], "runs_on": runs_on}}
    )
    job = plan.jobs["a"].job
    prints = {
        settle(
            replace(job, placement=replace(job.placement, measured_on=measured_on)),
            {},
            {},
            bench.store,
        ).fingerprint
        for measured_on in ("device", "emulated (qemu)", "x86_64")
    }
    assert (len(prints) == 1) is same
