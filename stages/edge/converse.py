"""Answers the sentences of a conversation, which another process asks through a socket."""

import json
import socket
from typing import TYPE_CHECKING, Any

from engine.stage import In

if TYPE_CHECKING:
    from stages.tasks.task import Task

LOADS = {"task": "stages.tasks"}


def converse(
    package: In,
    *,
    task: str,
    connection: int,
    runtime: str = "litert",
    accelerator: str = "none",
) -> None:
    """Answer each line from a socket with a line, both JSON objects, until the other side closes it.

    package: a packed model whose task takes sentences
    task:       the task of the packed model: a module of stages/tasks
    connection: the file descriptor of the socket
    runtime:     of the target: litert or tflite_runtime
    accelerator: of the target: none, or a name such as edgetpu

    The first line from here says where the model runs. Then {"say": TEXT} gets the task's answer,
    {"explain": TEXT} the reasons, which is empty if the task gives none, and {"reset": true} begins
    another conversation. StageError: a damaged package.
    """
    from stages.tasks.task import open_task

    opened = open_task(package, accelerator, runtime)
    with (
        socket.socket(fileno=connection) as channel,
        channel.makefile("rw", encoding="utf-8") as lines,
    ):
        lines.write(json.dumps({"ran_on": opened.ran_on}) + "\n")
        lines.flush()
        state = opened.new_state()
        for line in lines:
            asked = json.loads(line)
            if "reset" in asked:
                state = opened.new_state()
            lines.write(json.dumps(_answer(opened, asked, state)) + "\n")
            lines.flush()


def _answer(task: "Task", asked: dict[str, Any], state: Any) -> dict[str, Any]:
    if "say" in asked:
        return task.answer(asked["say"], state)
    explain = getattr(task, "explain", None)
    if "explain" in asked and explain:
        found: dict[str, Any] = explain(asked["explain"])
        return found
    return {}
