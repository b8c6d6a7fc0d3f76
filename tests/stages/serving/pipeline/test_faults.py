"""Inference processes and cameras that hang, raise, crash, or answer garbage."""

import os
import signal
import time

import pytest

from engine.stage import StageError

SOON_S = 2.0  # a busy machine answers in this time, too
HUNG, RAISED, CRASHED = "no answer within 2 s", "the Edge TPU's process ended", "SIGSEGV"
WHY = {
    "hang": HUNG,
    "raise": RAISED,
    "segfault": CRASHED,
    "exit": "exit status 3",
    "garbage": "ValueError",
}


@pytest.mark.parametrize("fault", WHY)
def test_a_worker_that_fails_is_started_again(run, fault):
    one = run({"faults": [fault, ""]}, {"fps": 100}, watchdog_s=SOON_S)
    state = one.until(lambda m: m["kind"] == "worker" and m["restarts"] == 1)
    assert WHY[fault] in state["why"]
    one.worker("ready")
    assert one.update()["answer"]["count"] >= 1
    assert one.starts() == ["none", "none"]


def test_a_worker_that_is_stopped_between_two_frames_is_started_again(run):
    """No inference hangs then: the watchdog must also see that frames are not taken."""
    one = run({}, {"fps": 5}, watchdog_s=SOON_S)
    one.update()
    time.sleep(0.05)  # the next frame is due in 0.2 s
    os.kill(one.feed.processes()["inference"], signal.SIGSTOP)
    assert one.until(lambda m: m["kind"] == "worker" and m["restarts"] == 1)["why"] == HUNG
    before = one.worker("ready") and one.update()["frame"]
    assert one.update(after=before)["frame"] > before


def test_a_worker_that_has_nothing_to_do_is_left_alone(run):
    one = run({}, {"fps": 0.4}, watchdog_s=SOON_S)
    one.update(after=one.update()["frame"])
    assert one.starts() == ["none"]


@pytest.mark.parametrize(("fault", "reopen"), [("hang", 1), ("raise", 3), ("segfault", 1)])
def test_the_cpu_takes_over_after_some_failures(run, fault, reopen):
    one = run(
        {"plugged": True, "faults_edgetpu": [fault], "faults_none": [""]},
        {"fps": 100},
        accelerator="edgetpu",
        probe_s=60,
        reopen=reopen,
        watchdog_s=SOON_S,
    )
    state = one.worker("fallback")
    assert (state["accelerator"], state["wanted"]) == ("cpu", "edgetpu")
    assert WHY[fault] in state["why"]
    assert one.starts() == ["edgetpu"] * (1 + reopen) + ["none"]
    assert one.until(lambda m: m["kind"] == "update" and m["accelerator"] == "cpu")


def test_without_an_edge_tpu_the_cpu_answers_and_the_state_says_why(run):
    one = run({}, {"fps": 100}, accelerator="edgetpu")
    assert one.worker("fallback")["why"] == "no Edge TPU is usable: none is connected"
    assert one.update()["accelerator"] == "cpu"


def test_an_edge_tpu_that_comes_back_is_taken_back(run):
    one = run({}, {"fps": 100}, accelerator="edgetpu")
    one.worker("fallback")
    (one.folder / "plugged").touch()
    state = one.worker("ready")
    assert (state["accelerator"], state["why"]) == ("edgetpu", "")
    assert one.until(lambda m: m["kind"] == "update" and m["accelerator"] == "edgetpu")


def test_an_edge_tpu_that_vanishes_and_returns(run):
    one = run(
        {"plugged": True, "faults_edgetpu": ["raise", "raise", "raise", "raise", ""]},
        {"fps": 100},
        accelerator="edgetpu",
    )
    one.worker("ready")
    one.worker("fallback")
    one.worker("ready")
    assert one.until(lambda m: m["kind"] == "update" and m["accelerator"] == "edgetpu")


