"""Stores frames under class names, on request of the page: folders that are the next version of the data.

captures/CLASS/PICTURE.jpg is what the use case image_recognition reads. Other tasks cannot learn from
whole pictures, and pictures of faces are never stored.
"""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path
from typing import Any, Dict, List

from engine.stage import StageError
from stages.media import splits
from stages.serving.events.capped import CappedFolder
from stages.serving.events.shots import shot
from stages.serving.interfaces import Feed

LABEL = re.compile(r"[^\W_](?:[\w -]{0,62}\w)?")
MOST_LABELS = 200
WAIT_S = 3.0
REFUSED = {
    "faces": "pictures of faces are never stored; add people with the use case face_recognition",
    "detect": "the next version of detection data needs boxes, which a class name does not give; record "
    "pictures and annotate them",
    "activity": "activities are learnt from recordings, not from single pictures; record videos",
}


class Captures:
    """Captured frames below a folder; several threads of the web server may call it."""

    def __init__(self, feed: Feed, folder: CappedFolder, wait_s: float = WAIT_S) -> None:
        self._feed, self._folder, self._wait_s = feed, folder, wait_s
        self._one_at_a_time = threading.Lock()

    def labels(self) -> List[str]:
        """Return the model's classes and those that were captured."""
        captured = {name.split("/")[0] for name in self._folder.names() if "/" in name}
        return sorted(captured | set(self._feed.summary["labels"]))

    def save(self, source: str, label: str) -> Dict[str, Any]:
        """Store the next frame below the class; return its path and how many there are.

        Raise StageError with a sentence if that is refused.
        """
        refuse_task(self._feed.summary["task"])
        label = self._checked(label)
        if source not in self._feed.summary["sources"]:
            raise StageError("there is no such source")
        with self._one_at_a_time:
            now_s = time.time()
            picture = shot(self._feed, source, after_s=now_s, drawn=False, wait_s=self._wait_s)
            if picture is None:
                raise StageError("the source delivers no pictures now")
            name = f"{label}/{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns() // 1000 % 1000000:06d}.jpg"
            if self._folder.write(name, picture.jpeg) is None:
                raise StageError(f"the picture was not stored: {self._folder.failure}")
        count = sum(one.startswith(f"{label}/") for one in self._folder.names())
        return {"label": label, "name": name, "count": count}

    def _checked(self, label: str) -> str:
        label = " ".join(label.split())
        if not LABEL.fullmatch(label):
            raise StageError("a class name has letters, digits, spaces, _ and -, at most 64")
        if splits.named(label):
            raise StageError(f"'{label}' is a part of a data set, not a class")
        if label not in self.labels() and len(self.labels()) >= MOST_LABELS:
            raise StageError(f"there are {MOST_LABELS} classes already")
        return label


def refuse_task(task: str) -> None:
    """Raise StageError if frames of this task are not captured."""
    if task != "classify":
        why = REFUSED.get(task, f"the task '{task}' does not learn from pictures")
        raise StageError(f"frames cannot be captured: {why}")


def folder_in(state: Path, limit_mb: float, say: Any) -> CappedFolder:
    """Return the folder of captured frames: nothing in it is ever removed."""
    return CappedFolder(state / "captures", limit_mb, ".jpg", say, keeps_old=True)
