"""Makes the JPEG pictures of a source that somebody wants, at the rate that is wanted: plain ones, and
ones with the answer to the same frame drawn on it. A thread of the camera process.
"""

from __future__ import annotations

import io
import json
import os
import select
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any, List, NamedTuple, Optional

from stages.serving.pipeline import pictures
from stages.serving.pipeline.camera import wake
from stages.serving.pipeline.frames import PAINTER, Frame, Reader, Ring
from stages.serving.pipeline.pictures import DRAWN, PLAIN, Pictures
from stages.serving.pipeline.settings import Settings
from stages.serving.pipeline.wire import Receiver

if TYPE_CHECKING:
    import socket

    import numpy as np
    from numpy.typing import NDArray

    from stages.tasks.task import Task

_LOWEST_QUALITY = 30


class PainterEnds(NamedTuple):
    """How a painter hears and talks.

    answers:   the inference process sends frames here that were handed over, as JSON
    wake:      a pipe that has a byte as soon as somebody changes what is wanted
    inference: the inference process's pipe, to announce a wish
    """

    answers: socket.socket
    wake: int
    inference: int


class Painter:
    """Makes pictures until the process ends."""

    def __init__(
        self,
        ring: Ring,
        kinds: "tuple[Pictures, Pictures]",
        task: Task,
        ends: PainterEnds,
        settings: Settings,
    ) -> None:
        self._reader, self._kinds, self._task = Reader(ring, PAINTER), kinds, task
        self._answers, self._ends, self._settings = Receiver(ends.answers), ends, settings
        self._due_s = [0.0, 0.0]
        self._wished_s: Optional[float] = None  # since when an answer is awaited
        self._last = [0, 0]  # the number of the last frame shown, by kind
        self._drawn_number = 0  # of the last frame shown with its answer

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                self._step()
            except Exception:  # pictures may fail, but answers must go on
                traceback.print_exc()
                time.sleep(self._settings.answer_s)

    def _step(self) -> None:
        self._wait()
        now_s = time.monotonic()
        self._take_answers()
        if self._is_due(PLAIN, now_s):
            self._show_newest(PLAIN)
        if self._is_due(DRAWN, now_s) and self._wished_s is None:
            self._reader.wish()
            wake(self._ends.inference)
            self._wished_s = now_s
        if self._wished_s is not None and now_s - self._wished_s > self._settings.answer_s:
            self._show_newest(DRAWN)  # nobody answers now

    def _wait(self) -> None:
        """Wait for an answer, for a change of what is wanted, or until a picture is due."""
        now_s = time.monotonic()
        ends = [
            self._due_s[kind]
            for kind in (PLAIN, DRAWN)
            if self._kinds[kind].wanted_fps and (kind == PLAIN or self._wished_s is None)
        ]
        if self._wished_s is not None:
            ends.append(self._wished_s + self._settings.answer_s + 0.01)
        timeout_s = max(0.0, min(ends) - now_s) if ends else None
        places: List[Any] = [self._answers, self._ends.wake]
        ready, _, _ = select.select(places, [], [], timeout_s)
        if self._ends.wake in ready:
            os.read(self._ends.wake, 4096)

    def _is_due(self, kind: int, now_s: float) -> bool:
        return self._kinds[kind].wanted_fps > 0 and now_s >= self._due_s[kind]

    def _take_answers(self) -> None:
        try:
            found = [json.loads(message) for message in self._answers.receive()]
        except EOFError:
            os._exit(0)  # the supervisor has gone
        for one in found:
            frame = self._reader.of(one["slot"], one["number"])
            if frame is None or one is not found[-1]:
                pass  # overwritten, or there is a newer one
            elif frame.number == self._drawn_number:
                self._next(DRAWN)
            else:
                self._show(DRAWN, frame, one["answer"])
                self._drawn_number = frame.number
            self._reader.ring.release(one["slot"], PAINTER)

    def _show_newest(self, kind: int) -> None:
        """Show the newest frame as it is."""
        frame = self._reader.peek()
        if frame is None:
            self._next(kind)
            return
        if frame.number != self._last[kind]:
            self._show(kind, frame, None)
        else:
            self._next(kind)
        self._reader.release(frame)

    def _show(self, kind: int, frame: Frame, answer: Any) -> None:
        self._next(kind)
        pixels = frame.pixels if answer is None else self._drawn(frame.pixels, answer)
        jpeg = encoded(pixels, self._settings.quality)
        if jpeg and self._reader.is_intact(frame):
            self._kinds[kind].put(jpeg, frame.frame, frame.time_s)
            self._last[kind] = frame.number

    def _next(self, kind: int) -> None:
        """Set when the next picture is due."""
        now_s, fps = time.monotonic(), self._kinds[kind].wanted_fps
        period_s = 1 / fps if fps else 0.0
        self._due_s[kind] = max(self._due_s[kind] + period_s, now_s)
        if kind == DRAWN:
            self._wished_s = None

    def _drawn(self, pixels: NDArray[np.uint8], answer: Any) -> NDArray[np.uint8]:
        try:
            picture: NDArray[np.uint8] = self._task.draw(pixels, answer)
        except Exception:  # a fault in a drawing must not end the camera
            return pixels
        return picture


def encoded(pixels: NDArray[np.uint8], quality: int) -> bytes:
    """Return an RGB picture as JPEG, of lower quality if it would be too large; b"" if it still is."""
    while True:
        jpeg = _encoded(pixels, quality)
        if len(jpeg) <= pictures.LARGEST:
            return jpeg
        if quality <= _LOWEST_QUALITY:
            return b""
        quality = max(_LOWEST_QUALITY, quality - 25)


def _encoded(pixels: NDArray[np.uint8], quality: int) -> bytes:
    try:
        from PIL import Image
    except ImportError:
        import cv2

        options = [cv2.IMWRITE_JPEG_QUALITY, quality]
        return bytes(cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)[1])
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return file.getvalue()