def test_a_hung_edge_tpu_is_tried_while_the_cpu_answers(run):
    one = run({"faults_edgetpu": ["hang_open"]}, {"fps": 100}, accelerator="edgetpu", open_s=SOON_S)
    one.worker("fallback")
    (one.folder / "plugged").touch()
    before = one.update()["frame"]
    one.update(after=before + 100)
    assert one.starts()[:2] == ["none", "edgetpu"]
    assert {m["accelerator"] for m in one.messages if m["kind"] == "update"} == {"cpu"}


def test_a_crash_loop_ends_and_is_reported_while_pictures_go_on(run):
    one = run({"faults": ["segfault"], "after": 0}, {"fps": 100})
    state = one.worker("failed")
    assert CRASHED in state["why"]
    assert len(one.starts()) == 6
    first = one.picture("camera0").frame
    assert one.picture("camera0").frame > first


def test_pictures_go_on_while_the_worker_hangs(run):
    one = run({"faults": ["hang"]}, {"fps": 100}, watchdog_s=60)
    one.until(lambda m: m["kind"] == "update" and m["answer"]["count"] == 3)
    first = one.picture("camera0").frame
    assert one.picture("camera0").frame > first


def test_a_model_that_cannot_be_opened_is_reported(run):
    one = run({"faults": ["open"]}, {"fps": 100})
    assert one.worker("failed")["why"] == "the model cannot be opened"


def test_frames_that_fail_are_counted(run):
    one = run({"faults": ["raise", ""]}, {"fps": 100})
    one.until(lambda m: m["kind"] == "source" and m["dropped"]["worker"] == 3)


@pytest.mark.parametrize("fault", ["segfault", "raise"])
def test_a_camera_process_that_ends_is_started_again(run, fault):
    one = run({}, {"fps": 100, "fault": fault, "after": 20}, {"fps": 100})
    state = one.until(lambda m: m["kind"] == "source" and m["status"] == "no_signal")
    assert state["source"] == "camera0"
    assert "the camera process" in state["why"]
    one.until(lambda m: m["kind"] == "update" and m["source"] == "camera0")
    failed = one.until(lambda m: m["kind"] == "source" and m["status"] == "failed")
    assert failed["source"] == "camera0"
    assert one.until(lambda m: m["kind"] == "update" and m["source"] == "camera1")


def test_a_camera_process_that_hangs_is_started_again(run):
    one = run({}, {"fps": 100, "fault": "hang", "after": 20}, camera_s=1.0)
    state = one.until(lambda m: m["kind"] == "source" and m["status"] == "no_signal")
    assert state["why"] == "the source did not respond"
    one.until(lambda m: m["kind"] == "update" and m["frame"] < 10)


def test_killed_processes_are_replaced(run):
    one = run({}, {"fps": 200})
    one.worker("ready")
    one.update()
    for _ in range(3):
        for name in ("inference", "camera camera0"):
            pid = one.feed.processes()[name]
            os.kill(pid, signal.SIGKILL)
            while one.feed.processes().get(name, pid) == pid:
                time.sleep(0.01)
            one.feed.messages(0.0)
            assert one.update()


def test_a_stopped_worker_is_replaced(run):
    one = run({"delay_ms": 50}, {"fps": 200}, watchdog_s=SOON_S)
    one.update()
    one.worker("ready")
    os.kill(one.feed.processes()["inference"], signal.SIGSTOP)
    one.until(lambda m: m["kind"] == "worker" and m["restarts"] == 1)
    one.worker("ready")
    assert one.update()


def test_nothing_is_left_behind_after_kills(run):
    before = set(os.listdir("/dev/shm"))
    one = run({}, {"fps": 100})
    one.update()
    one.worker("ready")
    for pid in list(one.feed.processes().values())[1:]:
        os.kill(pid, signal.SIGKILL)
    one.worker("failed")
    assert not {name for name in os.listdir("/dev/shm") if "serving" in name} - before
    assert one.feed.has_ended


def test_a_question_to_a_failed_worker_is_refused(run):
    one = run({"takes": "sentences", "faults": ["open"]})
    one.worker("failed")
    with pytest.raises(StageError, match="the model cannot be opened"):
        one.feed.ask("hello")
