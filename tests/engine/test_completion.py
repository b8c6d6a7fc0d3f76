"""The completion scripts, in real shells."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pexpect
import pytest

from engine import completion
from tests.conftest import ROOT

pytestmark = pytest.mark.slow

PROGRAM = f"{ROOT}/.venv/bin/python run.py"
LINES = [  # what is typed, and what its last word becomes
    ("usecase=pose", "usecase=pose_activity"),
    ("images bui", "build"),
    ("logs fol", "follow="),
    ("plan format=j", "format=json"),
]
BASH = """
COMP_LINE=$2; COMP_POINT=${#2}; COMP_WORDBREAKS=${COMP_WORDBREAKS//=}
eval "$1"; _raspberrypi_mlops; printf '%s\\n' "${COMPREPLY[@]}"
"""


def _has(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")


@pytest.mark.parametrize(("typed", "completed"), LINES)
def test_bash_completes_the_word(typed, completed):
    words = ["bash", "-c", BASH, "bash", completion.script("bash"), f"{PROGRAM} {typed}"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [completed]


def test_bash_replaces_only_what_follows_the_equals_sign():
    script = BASH.replace("COMP_WORDBREAKS=${COMP_WORDBREAKS//=}", "COMP_WORDBREAKS='='")
    words = ["bash", "-c", script, "bash", completion.script("bash"), f"{PROGRAM} plan format=j"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["json"]


def test_bash_leaves_other_programs_of_python_alone():
    words = ["bash", "-c", BASH, "bash", completion.script("bash"), "python other.py usecase=pose"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.slow
@pytest.mark.parametrize(("typed", "completed"), LINES)
def test_fish_completes_the_word(typed, completed, tmp_path):
    _has("fish")
    script = tmp_path / "script"
    script.write_text(completion.script("fish"))
    code = f"source {script}; complete -C {shlex.quote(f'{PROGRAM} {typed}')}"
    done = subprocess.run(
        ["fish", "-N", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [completed]


@pytest.mark.slow
@pytest.mark.parametrize(("typed", "completed"), LINES)
def test_zsh_completes_the_word(typed, completed, tmp_path):
    _has("zsh")
    Path(tmp_path / "script").write_text(completion.script("zsh"))
    environment = {**os.environ, "TERM": "dumb", "PS1": "> "}
    with pexpect.spawn(
        "zsh", ["-f"], cwd=str(ROOT), env=environment, encoding="utf-8", timeout=60,
        dimensions=(24, 200),
    ) as zsh:  # fmt: skip
        zsh.sendline(
            f"autoload -Uz compinit; compinit -u -D; source {tmp_path}/script; echo IS''READY"
        )
        zsh.expect_exact("ISREADY")
        zsh.send(f"{PROGRAM} {typed}\t")
        zsh.expect_exact(completed.removeprefix(typed.split()[-1]))


def test_every_script_says_what_it_completes():
    assert completion.SHELLS == ("bash", "fish", "zsh")
    for shell in completion.SHELLS:
        assert "rpi-mlops" in completion.script(shell)


@pytest.mark.parametrize(
    ("words", "shell"),
    [
        (["--completion", "zsh"], "zsh"),
        (["--completion=zsh"], "zsh"),
        (["a=1", "--completion"], ""),
        (["plan"], None),
    ],
)
def test_the_shell_is_the_word_after_the_flag(words, shell):
    assert completion.shell(words) == shell
