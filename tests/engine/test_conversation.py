"""A conversation is a process that answers until it ends, and tells why it ended."""

import os
import signal

import pytest

from engine import conversation
from engine.processes import tree
from engine.signature import Library
from tests.conftest import ROOT

ECHO = """
    import json, socket
    from engine.stage import In, StageError, note
    def echo(package: In, *, connection: int, first: bool = True) -> None:
        if not first:
            raise StageError("the package is damaged")
        note("it runs here")
        with socket.socket(fileno=connection) as channel, channel.makefile("rw") as lines:
            print(json.dumps({"ran_on": "paper"}), file=lines, flush=True)
            for line in lines:
                asked = json.loads(line)
                if asked.get("say") == "bad":
                    raise StageError("'bad' has no answer")
                text = package.read_text() + asked.get("say", "")
                answer = {"text": text, "sections": {"asked": list(asked)}}
                print(json.dumps(answer), file=lines, flush=True)
"""


@pytest.fixture
def opened(project):
    """Open a conversation with a stage that repeats what it is asked."""
    project.stage("echo", ECHO)
    (project.path / "package").write_text("packed")
    contract = Library(["mystages"], [project.path]).signature("mystages.echo", "here")
    roots = (project.path, ROOT)

    def start(**params):
        return conversation.opened(contract, project.path / "package", params, roots)

    return start


def test_each_question_gets_its_answer(opened):
    with opened() as model:
        assert model.ran_on == "paper"
        assert model.say(" γεια 👋") == "packed γεια 👋"
        assert model.why() == {"asked": ["why"]}
        assert model.context() == {"asked": ["context"]}
        model.reset()
        assert model.say("!") == "packed!"


def test_what_the_stage_notes_is_there_from_the_start(opened):
    with opened() as model:
        assert model.notes() == ["it runs here"]


@pytest.mark.parametrize(
    ("params", "said"), [({}, "error: 'bad' has no answer"), ({"first": False}, "is damaged")]
)
def test_a_stage_that_ends_says_why(opened, params, said):
    with pytest.raises(conversation.Ended, match=said), opened(**params) as model:
        model.say("bad")


def test_a_process_that_is_killed_is_said_to_be(opened):
    said = "the model's process was ended by signal 9, perhaps for lack of memory"
    before = set(tree.children(os.getpid()))
    with pytest.raises(conversation.Ended, match=said), opened() as model:
        [child] = set(tree.children(os.getpid())) - before
        os.kill(child, signal.SIGKILL)
        model.say("hello")


def test_the_process_ends_with_the_conversation(opened):
    before = set(tree.children(os.getpid()))
    with opened():
        during = set(tree.children(os.getpid())) - before
    assert len(during) == 1 and during.isdisjoint(tree.children(os.getpid()))
