"""The stage that answers the sentences of a conversation."""

import json
import socket
from threading import Thread

import pytest

from engine.stage import StageError
from stages.edge.converse import converse
from tests.stages.tasks import chatbots, packages


def _asked(package, *questions):
    """Ask the stage, which runs in another thread, and return its answers."""
    ours, theirs = socket.socketpair()
    thread = Thread(
        target=converse,
        args=(package,),
        kwargs={"task": "intents", "connection": theirs.detach()},
        daemon=True,
    )
    ours.settimeout(60)
    thread.start()
    with ours, ours.makefile() as lines:
        ours.sendall("".join(json.dumps(one) + "\n" for one in questions).encode())  # at once
        answers = [json.loads(lines.readline()) for _ in range(1 + len(questions))]
    thread.join(10)
    assert not thread.is_alive()
    return answers


def test_each_question_gets_an_answer_until_the_other_side_closes(tmp_path):
    questions = [
        {"why": True},
        {"say": "book a table today"},
        {"why": True},
        {"context": True},
        {"reset": True},
        {"context": True},
        {"say": "yes please"},
    ]
    first, *found = _asked(chatbots.write(tmp_path / "p"), *questions)
    assert "on the CPU" in first["ran_on"]
    assert found[0] == {"sections": {}}
    assert found[1] == {"text": "A table for today?"}
    assert found[2]["sections"]["intent"] == ["book"]
    assert found[3] == {"sections": {"contexts": ["booking"], "entities": ["day = today"]}}
    assert found[4:] == [{}, {"sections": {}}, {"text": "I did not understand that."}]


def test_a_task_that_holds_no_conversation_is_refused(tmp_path):
    folder = packages.write(tmp_path / "p", "tensors", {}, model=packages.always((1, 2), [1.0]))
    with pytest.raises(StageError, match="the task 'tensors' holds no conversations"):
        converse(folder, task="tensors", connection=-1)
