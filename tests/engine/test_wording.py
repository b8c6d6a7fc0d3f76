"""How figures, times and places of measurement are worded."""

import pytest

from engine import wording
from engine.events import RunState, StageState


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, ""),
        (0, "0 ms"),
        (0.0123, "12 ms"),
        (0.0999, "100 ms"),
        (0.1, "0.1 s"),
        (3.14159, "3.1 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (10, "10 s"),
        (59.4, "59 s"),
        (59.7, "1 min 00 s"),
        (60, "1 min 00 s"),
        (119.6, "2 min 00 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 00 min"),
        (86400 * 2, "48 h 00 min"),
    ],
)
def test_a_duration_has_at_most_two_units(seconds, said):
    assert wording.duration(seconds) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tracking.uri=http://ann:secret@host/x", "tracking.uri=http://***@host/x"),
        ("postgresql+psycopg2://ann@db", "postgresql+psycopg2://***@db"),
        ("from https://a:b@c to 'https://d:e@f/g'", "from https://***@c to 'https://***@f/g'"),
        ("ann@host, http://host/a@b", "ann@host, http://host/a@b"),
        ("http://ann:p@secret@host/x", "http://***@host/x"),
        ("postgresql://h/db?user=ann&password=secret", "postgresql://h/db?user=ann&password=***"),
        ("http://h/?token=secret&x=1", "http://h/?token=***&x=1"),
        ("target.device=ssh://pi@raspberrypi.local", "target.device=ssh://pi@raspberrypi.local"),
    ],
)
def test_credentials_in_a_uri_are_not_said(text, said):
    assert wording.redact(text) == said


def test_a_moment_is_said_in_utc():
    assert wording.moment(1_800_000_000.9) == "2027-01-15 08:00:00 UTC"


@pytest.mark.parametrize(("count", "said"), [(0, "0 stages"), (1, "1 stage"), (2, "2 stages")])
def test_one_is_not_many(count, said):
    assert wording.plural(count, "stage") == said


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["run.py", "usecase=chain"], "python run.py usecase=chain"),
        (["python", "run.py", "assets.mine=/my data/x"], "python run.py 'assets.mine=/my data/x'"),
        ([], ""),
    ],
)
def test_a_command_can_be_pasted(command, said):
    assert wording.command_line(RunState(start={"command": command})) == said


@pytest.mark.parametrize(
    ("measured_on", "emulated", "stands_in"),
    [
        ("x86_64", False, False),
        ("device", False, False),
        (None, False, False),
        ("simulated on x86_64", False, True),
        ("emulated (qemu)", True, True),
        ("emulated (qemu)", False, True),
        (None, True, True),
    ],
)
def test_a_figure_that_was_not_taken_on_the_device_stands_in_for_it(
    measured_on, emulated, stands_in
):
    assert (
        wording.is_stand_in(StageState("a", measured_on=measured_on, emulated=emulated))
        is stands_in
    )


@pytest.mark.parametrize(
    ("name", "measured_on", "column"),
    [
        ("latency_median_ms", "simulated on x86_64", "latency_median_ms (simulated on x86_64)"),
        ("throughput_per_s", "emulated (qemu)", "throughput_per_s (emulated (qemu))"),
        ("latency_median_ms", "device", "latency_median_ms"),
        ("latency_median_ms", "x86_64", "latency_median_ms"),
        ("accuracy", "simulated on x86_64", "accuracy"),
        ("model_size_bytes", "emulated (qemu)", "model_size_bytes"),
    ],
)
def test_a_figure_of_speed_that_was_not_taken_on_the_device_has_a_column_of_its_own(
    name, measured_on, column
):
    assert wording.figure_name(StageState("a", measured_on=measured_on), name) == column


def test_stages_without_figures_stand_in_for_nothing():
    stages = {
        "a": StageState("a", measured_on="simulated on x86_64", metrics={"ms": 1.0}),
        "b": StageState("b", measured_on="simulated on x86_64"),
    }
    assert wording.stand_ins(RunState(stages=stages)) == {"simulated on x86_64": ["a"]}


def test_every_state_has_a_symbol():
    assert wording.SYMBOLS.keys() == {
        "waiting",
        "running",
        "finished",
        "failed",
        "skipped",
        "rejected",
    }


def test_a_path_is_said_as_one_would_type_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert wording.as_typed(tmp_path / "outputs" / "run") == "outputs/run"
    assert wording.as_typed(tmp_path.parent) == str(tmp_path.parent)


@pytest.mark.parametrize(
    ("value", "short"),
    [
        ("0.39676747423066994", "0.39677"),
        ("-12.3456789", "-12.346"),
        ("0.00012345678e-5", "1.2346e-09"),
        ("0.001", "0.001"),
        ("1e-3", "1e-3"),
        ("20240101", "20240101"),
        ("v1.23456789", "v1.23456789"),
        ("x" * 3000, "x" * 37 + "..."),
    ],
)
def test_a_fraction_with_many_digits_is_rounded_and_a_long_text_cut(value, short):
    assert wording.short_value(value) == short
    assert wording.in_short([f"params.rate={value}"]) == f"rate={short}"
