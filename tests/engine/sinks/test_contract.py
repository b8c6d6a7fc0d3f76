"""What every sink keeps, each found by its file: it takes any run, passes over what it does not know, and
closes twice.
"""

import copy
import importlib
import io
import json
import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from engine import journal
from engine.events import RunState, replay

ROOT = Path(__file__).resolve().parents[3]
SINKS = sorted(path.stem for path in (ROOT / "engine" / "sinks").glob("[a-z]*.py"))
MARK = "RPI_MLOPS_TEST_SINK"  # in the environment of a sink, and so of every process that it starts
HEAVY = {"mlflow", "tensorflow", "rich", "jinja2", "networkx", "numpy", "pandas"}
AWAY = {"uri": "http://127.0.0.1:9", "experiment": None}
BUILT = {  # a sink's name, then how it is opened for a run's folder
    "console": lambda sink, run_dir: sink(io.StringIO(), plain=True, run_dir=run_dir),
    "console table": lambda sink, run_dir: sink(io.StringIO(), plain=False, run_dir=run_dir),
    "mlflow": lambda sink, run_dir: sink(run_dir, run_dir.parents[2], AWAY),
    "report": lambda sink, run_dir: sink(run_dir),
}
ENDINGS = [
    "finished",
    "failed",
    "rejected",
    "interrupted",
    "cached",
    "retried",
    "without the gate's metric",
    "not evaluated",
]


@pytest.fixture
def runs(events, make_job):
    """A run of each ending, as its list of events."""
    jobs = [
        make_job("make"),
        make_job("train", {"data": "make.out"}),
        make_job("test", {"model": "train.out"}, runs_on="target"),
    ]

    def begun():
        events.events = []
        return events.start(jobs).add("note", text="a sample", stage=None)

    def made():
        begun().started("make").add(
            "progress", stage="make", done=1, total=2, message="half"
        ).finished("make", rows=7.0)
        return events.started("train").add("metric", stage="train", name="loss", value=0.5, step=0)

    def tested(value, passed):
        made().finished("train", accuracy=0.9).started("test", measured_on="simulated on x86_64")
        events.add(
            "figure",
            stage="test",
            kind="confusion_matrix",
            name="int8",
            labels=["cat", "dog"],
            matrix=[[7, 1], [0, 9]],
        )
        events.add("note", text="measured", stage="test").finished(
            "test", **({} if value is None else {"accuracy": value})
        )
        return events.add(
            "gate", stage="test", metric="accuracy", rule=">= 0.8", value=value, passed=passed
        )

    skipped = {"event": "job_skipped", "stage": "test"}
    return {
        "finished": tested(0.9, True).done().events,
        "rejected": tested(0.5, False).done("rejected").events,
        "without the gate's metric": tested(None, False).done("rejected").events,
        "not evaluated": tested(None, None).done().events,
        "failed": made()
        .failed("train")
        .add(**skipped, because="train failed")
        .done("failed")
        .events,
        "interrupted": made()
        .failed("train", kind="killed")
        .add(**skipped, because="the run was interrupted")
        .done("interrupted")
        .events,
        "cached": begun()
        .cached("make")
        .cached("train", points=[["loss", 0, 0.5, 1.0]])
        .cached("test", notes=["old"])
        .done()
        .events,
        "retried": made()
        .failed("train", retry_in_s=1.0)
        .started("train", attempt=2)
        .finished("train")
        .finished("test")
        .done()
        .events,
    }


@pytest.fixture(params=BUILT)
def sink(request, tmp_path, monkeypatch):
    """Each sink in turn, open for a run whose folder is there.

    The processes that it starts end with the test.
    """
    mark = uuid.uuid4().hex
    monkeypatch.setenv(MARK, mark)
    run_dir = tmp_path / "outputs" / "demo" / "rpi4" / "20270115-080000-abcd"
    run_dir.mkdir(parents=True)
    (run_dir / journal.FILE_NAME).touch()
    opened = BUILT[request.param](
        importlib.import_module(f"engine.sinks.{request.param.split()[0]}").Sink, run_dir
    )
    yield opened
    opened.close()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if int(pid) != os.getpid() and f"{MARK}={mark}".encode() in Path(
                f"/proc/{pid}/environ"
            ).read_bytes().split(b"\0"):
                os.kill(int(pid), signal.SIGKILL)
        except OSError:
            continue


def _show(sink, events) -> RunState:
    state = RunState()
    for event in events:
        replay([event], state)
        sink.show(event, state)
    return state


def test_every_sink_says_here_how_it_is_opened():
    assert sorted({name.split()[0] for name in BUILT}) == SINKS


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_sink_takes_a_run_of_every_ending(sink, runs, ending):
    state = _show(sink, runs[ending])
    sink.close()
    assert state.status == {
        "cached": "finished",
        "retried": "finished",
        "without the gate's metric": "rejected",
        "not evaluated": "finished",
    }.get(ending, ending)


def test_a_sink_passes_over_events_that_it_does_not_know(sink, runs):
    strange = [{**event, "event": "weather", "stage": "nowhere"} for event in runs["finished"]]
    woven = [event for pair in zip(runs["finished"], strange, strict=True) for event in pair]
    assert _show(sink, woven).status == "finished"


def test_a_sink_passes_over_fields_that_it_does_not_know(sink, runs):
    fuller = json.loads(
        json.dumps([{**event, "weather": {"rain": [1, None]}} for event in runs["finished"]])
    )
    fuller[0]["jobs"][0]["weather"] = "fair"
    assert _show(sink, fuller).status == "finished"


def test_a_sink_changes_neither_the_event_nor_the_state(sink, runs):
    state = replay(runs["rejected"][:-1])
    last = copy.deepcopy(runs["rejected"][-1])
    replay([last], state)
    before = copy.deepcopy((last, state))
    sink.show(last, state)
    assert (last, state) == before


def test_closing_twice_is_harmless(sink, runs):
    _show(sink, runs["finished"])
    sink.close()
    sink.close()


@pytest.mark.parametrize("shown", [0, 1, 5])
def test_a_run_that_breaks_off_can_be_closed(sink, runs, shown):
    _show(sink, runs["finished"][:shown])
    sink.close()


@pytest.mark.parametrize("name", SINKS)
def test_nothing_heavy_comes_with_a_sink(name):
    code = f"import sys, engine.sinks.{name}; print(sorted({HEAVY!r} & sys.modules.keys()))"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout == "[]\n"
