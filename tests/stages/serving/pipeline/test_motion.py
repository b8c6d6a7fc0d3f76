"""The motion gate."""

import numpy as np

from stages.serving.pipeline.motion import PASS_S, Gate


def picture(level: int = 100, corner: int = 0) -> np.ndarray:
    """Return a grey picture with noise, and a bright square of this side."""
    noise = np.random.default_rng(level).integers(-6, 7, (240, 320, 3))
    pixels = np.clip(level + noise, 0, 255).astype(np.uint8)
    pixels[:corner, :corner] = 255
    return pixels


def test_noise_does_not_pass_and_movement_does():
    gate = Gate(0.02)
    assert gate.passes(picture(), 0.0)
    assert not gate.passes(picture(101), 0.1)
    assert gate.passes(picture(corner=80), 0.2)
    assert not gate.passes(picture(corner=80), 0.3)
    assert gate.passes(picture(), 0.4)


def test_slow_changes_add_up():
    gate = Gate(0.02)
    passed = [gate.passes(picture(100 + at), at / 100) for at in range(60)]
    assert 2 <= sum(passed) < 10


def test_a_picture_passes_from_time_to_time():
    gate = Gate(0.02)
    passed = [gate.passes(picture(), at / 10) for at in range(100)]
    assert sum(passed) == 1 + int(9.9 / PASS_S)


def test_another_size_passes():
    gate = Gate(0.02)
    assert gate.passes(picture(), 0.0)
    assert gate.passes(picture()[:100], 0.1)


def test_without_a_share_everything_passes():
    assert all(Gate(0.0).passes(picture(), 0.0) for _ in range(3))
