"""Equal frames are found by a digest of some of their rows."""

import numpy as np

from stages.serving.reading.frozen import FreezeDetector

FRAME = np.random.default_rng(0).integers(17, 255, (240, 320, 3), np.uint8)


def test_equal_frames_are_timed_from_the_first():
    detector = FreezeDetector()
    assert [detector.unchanged_s(FRAME.copy(), at) for at in (10, 12, 15)] == [0, 2, 5]


def test_the_noise_of_a_camera_is_a_change():
    detector, noise = FreezeDetector(), np.random.default_rng(1)
    for at in range(50):
        noisy = FRAME + noise.integers(0, 2, FRAME.shape, np.uint8)
        assert detector.unchanged_s(noisy, at) == 0


def test_another_size_is_a_change():
    detector, grey = FreezeDetector(), np.full((8, 8, 3), 99, np.uint8)
    assert [detector.unchanged_s(frame, at) for at, frame in enumerate([grey, grey[:, :4]])] == [
        0,
        0,
    ]


def test_black_is_seen():
    detector = FreezeDetector()
    detector.unchanged_s(np.full_like(FRAME, 16), 0)
    assert detector.is_black
    detector.unchanged_s(FRAME, 1)
    assert not detector.is_black
