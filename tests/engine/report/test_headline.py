"""What stands first: how the run ended, the objective, gates and costs."""

import pytest

from engine.events import replay
from engine.report import headline

TARGET = {"measured_on": "simulated on x86_64", "platform": "linux/arm64"}


def scored(events, make_job, passed=True, **metrics):
    """A run whose objective is score.accuracy, with one gate."""
    events.start([make_job("score")], objective="score.accuracy").started("score", **TARGET)
    events.finished("score", **{"accuracy": 0.95, **metrics})
    gate = {"metric": "accuracy", "rule": ">= 0.8", "value": 0.95, "passed": passed}
    return replay(
        events.add("gate", stage="score", **gate).done("finished" if passed else "rejected").events
    )


def test_the_objective_comes_first_with_its_interval_and_gate(events, make_job):
    state = scored(events, make_job, accuracy_low=0.9, accuracy_high=1.0)
    first = headline.tiles(state)[0]
    assert (first.title, first.value, first.tone) == ("Accuracy", "0.950", "good")
    assert first.more == ("95 % CI 0.900–1.000", "gate >= 0.8")
    assert first.stage and first.stage.measured_on == "simulated on x86_64"


def test_an_interval_has_the_digits_that_tell_its_ends_apart(events, make_job):
    ends = {"accuracy_low": 0.99987, "accuracy_high": 0.99994}
    first = headline.tiles(scored(events, make_job, accuracy=0.99991, **ends))[0]
    assert (first.value, first.more[0]) == ("0.99991", "95 % CI 0.99987–0.99994")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([1.0, 0.9026, 1.0], ["1.000", "0.903", "1.000"]),
        ([1.0, 1.0, 1.0], ["1.000"] * 3),
        ([0.1, 0.1 + 1e-9], ["0.100000"] * 2),
    ],
)
def test_values_have_as_many_digits_each(values, words):
    assert headline.together("accuracy", values) == words


def test_an_objective_without_an_interval_claims_none(events, make_job):
    assert headline.tiles(scored(events, make_job))[0].more == ("gate >= 0.8",)


def test_the_objective_stands_beside_the_float_model_and_the_baseline(events, make_job):
    state = scored(events, make_job, float_accuracy=0.96, majority_baseline=0.25, float_loss=1.0)
    more = headline.tiles(state)[0].more
    assert more == ("float model 0.960", "majority baseline 0.250", "gate >= 0.8")


def test_the_verdict_says_how_the_gates_went(events, make_job):
    assert headline.verdict(scored(events, make_job)) == "Finished in 42 s. Its gate passed."


def test_a_rejected_run_names_the_metric_and_the_rule(events, make_job):
    state = scored(events, make_job, passed=False)
    assert (
        headline.verdict(state)
        == "Rejected after 42 s: accuracy is 0.95; its gate requires >= 0.8."
    )
    objective, gates = headline.tiles(state)
    assert objective.tone == gates.tone == "bad"
    assert (gates.value, gates.more) == ("0 of 1", ("failed: accuracy",))


def test_a_failed_run_names_the_stage(events, make_job):
    events.start([make_job("train")]).started("train").failed("train")
    state = replay(events.done("failed").events)
    assert headline.verdict(state) == "Failed in train after 42 s."
    assert headline.tiles(state) == []


def test_a_run_that_goes_on_says_so(events, make_job):
    state = replay(events.start([make_job("train")]).started("train").events)
    assert headline.verdict(state) == "Running."


def test_a_gate_that_was_not_judged_is_not_counted_as_passed(events, make_job):
    events.start([make_job("scan")]).started("scan").finished("scan")
    gate = {"metric": "critical", "rule": "<= 0 if measured", "value": None, "passed": None}
    state = replay(events.add("gate", stage="scan", **gate).done().events)
    (gates,) = headline.tiles(state)
    assert (gates.value, gates.more) == ("0 of 1", ("1 not evaluated",))
    assert headline.verdict(state) == "Finished in 42 s. 0 gates passed, 1 not evaluated."


def test_costs_are_found_by_their_names_whatever_the_stage_is_called(events, make_job):
    events.start([make_job("measure")], objective=None).started("measure", **TARGET)
    events.finished("measure", latency_median_ms=4.5, model_size_bytes=2000.0)
    tiles = headline.tiles(replay(events.done().events))
    assert [(tile.title, tile.value) for tile in tiles] == [
        ("Latency median", "4.5\N{NO-BREAK SPACE}ms"),
        ("Model size", "2\N{NO-BREAK SPACE}kB"),
    ]


def test_the_objective_may_be_the_mean_over_the_values_of_a_foreach(events, make_job):
    jobs = [make_job("score@0", values=2), make_job("score@1", values=2)]
    events.start(jobs, objective="score.accuracy.mean")
    for at in (0, 1):
        events.started(f"score@{at}").finished(f"score@{at}", accuracy=0.5 + at / 4)
    (first,) = headline.tiles(replay(events.done().events))
    assert first.value == "0.625" and first.stage and first.stage.name == "score@0"
    assert (first.title, first.more) == ("Accuracy, mean", ("± 0.177 over 2 values",))
