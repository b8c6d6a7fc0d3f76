"""The supervisor's process: `python -m stages.serving.pipeline FILE_DESCRIPTORS`, started by `start`.

Its orders come over the control socket, because they may contain the password of a camera, which must
not be in a list of processes.
"""

from __future__ import annotations

import gc
import importlib
import select
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Dict, List

from engine.stage import StageError
from stages.serving.pipeline import pictures, wire
from stages.serving.pipeline.frames import Ring
from stages.serving.pipeline.memory import shared
from stages.serving.pipeline.place import Place
from stages.serving.pipeline.settings import Settings
from stages.serving.pipeline.supervisor import Supervisor
from stages.serving.reading import naming


def main(numbers: List[int]) -> None:
    """Set everything up, say what was found, and supervise."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process decides
    control, messages, asked, *rest = numbers
    ends = {
        "control": wire.opened(control),
        "messages": wire.opened(messages),
        "asked": wire.opened(asked),
    }
    orders = _orders(wire.Receiver(ends["control"]))
    shown = shared(pictures.size_bytes(len(orders["sources"])), rest[0])
    wakes = rest[1:]
    settings, package = Settings(**orders["settings"]), Path(orders["package"])
    sender = wire.Sender(ends["messages"], 0)
    try:
        opener = importlib.import_module(settings.tasks)
        task = opener.describe(package)
        summary = opener.summary(package, task)
        cameras = _places(orders["sources"], wakes, settings)
    except StageError as error:
        sender.send(wire.packed({"kind": "refused", "why": str(error)}), 2.0)
        return
    except Exception as error:  # packages may come from anywhere
        why = f"the package cannot be opened: {type(error).__name__}: {error}; package the model again"
        sender.send(wire.packed({"kind": "refused", "why": why}), 2.0)
        return
    summary["sources"] = [one.name for one in cameras]
    sender.send(wire.packed({"kind": "summary", "summary": summary}), 2.0)
    if task.picture_side and "side" not in settings.source:
        settings.source["side"] = max(task.picture_side, settings.shown_side)
    _warm_up(settings, bool(cameras))
    Supervisor(package, task, cameras, shown, ends, settings).run()


def _orders(control: wire.Receiver) -> Dict[str, Any]:
    while True:
        select.select([control], [], [])
        for data in control.receive():
            found: Dict[str, Any] = wire.unpacked(data)
            return found


def _places(sources: List[str], wakes: List[int], settings: Settings) -> List[Place]:
    """Return the sources, with their names; StageError: one is of no kind."""
    readers = importlib.import_module(settings.readers)
    return [
        Place(
            index=at,
            text=one.text,
            name=one.name,
            kind=readers.type_of(one.text),
            ring=Ring(settings.frame_pixels),
            wake=wake,
            answers=wire.pair(),
        )
        for at, (one, wake) in enumerate(zip(naming.named(sources), wakes))
    ]


def _warm_up(settings: Settings, has_cameras: bool) -> None:
    """Import what the processes need before they are forked, so that they share it and restart fast."""
    from stages.tflite.interpreters import runtime_module

    with suppress(StageError):
        runtime_module(settings.runtime)
    # A device may have only OpenCV, which then resizes and decodes.
    _import_one("PIL.Image", "cv2")
    if has_cameras:
        _import_one("av", "cv2")
    gc.collect()
    gc.freeze()  # so that collections in the processes do not copy shared pages


def _import_one(*names: str) -> None:
    """Import the first of these modules that is installed."""
    for name in names:
        with suppress(ImportError):
            importlib.import_module(name)
            return


if __name__ == "__main__":
    main([int(number) for number in sys.argv[1:]])
