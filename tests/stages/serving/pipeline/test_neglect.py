"""When an idle inference process is found to neglect its frames."""

from stages.serving.pipeline.frames import Reader, Ring, Shot, Writer
from stages.serving.pipeline.neglect import Neglect


def _ring_with_a_frame() -> Ring:
    ring = Ring(16)
    writer = Writer(ring)
    writer.buffer(4, 4)
    writer.publish(Shot((4, 4), 0, 0.0), to_answer=True)
    return ring


def test_a_frame_that_waits_is_neglected_from_the_start_of_the_process_on():
    """The process may be ready before the first look; it was ended at once, with frames waiting."""
    found = Neglect([_ring_with_a_frame()])
    found.begin(9000.0)
    assert found.lasts_s(9000.5, False) == 0.5


def test_a_process_that_takes_frames_or_is_busy_neglects_none():
    ring = _ring_with_a_frame()
    found = Neglect([ring])
    found.begin(1.0)
    assert found.lasts_s(9.0, True) == 0
    assert Reader(ring, 0).take() is not None
    assert found.lasts_s(19.0, False) == 0
