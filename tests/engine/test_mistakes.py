"""How exceptions are reported to the user. The messages themselves are in tests/messages."""

import errno

import pytest
from omegaconf.errors import OmegaConfBaseException

from engine import mistakes
from engine.errors import UserError
from engine.registration import CommandLine

LINE = CommandLine()
FULL = OSError(errno.ENOSPC, "No space left on device", "outputs")


def test_a_mistake_of_the_user_ends_with_status_2_and_three_lines(capsys):
    assert mistakes.tell(UserError("a", "b", "c"), LINE) == 2
    assert capsys.readouterr().err == "a\n  b\n  c\n"


def test_mistakes_of_a_group_are_reported_together_and_each_once(capsys):
    one, two = UserError("a", "b", "c"), UserError("d", "e", "f")
    assert (
        mistakes.tell(ExceptionGroup("all", [one, ExceptionGroup("inner", [two, one])]), LINE) == 2
    )
    assert capsys.readouterr().err == "a\n  b\n  c\nd\n  e\n  f\n"


def test_a_fault_of_the_machine_ends_with_status_1_and_a_fix(capsys):
    assert mistakes.tell(FULL, LINE) == 1
    assert "the disk is full: free space" in capsys.readouterr().err


def test_a_fault_of_ours_keeps_its_traceback_and_ends_with_status_1(capsys):
    assert mistakes.tell(KeyError("x"), LINE) == 1
    assert "KeyError" in capsys.readouterr().err


def test_one_fault_of_ours_in_a_group_is_not_hidden_by_mistakes(capsys):
    assert (
        mistakes.tell(ExceptionGroup("all", [UserError("a", "b", "c"), KeyError("x")]), LINE) == 1
    )
    assert "KeyError" in capsys.readouterr().err


@pytest.mark.parametrize("number", [errno.ENAMETOOLONG, errno.ELOOP])
def test_a_path_that_cannot_be_followed_is_the_users_mistake(number):
    found = mistakes.mistake_of(OSError(number, "no", "x" * 300), LINE)
    assert found is not None and found.fix == "choose another path" and len(found.where) == 80


def test_an_error_of_omegaconf_is_reported_in_three_lines():
    found = mistakes.mistake_of(OmegaConfBaseException("odd\n    full_key: params.n"), LINE)
    assert found is not None and (found.where, found.what) == ("params.n", "odd")


@pytest.mark.parametrize(
    "error", [ValueError("x"), OSError(errno.ECHILD, "x"), AttributeError("x")]
)
def test_an_error_that_is_not_hydras_is_ours(error):
    assert mistakes.mistake_of(_raised(error), LINE) is None


def _raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:
        return caught


@pytest.mark.parametrize("said", ["run.py", "python run.py"])
def test_an_installed_command_is_named_as_the_user_calls_it(capsys, said):
    line = CommandLine(program="rpi-mlops")
    mistakes.tell(
        UserError(f"{said} explian", "/x/run.py is no command", f"write: {said} explain"), line
    )
    expected = "rpi-mlops explian\n  /x/run.py is no command\n  write: rpi-mlops explain\n"
    assert capsys.readouterr().err == expected
