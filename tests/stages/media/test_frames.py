"""The times of frames without timestamps, and reports of lost frames."""

from collections.abc import Iterator

import numpy as np
import pytest

from stages.media.frames import Decoded, Video

BLACK = np.zeros((2, 2, 3), np.uint8)


class Black(Decoded):
    """A black frame."""

    def picture(self) -> np.ndarray:
        return BLACK


class Recorded(Video):
    """Frames at the given times."""

    def __init__(self, times_s: list[float | None], frame_rate: float | None) -> None:
        super().__init__(frame_rate)
        self._times_s = times_s

    def decoded(self) -> Iterator[Decoded]:
        for time_s in self._times_s:
            yield self._next(Black(), time_s)

    def close(self) -> None:
        """Do nothing: nothing is open."""


@pytest.mark.parametrize(
    ("times_s", "expected"),
    [
        ([None, None, None], [0, 0.1, 0.2]),
        ([0, 0.3, None], [0, 0.3, 0.4]),
        ([0, 0.3, 0.2, 0.5], [0, 0.3, 0.4, 0.5]),
    ],
    ids=["no times", "one is missing", "one goes back"],
)
def test_a_frame_without_a_usable_time_follows_the_last(
    times_s: list[float | None], expected: list[float]
) -> None:
    assert [frame.time_s for frame in Recorded(times_s, 10)] == pytest.approx(expected)


@pytest.mark.parametrize("frame_rate", [None, 0, 90_000])
def test_an_impossible_frame_rate_is_not_told(frame_rate: float | None) -> None:
    assert Recorded([], frame_rate).frame_rate is None


def test_faults_count_lost_and_damaged_frames() -> None:
    video = Recorded([0, 0.1, 0.2], 10)
    assert len(list(video)) == 3 and video.faults() == ""
    video.lost, video.damaged = 2, 1
    assert video.faults() == "2 of 5 frames cannot be decoded, 1 decoded with errors"
