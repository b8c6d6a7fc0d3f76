"""How sources are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Optional, Tuple

Speed = Literal["own", "fast"]


@dataclass(frozen=True)
class ReadingOptions:
    """side: pixels of a frame's shorter side that are enough; larger frames may be reduced to 1/2, 1/4
    or 1/8 while they are decoded. None: full size.
    speed: own: files play at their own speed, and live sources give their newest frame; fast: every
    frame, as soon as the previous one is processed.
    loop: start files and folders again at their end. watch: wait for new files in a folder.
    fps: the rate wanted of a camera, or pictures a second of a folder (0: its default; a folder's is 1).
    size: height and width wanted of a camera.
    frozen_s: a live source with equal frames for this long counts as frozen; 0: never.
    silent_s: a live source without frames for this long is opened again.
    retry_s, retry_most_s: the wait before it is opened again, doubled each time up to the second.
    wait_s: how long one read waits for a frame.
    """

    side: Optional[int] = None
    speed: Speed = "own"
    loop: bool = True
    watch: bool = False
    fps: float = 0.0
    size: Optional[Tuple[int, int]] = None
    frozen_s: float = 5.0
    silent_s: float = 10.0
    retry_s: float = 0.5
    retry_most_s: float = 30.0
    wait_s: float = 1.0
