"""The side of a detector's input, for accelerators that must hold the whole network."""

import pytest

from stages.detection import _input_size

MB = 2**20


@pytest.fixture
def notes(monkeypatch):
    said: list[str] = []
    monkeypatch.setattr(_input_size, "note", said.append)
    return said


@pytest.mark.parametrize(
    ("memory", "side"),
    [(0, 300), (64 * MB, 300), (10 * MB, 300), (9 * MB, 272), (8 * MB, 240), (1, 96)],
)
def test_the_default_is_the_largest_side_that_fits(notes, memory, side):
    assert _input_size.chosen(None, memory) == side
    assert len(notes) == (side < 300)


def test_a_smaller_default_is_said(notes):
    _input_size.chosen(None, 8 * MB)
    assert notes == [
        "the network's input is 240 x 240 pixels, not 300 x 300, to fit into the accelerator's 8 MB"
    ]


@pytest.mark.parametrize(("size", "memory"), [(1024, 0), (272, 8 * MB), (32, 8 * MB)])
def test_a_chosen_size_is_kept(notes, size, memory):
    assert (_input_size.chosen(size, memory), notes) == (size, [])


def test_a_chosen_size_that_hardly_fits_is_kept_and_named(notes):
    assert _input_size.chosen(300, 8 * MB) == 300
    assert notes == [
        "with an input of 300 x 300 pixels, the network probably does not fit into the accelerator's "
        "8 MB: set params.size to 240 or less"
    ]
