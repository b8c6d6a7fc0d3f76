"""Opens a video file, a camera or a stream: with PyAV if it is installed, else with OpenCV."""

from pathlib import Path

from engine.stage import StageError
from stages.media.frames import Video


def open_video(source: "Path | int | str") -> Video:
    """Return the frames of a video file, of the camera with a number, or of a stream's address.

    Every container's rotation, mirroring and pixel aspect are applied. A damaged file is read on
    after the damage, and `Video.lost` counts what is missing. Unreadable: it cannot be opened, or
    its frames are larger than MAX_PIXELS. StageError: neither PyAV nor OpenCV is installed.
    """
    try:
        from stages.media.video_pyav import PyAVVideo
    except ImportError:
        return _open_with_opencv(source)
    return PyAVVideo(source)


def _open_with_opencv(source: "Path | int | str") -> Video:
    try:
        from stages.media.video_opencv import OpenCVVideo
    except ImportError:
        raise StageError(
            "reading videos needs PyAV (av) or OpenCV, but neither is installed"
        ) from None
    return OpenCVVideo(source)
