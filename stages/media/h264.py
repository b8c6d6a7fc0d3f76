"""Encodes H.264 with the encoder of PyAV's wheels, x264.

x264 is under the GPL: users install it with PyAV, and it is not part of this project.
"""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np

from stages.media.frames import Frame

try:  # tells planning that PyAV is optional
    import av
    from av.video.reformatter import ColorRange, Colorspace
except ImportError:
    raise
if "libx264" not in av.codecs_available:
    raise ImportError("this PyAV has no H.264 encoder")

_TICKS = 90_000  # per second, as in MPEG streams: exact for all usual frame rates
# without B frames, which make the file's duration too short at variable frame rates
_QUALITY = {"preset": "veryfast", "crf": "20", "bf": "0"}


def write_h264(path: Path, frames: "Iterable[Frame]", frame_rate: float) -> None:
    """Write RGB frames of one even size, each at its own time, with the index at the beginning."""
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = None
        for picture, time_s in frames:
            if stream is None:
                rate = Fraction(frame_rate).limit_denominator(1001)
                stream = container.add_stream("libx264", rate=rate, options=_QUALITY)
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.codec_context.time_base = Fraction(1, _TICKS)
                stream.codec_context.colorspace = Colorspace.ITU709
                stream.codec_context.color_range = ColorRange.MPEG
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)
            frame.pts, frame.time_base = round(time_s * _TICKS), Fraction(1, _TICKS)
            container.mux(stream.encode(frame))
        if stream is not None:
            container.mux(stream.encode(None))
