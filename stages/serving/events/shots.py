"""Takes single pictures of a source: pictures are encoded only while somebody wants them."""

from __future__ import annotations

import itertools
import time
from typing import Iterator, Optional

from stages.serving.interfaces import Feed, Picture

FPS = 10.0
WAIT_S = 10.0  # the first picture may wait for imports, which take seconds on a small device
POLL_S = 0.02
_NUMBERS: Iterator[int] = itertools.count()  # names of those who want pictures must differ


def shot(
    feed: Feed,
    source: str,
    least_frame: int = 0,
    after_s: float = 0.0,
    drawn: bool = True,
    wait_s: float = WAIT_S,
) -> Optional[Picture]:
    """Return the first picture of this frame or a later one, captured after this time; None if there is
    none in time.
    """
    who = f"shot {next(_NUMBERS)}"
    feed.want(source, who, FPS, drawn)
    try:
        end_s = time.monotonic() + wait_s
        while True:
            found = feed.picture(source, drawn)
            if found and found.frame >= least_frame and found.time_s >= after_s:
                return found
            if time.monotonic() >= end_s:
                return None
            time.sleep(POLL_S)
    finally:
        feed.want(source, who, 0, drawn)
