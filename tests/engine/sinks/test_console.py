"""The console: one line for each event that matters, and a terminal that is left as it was found."""

import io
import re
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from engine.events import RunState, replay
from engine.sinks.console import Sink

HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
SIMULATED = {"measured_on": "simulated on x86_64", "platform": "linux/arm64", "emulated": False}


def said(builder, **options) -> list[str]:
    """What the console says of these events, line by line."""
    stream = io.StringIO()
    sink, state = Sink(stream, **{"plain": True, **options}), RunState()
    for event in builder.events:
        sink.show(event, replay([event], state))
    sink.close()
    return stream.getvalue().splitlines()


@pytest.fixture
def terminal(monkeypatch):
    """A stream that says it is a terminal, a hundred columns wide."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LINES", "30")
    monkeypatch.setenv("TERM", "xterm-256color")
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    return stream


def test_a_run_begins_with_what_runs_where(events, make_job):
    events.start([make_job("train")])
    assert said(events) == ["demo on rpi4 (linux/arm64): 1 stage, run 20270115-080000-abcd"]


def test_the_job_of_a_sweep_says_which_it_is_and_what_distinguishes_it(events, make_job):
    sweep = {"id": "x", "job": 2, "jobs": 4, "changes": ["params.epochs=10", "target=rpi4"]}
    command = ["run.py", "params.epochs=10", "params.size=2", "target=rpi4"]
    events.start([make_job("train")], sweep=sweep, command=command)
    first, _, changed = said(events)
    assert (first, changed) == ("job 2 of 4 · epochs=10 target=rpi4", "changed: params.size=2")


def test_a_job_of_a_sweep_without_a_known_end_has_only_a_number(events, make_job):
    events.start([make_job("train")], sweep={"id": "x", "job": 2, "jobs": None, "changes": []})
    assert said(events)[0] == "job 2"


def test_a_stage_says_when_it_starts_and_what_it_measured(events, make_job):
    events.start([make_job("train")]).started("train").finished("train", accuracy=0.98765)
    assert said(events)[1:] == ["train started", "train finished in 3.2 s: accuracy 0.9877"]


def test_a_figure_not_taken_on_the_device_says_so(events, make_job):
    events.start([make_job("bench")]).started("bench", **SIMULATED).finished(
        "bench", latency_ms=4.5
    ).done()
    lines = said(events)
    assert lines[2] == "bench finished in 3.2 s: latency_ms 4.5 (simulated on x86_64)"
    assert lines[4] == "  speed    simulated on x86_64, not measured on the device"


def test_many_cached_stages_are_one_line(events, make_job):
    events.start([make_job(f"s{i}") for i in range(29)])
    for i in range(28):
        events.cached(f"s{i}")
    events.started("s28")
    assert said(events)[1:] == ["28 stages cached", "s28 started"]


def test_few_cached_stages_are_named(events, make_job):
    events.start([make_job("a"), make_job("b")]).cached("a").cached("b")
    assert said(events)[1:] == ["a cached", "b cached"]


def test_the_header_says_what_the_command_line_changed(events, make_job):
    command = ["run.py", "usecase=demo", "outputs=/tmp", "params.epochs=5", "assets.mine=a b"]
    events.start([make_job("train")], command=command)
    assert said(events)[1] == "changed: params.epochs=5 'assets.mine=a b'"


def test_a_stage_with_many_metrics_shows_the_objective_and_counts_the_rest(events, make_job):
    metrics = {f"m{i}": i for i in range(7)}
    events.start([make_job("train")]).started("train").finished("train", **metrics, accuracy=0.5)
    assert said(events)[-1] == (
        "train finished in 3.2 s: accuracy 0.5, m0 0, m1 1, m2 2, m3 3, and 3 more"
    )


def test_a_note_is_printed_once_whichever_stage_repeats_it(events, make_job):
    events.start([make_job("infer"), make_job("benchmark")]).started("infer")
    for stage in ("infer", "benchmark", "infer"):
        events.add("note", stage=stage, text="no Edge TPU found")
    assert said(events)[2:] == ["infer: no Edge TPU found"]


def test_progress_is_a_line_every_half_minute_with_the_time_left(events, make_job):
    events.start([make_job("train")]).started("train")
    for epoch in range(1, 70):
        events.add("progress", stage="train", done=epoch, total=100, message="loss 0.5")
    assert said(events)[2:] == [
        "train: 30 of 100, loss 0.5, 1 min 10 s left",
        "train: 60 of 100, loss 0.5, 40 s left",
    ]


def test_a_retry_says_why_and_when(events, make_job):
    events.start([make_job("train")]).started("train")
    events.failed("train", retry_in_s=5.0, kind="timeout", message="took longer than 30 s").started(
        "train", 2
    )
    assert said(events)[2:] == [
        "train timed out after 2.0 s: took longer than 30 s; attempt 2 in 5.0 s",
        "train started again, attempt 2",
    ]


def test_a_failure_shows_its_log_and_the_command_to_go_on(events, make_job):
    events.start([make_job("train")]).started("train").failed("train")
    assert said(events, run_dir=Path("outputs/runs/demo"))[2:] == [
        "train failed after 2.0 s: exit status 1",
        "  | loading",
        "  | ValueError: no frames",
        "  full log: outputs/runs/demo/logs/train.log",
        "  resume with: python run.py usecase=demo target=rpi4",
    ]


def test_a_failure_does_not_repeat_its_message_from_the_log(events, make_job):
    events.start([make_job("train")]).started("train")
    events.failed("train", message="no clips", log_tail="reading\nerror: no clips\n")
    assert said(events, run_dir=Path("runs"))[2:4] == [
        "train failed after 2.0 s: no clips",
        "  | reading",
    ]


def test_a_journal_of_an_earlier_version_names_the_whole_path_of_a_log(events, make_job):
    events.start([make_job("train")]).started("train").failed(
        "train", log="/old/outputs/run/logs/train.log"
    )
    assert "  full log: /old/outputs/run/logs/train.log" in said(events)


def test_many_skipped_stages_are_one_line(events, make_job):
    events.start([make_job(f"s{i}") for i in range(6)])
    for i in range(1, 6):
        events.add("job_skipped", stage=f"s{i}", because="s0 failed")
    assert said(events)[1:] == ["5 stages skipped: s0 failed"]


def test_a_gate_says_whether_it_was_kept(events, make_job):
    events.start([make_job("evaluate")]).started("evaluate").finished("evaluate")
    events.add("gate", stage="evaluate", metric="accuracy", rule=">= 0.85", value=0.93, passed=True)
    events.add("gate", stage="evaluate", metric="drop", rule="<= 0.01", value=0.02, passed=False)
    events.add(
        "gate",
        stage="evaluate",
        metric="critical",
        rule="<= 0 if measured",
        value=None,
        passed=None,
    )
    assert said(events)[3:] == [
        "evaluate: accuracy 0.93 passes the gate (>= 0.85)",
        "evaluate: drop 0.02 fails the gate (<= 0.01)",
        "evaluate: critical was not measured, so its gate (<= 0 if measured) is not evaluated",
    ]


def test_notes_name_their_stage(events, make_job):
    events.start([make_job("train")]).started("train")
    events.add("note", stage="train", text="no GPU").add("note", stage=None, text="offline")
    assert said(events)[2:] == ["train: no GPU", "note: offline"]


def test_the_last_lines_say_how_it_ended_and_where_the_run_is(events, make_job):
    events.start([make_job("a"), make_job("b")]).cached("a").started("b").finished("b").done()
    assert said(events, run_dir=Path("outputs/runs/abc"))[-2:] == [
        "finished in 42 s: 1 stage ran, 1 cached",
        "  folder   outputs/runs/abc",
    ]


def test_an_interrupted_run_says_how_to_go_on(events, make_job):
    events.start([make_job("a")]).started("a").done("interrupted")
    assert said(events)[-2:] == [
        "interrupted after 42 s: 0 stages ran, 0 cached, 1 did not finish",
        "  resume   python run.py usecase=demo target=rpi4",
    ]


def test_a_stage_that_failed_is_not_counted_among_those_that_ran(events, make_job):
    events.start([make_job("a"), make_job("b")]).started("a").finished("a").started("b")
    assert said(events.failed("b").done("failed"))[-2:] == [
        "failed after 42 s: 1 stage ran, 0 cached, 1 did not finish",
        "  failed   b",
    ]


def test_a_log_cannot_steer_the_terminal(events, make_job):
    events.start([make_job("train")]).started("train").failed(
        "train", log_tail="\x1b]0;owned\x07 <script>\rok"
    )
    assert not [line for line in said(events) if "\x1b" in line or "\x07" in line or "\r" in line]


def test_plain_lines_do_not_import_rich():
    code = "import sys; from engine.sinks.console import Sink; Sink(sys.stdout); print('rich' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_a_stream_that_is_no_terminal_gets_plain_lines(events, make_job):
    events.start([make_job("a")]).started("a").done()
    assert "\x1b" not in "".join(said(events, plain=None))


def test_a_terminal_gets_a_table_and_its_cursor_back(events, make_job, terminal):
    events.start([make_job("train")]).started("train")
    events.add("progress", stage="train", done=3, total=10, message="epoch").finished(
        "train", accuracy=0.9
    ).done()
    sink, state = Sink(terminal, clock=lambda: state.last_time), RunState()
    for event in events.events:
        sink.show(event, replay([event], state))
    shown = terminal.getvalue()
    assert shown.count(HIDE_CURSOR) == shown.count(SHOW_CURSOR) == 1
    assert "accuracy 0.9" in shown
    assert "finished in 42 s: 1 stage ran, 0 cached" in shown.partition(SHOW_CURSOR)[2]


def _shown(events, terminal) -> str:
    sink, state = Sink(terminal, clock=lambda: state.last_time), RunState()
    for event in events.events:
        sink.show(event, replay([event], state))
    sink.close()
    return terminal.getvalue()


def test_a_terminal_shows_progress_with_the_time_left(events, make_job, terminal):
    events.start([make_job("train")]).started("train")
    for epoch in (1, 2):
        events.add("progress", stage="train", done=epoch, total=100, message="loss 0.5")
    shown = _shown(events, terminal)
    assert "2 %, 1 min 38 s left" in shown and "loss 0.5" in shown


def test_a_narrow_terminal_shows_duration_and_progress_but_no_metrics(
    events, make_job, terminal, monkeypatch
):
    monkeypatch.setenv("COLUMNS", "40")
    events.start([make_job("a"), make_job("train")]).started("a").finished("a", accuracy=0.9)
    events.started("train")
    for epoch in (1, 2):
        events.add("progress", stage="train", done=epoch, total=100, message="loss 0.5")
    lines = _shown(events, terminal).splitlines()
    assert any("a " in line and "3.2 s" in line for line in lines)
    assert any("train" in line and "2 %, 1 min 38 s left" in line for line in lines)
    assert not any("accuracy" in line for line in lines)


@pytest.mark.parametrize(("no_color", "is_coloured"), [("1", False), ("", True)])
def test_no_color_is_honoured(events, make_job, terminal, monkeypatch, no_color, is_coloured):
    monkeypatch.setenv("NO_COLOR", no_color)
    events.start([make_job("a")]).started("a").finished("a").done()
    colours = re.findall(r"\x1b\[[\d;]*3\d[\d;]*m", _shown(events, terminal))
    assert bool(colours) == is_coloured


def test_a_terminal_shows_many_cached_stages_as_one_row(events, make_job, terminal):
    events.start([make_job(f"s{i}") for i in range(28)])
    for i in range(28):
        events.cached(f"s{i}")
    sink, state = Sink(terminal, clock=lambda: state.last_time), RunState()
    for event in events.done().events:
        sink.show(event, replay([event], state))
    assert "28 stages cached" in terminal.getvalue()


def test_a_note_with_square_brackets_is_not_read_as_markup(events, make_job, terminal):
    events.start([make_job("a")]).add("note", stage=None, text="[red]shape [1, 17, 3][/red]")
    sink, state = Sink(terminal, clock=lambda: state.last_time), RunState()
    for event in events.events:
        sink.show(event, replay([event], state))
    sink.close()
    assert "[red]shape [1, 17, 3][/red]" in terminal.getvalue()


def test_a_run_cut_short_gives_the_cursor_back(events, make_job, terminal):
    events.start([make_job("a")]).started("a")
    sink, state = Sink(terminal, clock=lambda: state.last_time), RunState()
    for event in events.events:
        sink.show(event, replay([event], state))
    sink.close()
    sink.close()
    assert terminal.getvalue().count(SHOW_CURSOR) == 1


def test_an_error_while_showing_gives_the_cursor_back(events, make_job, terminal):
    events.start([make_job("a")])
    sink, state = Sink(terminal, clock=lambda: state.last_time), replay(events.events)
    sink.show(events.events[0], state)
    with pytest.raises(KeyError):
        sink.show({"event": "job_failed", "stage": "a"}, state)
    assert SHOW_CURSOR in terminal.getvalue()


def test_ctrl_c_gives_the_cursor_back_though_nobody_closes_the_sink(events, make_job):
    event = events.start([make_job("a")]).events[0]
    code = f"""
import sys, time
from engine.events import replay
from engine.sinks.console import Sink
Sink(sys.stdout).show({event!r}, replay([{event!r}]))
print("ready", flush=True)
time.sleep(60)
"""
    child = pexpect.spawn(sys.executable, ["-c", code], encoding="utf-8", timeout=30)
    child.expect("ready")
    child.sendintr()
    child.expect(pexpect.EOF)
    assert SHOW_CURSOR in child.before
