"""The whole pipeline: frames in, answers and pictures out, in real processes."""

import io
import os
import time

import numpy as np
import pytest
from PIL import Image

from engine.stage import StageError
from tests.stages.serving.events.waiting import wait
from tests.stages.serving.pipeline.conftest import is_running


def pixels(picture) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture.jpeg)).convert("RGB")).astype(int)


def test_frames_are_answered_with_their_number_time_and_size(run):
    one = run({}, {"fps": 50})
    update = one.update(after=5)
    assert update["answer"]["seen"] == update["frame"] % 256
    assert abs(update["time_s"] - time.time()) < 30
    assert update["size"] == [48, 64]
    assert update["age_ms"] >= update["infer_ms"] > 0
    assert update["accelerator"] == "cpu"


def test_the_newest_frame_is_answered_and_the_others_are_counted(run):
    one = run({"delay_ms": 20}, {"fps": 500})
    one.update(after=100)
    state = one.until(lambda m: m["kind"] == "source" and m["answered"] > 5)
    dropped = state["captured"] - state["answered"]
    # Of the difference, one frame may wait and one may be in work.
    assert dropped - 3 <= state["dropped"]["newer"] <= dropped
    ages = [m["age_ms"] for m in one.messages if m["kind"] == "update"]
    assert sorted(ages)[len(ages) // 2] < 3 * 20


def test_several_sources_share_the_worker_fairly(run):
    one = run({"delay_ms": 5}, {"fps": 1000}, {"fps": 1000}, {"fps": 20})
    one.until(lambda m: m["kind"] == "source" and m["answered"] > 60)
    counts = {
        name: sum(m["kind"] == "update" and m["source"] == name for m in one.messages)
        for name in one.feed.summary["sources"]
    }
    assert 0.6 < counts["camera0"] / counts["camera1"] < 1.6
    assert counts["camera2"] > 0


def test_a_task_in_two_phases_is_answered_in_order(run):
    one = run({"delay_ms": 3, "is_phased": True}, {"fps": 1000})
    one.update(after=150)
    updates = [m for m in one.messages if m["kind"] == "update"]
    assert [m["answer"]["count"] for m in updates] == list(range(1, len(updates) + 1))
    assert [m["frame"] for m in updates] == sorted(m["frame"] for m in updates)
    assert all(m["answer"]["seen"] == m["frame"] % 256 for m in updates)


def test_a_new_clip_starts_a_new_state(run):
    one = run({"delay_ms": 0}, {"fps": 100, "clip": 10})
    start = one.update()["frame"]
    one.update(after=start + 45)
    counts = [m["answer"]["count"] for m in one.messages if m["kind"] == "update"]
    assert counts.count(1) >= 4
    assert max(counts) <= 10


def test_a_drawn_picture_shows_the_answer_on_its_own_frame(run):
    one = run({"delay_ms": 5}, {"fps": 100})
    one.update()
    for _ in range(5):
        picture = one.picture("camera0")
        found = pixels(picture)
        assert abs(found[24, 8] - (255, 0, 0)).max() < 30
        assert abs(found[24, 56] - picture.frame % 256).max() < 8


def test_an_answer_that_cannot_be_drawn_leaves_the_picture(run):
    one = run({"draws": False}, {"fps": 100})
    one.update()
    picture = one.picture("camera0")
    assert abs(pixels(picture) - picture.frame % 256).max() < 8


def test_a_plain_picture_has_nothing_drawn_on_it(run):
    one = run({}, {"fps": 100})
    one.update()
    picture = one.picture("camera0", drawn=False)
    assert abs(pixels(picture) - picture.frame % 256).max() < 8


def test_pictures_are_made_only_if_somebody_wants_them(run):
    one = run({}, {"fps": 100})
    one.update(after=20)
    assert one.feed.picture("camera0") is None
    one.picture("camera0")
    one.feed.want("camera0", "test", 0)
    time.sleep(0.2)
    last = one.feed.picture("camera0").frame
    one.update(after=last + 30)
    assert one.feed.picture("camera0").frame == last


def test_a_source_that_has_ended_keeps_its_last_picture_with_its_answer(run):
    one = run({}, {"fps": 100, "count": 8})
    one.update(after=6)
    one.until(lambda m: m["kind"] == "source" and m["status"] == "ended")
    picture = one.picture("camera0")
    assert picture.frame == 7
    assert abs(pixels(picture)[24, 8] - (255, 0, 0)).max() < 30


def test_large_frames_are_reduced(run):
    one = run({}, {"fps": 20, "size": [480, 640]}, frame_pixels=100_000)
    assert one.update()["size"] == [240, 320]


def test_without_motion_frames_are_dropped_and_counted(run):
    one = run({}, {"fps": 100, "moves": False}, motion=0.01)
    state = one.until(lambda m: m["kind"] == "source" and m["dropped"]["motion"] > 30)
    assert state["answered"] <= 2


def test_the_rate_can_be_limited(run):
    one = run({}, {"fps": 200}, fps=20)
    state = one.until(lambda m: m["kind"] == "source" and m["captured"] > 100)
    assert state["answered"] < 30
    assert state["dropped"]["fps"] > 60


def test_a_fast_source_loses_no_frame(run):
    one = run({"delay_ms": 2}, {"fps": 0, "count": 60}, source={"speed": "fast"})
    one.update(after=58)
    assert [m["frame"] for m in one.messages if m["kind"] == "update"] == list(range(60))


def test_sentences_are_answered_and_share_a_conversation(run):
    one = run({"takes": "sentences"})
    assert one.feed.ask("hello", "a") == {"seen": "hello", "count": 1}
    assert one.feed.ask("hello", "a")["count"] == 2
    assert one.feed.ask("hello", "b")["count"] == 1
    assert one.feed.ask("hello")["count"] == 1


def test_an_input_that_is_refused_says_why(run):
    one = run({"takes": "sentences"})
    with pytest.raises(StageError, match="the sentence is refused"):
        one.feed.ask("refuse")
    with pytest.raises(StageError, match="needs a sentence"):
        one.feed.ask({"row": 1})
    assert one.feed.ask("hello")["seen"] == "hello"


def test_a_picture_is_asked_while_a_camera_runs(run):
    one = run({}, {"fps": 200})
    file = io.BytesIO()
    Image.fromarray(np.full((600, 800, 3), 90, np.uint8)).save(file, "BMP")
    assert len(file.getvalue()) > 1_000_000
    answer = one.feed.ask(file.getvalue())
    assert (answer["seen"], answer["detections"]) == (90, [])
    with pytest.raises(StageError):
        one.feed.ask(b"\xff\xd8 nothing")
    assert one.update()


def test_a_long_row_is_answered(run):
    one = run({"takes": "rows"})
    row = {f"column {at}": "x" * 100 for at in range(3000)}
    assert one.feed.ask(row)["seen"] == row


def test_a_question_that_ends_the_worker_is_not_waited_for(run):
    one = run({"takes": "sentences", "faults": ["exit", ""], "after": 1})
    assert one.feed.ask("hello")["seen"] == "hello"
    with pytest.raises(TimeoutError, match="ended before it answered"):
        one.feed.ask("poison", timeout_s=30)
    one.worker("ready")
    assert one.feed.ask("hello")["seen"] == "hello"


def test_a_refused_package_says_why(run):
    with pytest.raises(StageError, match="the package is damaged"):
        run({"refuse": "the package is damaged"})


def test_closing_ends_every_process(run):
    one = run({}, {"fps": 50}, {"fps": 50})
    one.update()
    one.worker("ready")
    wait(lambda: len(one.feed.processes()) == 5)  # told after the worker's state
    pids = [pid for name, pid in one.feed.processes().items() if name != "main"]
    one.feed.close()
    assert not [pid for pid in pids if is_running(pid)]
    with pytest.raises(TimeoutError):
        one.feed.ask(b"x")


def test_an_end_of_the_supervisor_ends_the_others_and_is_reported(run):
    one = run({}, {"fps": 50})
    one.update()
    one.worker("ready")
    pids = {name: pid for name, pid in one.feed.processes().items() if name != "main"}
    os.kill(pids["supervisor"], 9)
    assert "has ended" in one.worker("failed")["why"]
    end_s = time.monotonic() + 20
    while any(is_running(pid) for pid in pids.values()) and time.monotonic() < end_s:
        time.sleep(0.01)
    assert not [pid for pid in pids.values() if is_running(pid)]
