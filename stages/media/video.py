"""Opens a video file, a camera or a stream: with PyAV if it is installed, otherwise with OpenCV."""

from pathlib import Path

from engine.stage import StageError
from stages.media.frames import Video


def open_video(source: "Path | int | str", silent_s: "float | None" = None) -> Video:
    """Return the frames of a video file, of a camera by number, or of a stream by address.

    The container's rotation, mirroring and pixel aspect are applied. Reading continues after damage in a
    file, and `Video.lost` counts the missing frames. silent_s: a stream that sends nothing for this long
    is broken (None: 10 s). Unreadable: it cannot be opened, or its frames are
    larger than MAX_PIXELS. StageError: neither PyAV nor OpenCV is installed.
    """
    try:
        from stages.media.video_pyav import PyAVVideo
    except ImportError:
        return _open_with_opencv(source, silent_s)
    return PyAVVideo(source, silent_s)


def _open_with_opencv(source: "Path | int | str", silent_s: "float | None") -> Video:
    try:
        from stages.media.video_opencv import OpenCVVideo
    except ImportError:
        raise StageError(
            "reading videos needs PyAV (av) or OpenCV, but neither is installed"
        ) from None
    return OpenCVVideo(source, silent_s)
