"""Makes a clip of JPEG pictures, in a process of its own: `python -m stages.serving.events.encoding PATH`.

Standard input has, for each picture, its time in seconds (float64) and its size (uint32), both little
endian, and the JPEG. So the server itself needs no video library, and a decoder that crashes ends only
this process.
"""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Iterable, Iterator, Tuple

HEADER = struct.Struct("<dI")
Shot = Tuple[float, bytes]  # seconds since the first one, JPEG


def encode(path: Path, shots: Iterable[Shot], timeout_s: float) -> None:
    """Write the clip as MP4; raise OSError, and leave nothing, if that fails."""
    data = b"".join(HEADER.pack(at_s, len(jpeg)) + jpeg for at_s, jpeg in shots)
    try:
        _encode_apart(data, path, timeout_s)
    except OSError:
        with suppress(OSError):
            _made(path).unlink(missing_ok=True)
        raise


def _made(path: Path) -> Path:
    """Return where the clip is while it is being made: encoders choose the format by the suffix."""
    return path.with_suffix(".mp4")


def _encode_apart(data: bytes, path: Path, timeout_s: float) -> None:
    command = [sys.executable, "-m", __spec__.name, str(path)]
    try:
        done = subprocess.run(
            command,
            input=data,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired:
        raise OSError(f"a clip was not encoded within {timeout_s:g} s") from None
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        why = lines[-1] if lines else f"the encoder ended with status {done.returncode}"
        raise OSError(f"a clip cannot be encoded: {why}")


def unpacked(stream: BinaryIO) -> Iterator[Shot]:
    """Yield the pictures of the stream."""
    while len(head := stream.read(HEADER.size)) == HEADER.size:
        at_s, size = HEADER.unpack(head)
        yield at_s, stream.read(size)


def main(path: Path) -> None:
    """Encode standard input as MP4 at the path."""
    from stages.media.encode import write_video
    from stages.media.frames import Frame

    shots = list(unpacked(sys.stdin.buffer))
    seconds = shots[-1][0] - shots[0][0] if len(shots) > 1 else 1.0
    rate = max(1.0, (len(shots) - 1) / seconds) if seconds else 10.0
    made = _made(path)
    write_video(made, (Frame(_pixels(jpeg), at_s) for at_s, jpeg in shots), rate)
    made.replace(path)


def _pixels(jpeg: bytes):  # type: ignore[no-untyped-def]
    """Return a JPEG as RGB (height, width, 3)."""
    import numpy as np

    try:
        import cv2
    except ImportError:
        from io import BytesIO

        from PIL import Image

        return np.asarray(Image.open(BytesIO(jpeg)).convert("RGB"))
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


if __name__ == "__main__":
    # Ctrl-C and systemd reach all processes, but the server still waits for its last clips.
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, signal.SIG_IGN)
    os.nice(10)  # answers come first
    try:
        main(Path(sys.argv[1]))
    except OSError as error:  # without the file's name, so that it is the same reason for each clip
        sys.exit(error.strerror or str(error))
