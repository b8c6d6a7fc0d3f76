"""Videos made for tests, with any times, rotation, pixel aspect and container."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

SIZE = (48, 64)  # height, width
TICKS = 90_000


def corner_picture(height: int = SIZE[0], width: int = SIZE[1]) -> np.ndarray:
    """A dark picture whose upper left quarter is red and whose lower left quarter is blue."""
    picture = np.full((height, width, 3), 20, np.uint8)
    picture[: height // 2, : width // 2] = (220, 30, 30)
    picture[height // 2 :, : width // 2] = (30, 30, 220)
    return picture


@pytest.fixture
def make_video() -> Callable[..., Path]:
    """Return a function that writes a video with PyAV."""
    av = pytest.importorskip("av", reason="PyAV is not installed")

    def make(
        path: Path,
        times_s: Sequence[float] = (0.0, 0.1, 0.2),
        pictures: Sequence[np.ndarray] | None = None,
        degrees: int = 0,
        mirrored: bool = False,
        aspect: Fraction = Fraction(1),
        codec: str = "mpeg4",
    ) -> Path:
        pictures = pictures or [corner_picture()] * len(times_s)
        with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
            stream = container.add_stream(codec, rate=10)
            stream.height, stream.width = pictures[0].shape[:2]
            stream.pix_fmt, stream.codec_context.qmax = "yuv420p", 4
            stream.codec_context.bit_rate, stream.codec_context.gop_size = 2_000_000, 12
            stream.codec_context.time_base = Fraction(1, 1000)
            stream.codec_context.sample_aspect_ratio = aspect
            if degrees or mirrored:
                stream.set_display_rotation(degrees, hflip=mirrored)
            for picture, time_s in zip(pictures, times_s, strict=True):
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts, frame.time_base = round(time_s * 1000), Fraction(1, 1000)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    return make
