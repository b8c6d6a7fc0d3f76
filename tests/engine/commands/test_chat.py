"""`chat`: a conversation with a packed model, through a pipe and at a terminal."""

import shutil
import signal
import subprocess
import sys

import pytest

pytest.importorskip("numpy", reason="the extra 'runtime' is not installed")

from tests.conftest import ROOT
from tests.stages.tasks import chatbots, packages

PACKED = """
    name: chatty
    task: intents
    assets: {{source: {source}}}
    stages:
      package:
        command: [cp, -r, "{{inputs.source}}", "{{outputs.package}}"]
        inputs: {{source: "asset:source"}}
        outputs: [package]
"""
WORDS = ("stage_packages=[stages,mystages]", "usecase=chatty")


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return chatbots.write(tmp_path_factory.mktemp("chatbot") / "package")


@pytest.fixture
def chatty(project, package):
    """A run that packed a chatbot."""
    project.usecase("chatty", PACKED.format(source=package))
    assert project.run(*WORDS).returncode == 0
    return project


@pytest.fixture
def talk(chatty):
    """Send these lines to `chat`; return how it ended."""

    def ended(*lines):
        with chatty.start("chat", *WORDS, stdin=subprocess.PIPE) as process:
            out, err = process.communicate("".join(f"{line}\n" for line in lines), timeout=60)
        return process.returncode, out.splitlines(), err

    return ended


def test_each_sentence_of_a_pipe_gets_one_line(talk):
    status, lines, err = talk("hello there", "", "yes please", "book a table domani", "yes please")
    assert status == 0 and lines[0] in chatbots.RULES.responses["greet"]
    assert lines[1:] == [
        "I did not understand that.",
        "A table for tomorrow?",
        "Booked for tomorrow.",
    ]
    assert err.startswith("the model of run ")


def test_why_shows_scores_entities_and_similar_sentences(talk):
    _, lines, _ = talk("book a table for domani", "/why")
    text = "\n".join(lines)
    assert "intent      book" in lines and "contexts    booking" in lines
    assert "day = tomorrow ('domani')" in text and "answered from 50.0%" in text
    assert "%  book a table for tomorrow  (book)" in text


def test_why_names_the_context_that_is_missing(talk):
    _, lines, _ = talk("yes please", "/why")
    assert "intent      not understood: the best one requires the context booking" in lines


def test_a_package_without_sentences_shows_none(talk, chatty, tmp_path):
    other = chatbots.write(tmp_path / "bare", keep=False)
    assert chatty.run(*WORDS, f"assets.source={other}").returncode == 0
    _, lines, _ = talk("hello there", "/why")
    assert any("scores" in line for line in lines)
    assert not any("similar" in line for line in lines)


def test_context_shows_what_is_remembered_until_a_reset(talk):
    _, lines, _ = talk("book a table today", "/context", "/reset", "/context", "yes please")
    assert lines[1:] == [
        "contexts  booking",
        "entities  day = today",
        "a new conversation begins",
        "say something first",
        "I did not understand that.",
    ]


def test_an_unknown_command_gets_the_nearest_one(talk):
    status, lines, _ = talk("/contxt", "/quit", "hello there")
    assert (status, lines) == (0, ["there is no command /contxt: did you mean '/context'?"])


def test_bytes_that_are_no_text_end_nothing(chatty):
    strict = ["env", "PYTHONIOENCODING=utf-8:strict"]
    options = {"before": strict, "stdin": subprocess.PIPE, "errors": "surrogateescape"}
    with chatty.start("chat", *WORDS, **options) as process:
        out, _ = process.communicate("\udcff\udcfe hello there\n/quit\n", timeout=60)
    assert process.returncode == 0 and len(out.splitlines()) == 1


def test_a_closed_input_is_an_empty_one(chatty):
    closed = ["sh", "-c", 'exec "$@" <&-', "sh"]
    with chatty.start("chat", *WORDS, before=closed) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "") and "Traceback" not in err


def test_a_damaged_package_ends_with_the_reason(talk, chatty):
    path = chatty.last / "artifacts" / "package" / "package"
    copy = chatty.path / "copy"
    shutil.copytree(path, copy)
    (copy / "labels.txt").write_text("other\n")
    assert chatty.run(*WORDS, f"assets.source={copy}").returncode == 0
    status, lines, err = talk("hello there")
    assert (status, lines) == (1, [])
    assert "labels.txt of the package does not match its checksum" in err


def test_predict_asks_for_a_text_file_if_there_is_no_such_input(chatty):
    done = chatty.run("predict", *WORDS, "input=missing.txt")
    assert done.returncode == 2
    assert "no such file or folder\n  give the path of a text file or a CSV\n" in done.stderr


def test_it_talks_also_for_a_target_with_an_accelerator(chatty):
    words = (*WORDS, "target=rpi4_coral")
    assert chatty.run(*words).returncode == 0
    with chatty.start("chat", *words, stdin=subprocess.PIPE) as process:
        out, err = process.communicate("book a table domani\n", timeout=60)
    assert (process.returncode, out) == (0, "A table for tomorrow?\n"), err


def test_a_model_that_takes_no_sentences_is_refused(chatty, tmp_path):
    other = packages.write(tmp_path / "p", "tensors", {}, model=packages.always((1, 2), [1.0]))
    assert chatty.run(*WORDS, f"assets.source={other}").returncode == 0
    done = chatty.run("chat", *WORDS)
    assert (done.returncode, done.stdout) == (2, "")
    assert "takes no sentences" in done.stderr and "run.py predict" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_and_other_signals_end_it_and_the_model(chatty, tmp_path, number):
    place = ["env", "--default-signal", f"TMPDIR={tmp_path}"]  # nohup lets tests ignore SIGHUP
    with chatty.start("chat", *WORDS, before=place, stdin=subprocess.PIPE) as process:
        process.stdin.write("hello there\n")
        process.stdin.flush()
        assert process.stdout.readline()
        assert list(tmp_path.glob("chat-*"))
        process.send_signal(number)
        assert process.wait(30) == 130
    assert not list(tmp_path.glob("chat-*"))
    assert chatty.until(lambda: not chatty.processes(), 30)


@pytest.fixture
def terminal(chatty):
    """A terminal in which `chat` has started."""
    pexpect = pytest.importorskip("pexpect")
    argv = [str(ROOT / "run.py"), "--config-dir", str(chatty.path / "conf"), "chat", *WORDS]
    argv += ["executor=local", "tracking=none", f"outputs={chatty.outputs}"]
    child = pexpect.spawn(sys.executable, argv, encoding="utf-8", timeout=30, cwd=str(chatty.path))
    child.expect("you > ")
    yield child
    child.close(force=True)  # as if the window were closed: the terminal goes, and SIGHUP comes


def test_at_a_terminal_the_arrow_brings_back_the_last_sentence(terminal):
    terminal.sendline("book a table for today")
    terminal.expect("bot > .*A table for today")
    terminal.expect("you > ")
    terminal.send("\x1b[A\r")
    terminal.expect("bot > .*A table for today")


def test_ctrl_d_ends_it_at_a_terminal(terminal):
    import pexpect

    terminal.sendeof()
    terminal.expect(pexpect.EOF)
    terminal.wait()
    assert terminal.exitstatus == 0
