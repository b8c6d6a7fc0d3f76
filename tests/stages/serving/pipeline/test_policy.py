"""What follows a failure of an inference process."""

from hypothesis import given
from hypothesis import strategies as st

from stages.serving.pipeline.policy import LONGEST_PROBE_S, Policy
from stages.serving.pipeline.settings import Settings

EDGE_TPU = Settings(accelerator="edgetpu")


def failed(policy: Policy, times: int, now_s: float = 0.0, every_s: float = 1.0) -> float:
    """Let it fail some times; return the time of the last failure."""
    for at in range(times):
        policy.failed(now_s + at * every_s, "it failed")
    return now_s + (times - 1) * every_s


def test_the_wait_is_doubled_with_each_failure():
    policy = Policy(EDGE_TPU)
    assert [policy.failed(at, "") for at in range(3)] == [0.5, 1.0, 2.0]


def test_the_cpu_takes_over_at_once_after_three_more_attempts():
    policy = Policy(EDGE_TPU)
    failed(policy, 3)
    assert policy.using == "edgetpu"
    assert policy.failed(4, "") == 0.0
    assert (policy.using, policy.has_fallen_back, policy.is_given_up) == ("none", True, False)


def test_failures_long_ago_do_not_count():
    policy = Policy(EDGE_TPU)
    for at in range(20):
        policy.opened(at * 100.0, "edgetpu")
        policy.failed(at * 100.0 + 90, "")
    assert policy.using == "edgetpu"


def test_more_than_five_crashes_in_a_minute_are_given_up():
    policy = Policy(Settings())
    failed(policy, 5)
    assert not policy.is_given_up
    policy.failed(6, "")
    assert policy.is_given_up


def test_slow_crashes_are_not_given_up():
    policy = Policy(Settings())
    failed(policy, 50, every_s=13.0)
    assert not policy.is_given_up


def test_a_process_that_runs_on_the_cpu_instead_has_fallen_back():
    policy = Policy(EDGE_TPU)
    policy.opened(0.0, "none")
    assert policy.has_fallen_back
    assert not policy.wants_probe(5.0, is_present=False)


def test_an_accelerator_that_was_plugged_in_again_is_tried_at_once():
    policy = Policy(EDGE_TPU)
    failed(policy, 4)
    assert not policy.wants_probe(5, is_present=True)
    assert not policy.wants_probe(6, is_present=False)
    assert policy.wants_probe(7, is_present=True)


def test_an_accelerator_that_stays_broken_is_tried_less_and_less_often():
    policy = Policy(EDGE_TPU)
    now_s = failed(policy, 4)
    tries = []
    for at in range(5000):
        if policy.wants_probe(now_s + at, is_present=True):
            tries.append(at)
            policy.probed(now_s + at, works=False)
    assert tries[:4] == [10, 30, 70, 150]
    assert tries[-1] - tries[-2] == LONGEST_PROBE_S


def test_an_accelerator_that_opens_but_fails_again_is_tried_less_often_too():
    policy = Policy(EDGE_TPU)
    now_s, waits = 0.0, []
    for _ in range(3):
        now_s = failed(policy, 4, now_s)
        start_s = now_s
        while not policy.wants_probe(now_s, is_present=True):
            now_s += 1
        waits.append(now_s - start_s)
        policy.probed(now_s, works=True)
        policy.opened(now_s, "edgetpu")
    assert waits == [10, 20, 40]


def test_an_accelerator_that_works_again_is_used():
    policy = Policy(EDGE_TPU)
    failed(policy, 4)
    policy.probed(20, works=True)
    assert (policy.using, policy.failures, policy.is_given_up) == ("edgetpu", 0, False)


@given(st.lists(st.floats(0.1, 100), min_size=1, max_size=60), st.sampled_from(["none", "edgetpu"]))
def test_never_more_than_five_restarts_in_a_minute_on_one_processor(gaps, accelerator):
    policy = Policy(Settings(accelerator=accelerator))
    now_s, starts = 0.0, []
    for gap in gaps:
        now_s += gap
        before = policy.using
        policy.failed(now_s, "")
        if policy.is_given_up:
            break
        starts = [*starts, now_s] if policy.using == before else []
        assert sum(now_s - at <= 60 for at in starts) <= 5
