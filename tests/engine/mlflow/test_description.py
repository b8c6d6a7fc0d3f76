"""What a person reads of a run in MLflow. Its page in a real MLflow is in test_mlflow.py."""

import pytest

from engine.events import RunState, replay
from engine.mlflow import description
from engine.run_annotations import Annotations


def start(*command):
    return {"usecase": "pose_activity", "target": "rpi4", "command": ["run.py", *command]}


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["usecase=pose_activity", "outputs=/tmp/x", "until=[train]"], "rpi4 (pose_activity)"),
        (
            ["params.epochs=5", "assets.recordings=yoga"],
            "epochs=5, recordings=yoga on rpi4 (pose_activity)",
        ),
        (["assets.recordings=/home/ann/my videos"], "recordings=my videos on rpi4 (pose_activity)"),
        (
            ["+stages.train.params.lr=0.1"],
            "lr=0.1 on rpi4 (pose_activity)",
        ),
        (["params.url=http://ann:secret@host/"], "url=http://***@host/ on rpi4 (pose_activity)"),
    ],
)
def test_the_name_says_what_was_changed(words, name):
    assert description.run_name(start(*words)) == name


def test_a_name_is_cut_and_valid():
    name = description.run_name(
        start(*(f"params.a{i}={'x' * 99}" for i in range(9)), "params.b=\udcff")
    )
    assert len(name) == 200
    assert name.startswith("a0=xxx") and name.endswith(" ...")
    name.encode()


def ended(events, make_job, status="finished"):
    events.start([make_job("train")], assets=[{"key": "data", "name": "toy", "sample": True}])
    events.started("train", measured_on="simulated on x86_64")
    return events


def test_the_text_begins_with_objective_and_gates_and_states_the_reservations(events, make_job):
    ended(events, make_job).finished("train", accuracy=0.91237)
    for metric, value, passed in (("accuracy", 0.91237, False), ("bias", None, None)):
        events.add("gate", stage="train", metric=metric, rule=">= 1", value=value, passed=passed)
    state = replay(events.done("rejected").events)
    assert description.of_run(state, "#/report", "#/model", "Cached stages: none").split(
        "\n\n"
    ) == [
        "**train.accuracy = 0.9124** · gates: 1 rejected, 1 not evaluated"
        " · [report](#/report) · [model](#/model)",
        "**Sample data** (toy): the figures show that the pipeline works, not how good the model is"
        " on your data.",
        "**Not measured on the device**, but simulated on x86_64: train.",
        "| Gate | Value | Rule | Result |\n"
        "| --- | --- | --- | --- |\n"
        "| train.accuracy | 0.9124 | >= 1 | rejected |\n"
        "| train.bias | – | >= 1 | not evaluated |",
        "Cached stages: none",
        "Run again with `python run.py usecase=demo target=rpi4`",
    ]


def test_the_text_of_a_failed_run_names_the_failure_and_no_model(events, make_job):
    ended(events, make_job).failed("train", message="out of\nmemory `here`")
    state = replay(events.done("failed").events, RunState())
    first, failure, *_ = description.of_run(state, "#/report", None, "").split("\n\n")
    assert first == "[report](#/report)"
    assert failure == "**train failed**: out of memory here"


def test_a_run_with_a_name_is_called_by_it():
    named = {**start("params.epochs=5"), "name": "my-first"}
    assert description.run_name(named) == "my-first on rpi4 (pose_activity)"


def test_the_newest_note_of_people_comes_after_the_headline(events, make_job):
    state = replay(ended(events, make_job).finished("train", accuracy=0.9).done().events)
    added = Annotations([(1.0, "first\nline"), (2.0, "second")])
    words = description.of_run(state, "#/report", None, "", added).split("\n\n")
    assert words[1:3] == ["second", "first line"]
