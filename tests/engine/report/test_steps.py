"""What the report offers to do next."""

import pytest

from engine.events import replay
from engine.report import steps

SAMPLE = {"key": "data", "name": "toy", "digest": None, "sample": True}


def commands(events, run_dir=None):
    return [step.command for step in steps.of_run(replay(events.events), run_dir)]


def test_a_sample_asks_for_own_data(events, make_job):
    events.start([make_job("train")], assets=[SAMPLE]).started("train").finished("train")
    assert commands(events.done()) == [
        "python run.py usecase=demo target=rpi4 assets.data=FOLDER",
    ]


def test_a_package_can_be_tried_whatever_changed_the_run(events, make_job, tmp_path):
    (tmp_path / "artifacts/pack/package").mkdir(parents=True)
    words = ["run.py", "usecase=demo", "target=rpi4", "outputs=my runs", "params.epochs=5"]
    events.start([make_job("pack")], command=words).started("pack").finished("pack").done()
    assert commands(events, tmp_path) == [
        "python run.py predict usecase=demo target=rpi4 'outputs=my runs' "
        "run=20270115-080000-abcd input=FILE"
    ]


@pytest.mark.parametrize("device", [True, False])
def test_figures_that_stand_for_the_device_ask_for_one(events, make_job, device):
    words = ["run.py", "usecase=demo", "target=rpi4"]
    words += ["target.device=ssh://pi@rpi"] if device else []
    events.start([make_job("bench")], command=words).started(
        "bench", measured_on="simulated on x86_64"
    )
    found = commands(events.finished("bench", latency_ms=1.0).done())
    assert found == ([] if device else [f"python {' '.join(words)} target.device=ssh://USER@HOST"])


@pytest.mark.parametrize("status", ["rejected", "interrupted"])
def test_a_run_without_a_result_is_run_again(events, make_job, status):
    events.start([make_job("train")], assets=[SAMPLE]).started("train").finished("train")
    assert commands(events.done(status)) == ["python run.py usecase=demo target=rpi4"]


def test_a_failed_run_shows_its_way_on_beside_the_failure(events, make_job):
    events.start([make_job("train")]).started("train").failed("train")
    assert commands(events.done("failed")) == []
