"""When a thread takes its next frame, in a simulation of two threads and one accelerator."""

import heapq
import random

import pytest

from stages.serving.pipeline.pace import Pace


def simulate(prepare_s: float, inference_s: float, jitter: float = 0.1) -> tuple[float, float]:
    """Return the share of the time that the accelerator is busy, and the mean age of frames, in inferences.

    Frames are always fresh when they are taken.
    """
    chance = random.Random(0)
    pace, free_s, busy_s, ages = Pace(), 0.0, 0.0, []
    # What a thread does next: take a frame, or end with one (its own time, and its wait)
    events: list[tuple[float, int, tuple[float, float] | None]] = [(0.0, 0, None), (0.001, 1, None)]
    while len(ages) < 2000:
        now_s, thread, ending = heapq.heappop(events)
        if ending:
            pace.looked(now_s, *ending)
            heapq.heappush(events, (now_s + pace.wait_s(now_s), thread, None))
            continue
        prepared_s = now_s + prepare_s * chance.uniform(1 - jitter, 1 + jitter)
        began_s = max(prepared_s, free_s)
        free_s = began_s + inference_s
        busy_s += inference_s
        ages.append((free_s - now_s) / inference_s)
        ending = (prepared_s - now_s + inference_s, began_s - prepared_s)
        heapq.heappush(events, (free_s, thread, ending))
    return busy_s / free_s, sum(ages[500:]) / len(ages[500:])


@pytest.mark.parametrize(
    ("prepare_ms", "inference_ms"), [(1, 14.8), (1.5, 7), (1.5, 4), (1, 2.3), (3, 4), (0.1, 95)]
)
def test_the_accelerator_is_busy_and_frames_are_fresh(prepare_ms, inference_ms):
    busy, age = simulate(prepare_ms / 1000, inference_ms / 1000)
    assert busy > 0.97
    assert age < 1 + (prepare_ms + 1.2) / inference_ms


def test_a_preparation_that_takes_longer_than_the_inference_is_not_delayed():
    busy, _ = simulate(0.006, 0.004)
    assert busy > 0.6  # two threads prepare in 3 ms per frame
