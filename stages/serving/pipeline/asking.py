"""What the main process asks: sentences, rows, and JPEG pictures, answered between two frames."""

from __future__ import annotations

import json
import os
import select
import tempfile
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Tuple

from engine.stage import StageError
from stages.media.unreadable import Unreadable
from stages.serving.pipeline import wire

if TYPE_CHECKING:
    import socket

    from stages.tasks.task import Task

CONVERSATIONS = 64  # that are remembered; then the oldest is forgotten
SPLIT = b"\n"  # between a question's head, JSON without line breaks, and the bytes of a picture


def question(number: int, raw: Any, conversation: str) -> bytes:
    """Return a question as bytes."""
    head: Dict[str, Any] = {"id": number, "conversation": conversation}
    if isinstance(raw, (bytes, bytearray, memoryview)):
        return json.dumps(head).encode() + SPLIT + bytes(raw)
    return json.dumps({**head, "raw": raw}).encode() + SPLIT


class Asked:
    """The questions, and the states of the conversations."""

    def __init__(self, task: Task, end: socket.socket, replies: wire.Sender) -> None:
        self._task, self._receiver, self._replies = task, wire.Receiver(end), replies
        self._states: "OrderedDict[str, Any]" = OrderedDict()

    def fileno(self) -> int:
        return self._receiver.fileno()

    def is_waiting(self) -> bool:
        return bool(select.select([self._receiver], [], [], 0)[0])

    def answer(self) -> None:
        """Answer the next question, if it has arrived completely."""
        try:
            found = self._receiver.receive(1)
        except EOFError:
            os._exit(0)  # the main process has gone
        for data in found:
            head, _, picture = data.partition(SPLIT)
            asked = json.loads(head)
            reply = {"kind": "reply", "id": asked["id"], **self._reply(asked, picture)}
            self._replies.send(wire.packed(reply), 2.0)

    def _reply(self, asked: "dict[str, Any]", picture: bytes) -> "dict[str, Any]":
        try:
            raw = asked["raw"] if "raw" in asked else decoded(picture, self._task.picture_side)
            _check(raw, self._task.takes)
            if self._task.takes == "rows":
                raw = _row(self._task, raw)
            answer = self._task.answer(raw, self._state(asked["conversation"]))
            if self._task.takes == "pictures":
                answer = {**answer, "detections": self._task.detections(answer)}
            wire.packed(answer)
            return {"answer": answer}
        except (StageError, Unreadable) as error:
            return {"refused": str(error)}
        except Exception as error:  # the task was given something that it did not expect
            return {"refused": f"the task cannot answer this: {type(error).__name__}: {error}"}

    def _state(self, conversation: str) -> Any:
        if not conversation:
            return self._task.new_state(still=True)
        if conversation not in self._states:
            self._states[conversation] = self._task.new_state()
        self._states.move_to_end(conversation)
        while len(self._states) > CONVERSATIONS:
            self._states.popitem(last=False)
        return self._states[conversation]


def decoded(data: bytes, side: "int | None") -> Any:
    """Return a picture's bytes as RGB (h, w, 3), upright; at least `side` pixels on its shorter side."""
    from stages.media.pictures import read_reduced

    file = os.memfd_create("picture")
    try:
        os.write(file, data)
        return read_reduced(Path(f"/proc/self/fd/{file}"), side).pixels
    finally:
        os.close(file)


def _check(raw: Any, takes: str) -> None:
    """Refuse an input of another kind than the task takes."""
    kinds: Dict[str, Tuple[type, ...]] = {"sentences": (str,), "rows": (dict,)}
    if takes in kinds and not isinstance(raw, kinds[takes]):
        given = "a sentence" if takes == "sentences" else "a row, as an object with its columns"
        raise StageError(f"this model needs {given}")
    if takes == "pictures" and not hasattr(raw, "shape"):
        raise StageError("this model needs a picture: send the bytes of a JPEG file")
    if takes == "tensors":
        raise StageError("this model takes tensors, which cannot be sent here: use predict")


def _row(task: Task, row: Any) -> Any:
    """Return a row as the task reads it from a file, with its checks; as it is if the task reads none."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "row.jsonl"
        path.write_text(json.dumps(row) + "\n", encoding="utf-8")
        found = task.read(path)
        return row if found is None else next(iter(found))
