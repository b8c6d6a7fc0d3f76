"""What a run says about its job: objectives with intervals, gates, and why it failed."""

from engine.events import replay
from engine.sweeps import result
from tests.run_events import EventBuilder, job

SIMULATED = {"measured_on": "simulated on x86_64", "platform": "linux/arm64", "emulated": False}
UP = {"objectives": {"train.accuracy": "maximise"}}


def facts(builder: EventBuilder) -> dict:
    return result.of(replay(builder.events))


def test_an_objective_has_its_value_and_its_interval():
    events = EventBuilder().start([job("train")], **UP).started("train")
    events.finished("train", accuracy=0.9, accuracy_low=0.8, accuracy_high=0.95).done()
    found = facts(events)
    assert found["status"] == "finished"
    assert found["directions"] == {"train.accuracy": "maximise"}
    assert found["values"] == {"train.accuracy": 0.9}
    assert found["intervals"] == {"train.accuracy": [0.8, 0.95]}
    assert found["measured_on"] == {}


def test_a_mean_over_a_foreach_has_its_spread_as_interval():
    jobs = [job("train@0", values=2), job("train@1", values=2)]
    events = EventBuilder().start(jobs, objectives={"train.accuracy.mean": "maximise"})
    for stage, value in (("train@0", 0.8), ("train@1", 0.9)):
        events.started(stage).finished(stage, accuracy=value)
    low, high = facts(events.done())["intervals"]["train.accuracy.mean"]
    assert (round(low, 4), round(high, 4)) == (0.7793, 0.9207)  # 0.85 -+ 0.0707


def test_it_says_where_a_speed_was_measured_if_not_on_the_device():
    events = EventBuilder().start([job("bench")], objectives={"bench.latency_ms": "minimise"})
    events.started("bench", **SIMULATED).finished("bench", latency_ms=4.5).done()
    assert facts(events)["measured_on"] == {"bench.latency_ms": "simulated on x86_64"}


def test_gates_are_counted_unless_they_were_not_evaluated():
    events = (
        EventBuilder().start([job("train")], **UP).started("train").finished("train", accuracy=1)
    )
    for passed in (True, False, None):
        events.add("gate", stage="train", metric="x", rule="> 0", value=1.0, passed=passed)
    found = facts(events.done("rejected"))
    assert (found["gates_passed"], found["gates"]) == (1, 2)


def test_a_failed_run_says_which_stage_failed_and_why():
    events = EventBuilder().start([job("train")], **UP).started("train")
    found = facts(events.failed("train", message="no pictures").done("failed"))
    assert (found["message"], found["values"]) == ("train: no pictures", {})


def test_the_rule_for_the_best_job_is_kept():
    rule = {"prefer": "train.accuracy", "limits": {"train.accuracy": ">= 0.5"}}
    found = facts(EventBuilder().start([job("train")], **UP, best=rule).done())
    assert {key: found[key] for key in rule} == rule
