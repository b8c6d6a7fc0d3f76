"""Answers the sentences of a conversation, which another process asks through a socket."""

import json
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TextIO, cast

from engine.stage import In, StageError
from engine.stage.bounds import Range

if TYPE_CHECKING:
    from stages.tasks.task import Talker

LOADS = {"task": "stages.tasks", "accelerator": "stages.accelerators"}


def converse(
    package: In,
    *,
    task: str,
    connection: Annotated[int, Range(ge=0)],
    runtime: str = "litert",
    accelerator: str = "none",
) -> None:
    """Answer each line from a socket with a line, both JSON objects, until the other side closes it.

    package: a packed model whose task takes sentences
    task:       the task of the packed model: a module of stages/tasks
    connection: the file descriptor of the socket
    runtime:     of the target: litert or tflite_runtime
    accelerator: of the target: none, or the name of a file in stages/accelerators

    The first line from here says where the model runs. Then {"say": TEXT} gets {"text": TEXT}; "why", for
    the last answer, and "context" get {"sections": {HEADING: LINES}}, without headings before the first
    answer; "reset" begins another conversation and gets {}. StageError: a damaged package, or
    a task that holds no conversations.
    """
    from stages.tasks.task import open_task

    opened = cast("Talker", open_task(package, accelerator, runtime))
    if not hasattr(opened, "said"):
        raise StageError(f"the task '{task}' holds no conversations: use its package with predict")
    talk = _Talk(opened, opened.new_state())
    channel = socket.socket(fileno=connection)
    # two files: one that is read and written forgets what it has read ahead
    with channel, channel.makefile(encoding="utf-8") as asked, channel.makefile("w") as said:
        _send(said, {"ran_on": opened.ran_on})
        for line in asked:
            _send(said, talk.answer(json.loads(line)))


@dataclass
class _Talk:
    """A conversation so far."""

    task: "Talker"
    state: Any
    last: "dict[str, Any] | None" = None

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        if "say" in asked:
            self.last = self.task.answer(asked["say"], self.state)
            return {"text": self.task.said(self.last)}
        if "why" in asked:
            return {"sections": self.task.why(self.last) if self.last else {}}
        if "context" in asked:
            return {"sections": self.task.remembered(self.state) if self.last else {}}
        self.state, self.last = self.task.new_state(), None
        return {}


def _send(lines: TextIO, message: dict[str, Any]) -> None:
    lines.write(json.dumps(message) + "\n")
    lines.flush()
