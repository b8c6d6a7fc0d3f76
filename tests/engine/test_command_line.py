"""How a command line is split. Refusals are in tests/messages."""

import re

import pytest

from engine import command_line
from engine.command_line import refuse_misplaced, split
from engine.errors import UserError
from engine.settings import Settings
from engine.spec import UseCase


def test_without_a_command_it_is_run():
    assert split(["usecase=chain"]).command == "run"


def test_flags_come_before_overrides_with_their_values():
    words = split(["a=1", "-m", "plan", "--config-dir", "conf", "~b"])
    assert (words.command, words.others) == ("plan", ("-m", "--config-dir", "conf", "a=1", "~b"))


def test_the_topic_of_info_is_no_command():
    assert split(["--info", "config"]).others == ("--info=config",)


def test_a_word_after_a_command_belongs_to_it_if_the_command_takes_one():
    words = split(["images", "prune", "image=runtime"])
    assert (words.command, words.following) == ("images", {"action": "prune"})
    assert words.others == ("image=runtime",)


def test_a_command_may_take_all_further_words():
    words = split(["compare", "a", "b", "all=true", "c"])
    assert (words.following, words.others) == ({"runs": ["a", "b", "c"]}, ("all=true",))


def test_of_further_words_only_known_keys_are_overrides():
    words = split(["tag", "mine", "owner=ann", "outputs=o", "tracking.uri=x", "n=a=b"])
    assert words.following == {"run": "mine", "tags": ["owner=ann", "n=a=b"]}
    assert words.others == ("outputs=o", "tracking.uri=x")


def test_a_long_text_is_read_at_once():
    text = "n" * 300_000
    assert split(["note", "mine", text]).following == {"run": "mine", "text": [text]}


@pytest.mark.parametrize(
    "word", ["follow=true", "+follow=true", "++follow=true", "~follow", "clean.dry_run=true"]
)
def test_an_option_of_another_command_is_refused(word):
    with pytest.raises(ExceptionGroup) as caught:
        refuse_misplaced("plan", command_line.options_of("plan"), [word])
    [mistake] = caught.value.exceptions
    assert (
        isinstance(mistake, UserError) and mistake.where == word and "not of plan" in mistake.what
    )


def test_an_option_of_several_commands_names_them_all():
    with pytest.raises(ExceptionGroup) as caught:
        refuse_misplaced("plan", command_line.options_of("plan"), ["stage=train"])
    assert "stage is an option of explain and logs, not of plan" in str(caught.value.exceptions[0])


@pytest.mark.parametrize("command", command_line.COMMANDS)
def test_no_option_of_a_command_hides_a_key_of_all(command):
    own = command_line.options_of(command).model_fields.keys()
    assert (
        own & {*Settings.model_fields, *UseCase.model_fields, "usecase", "target", "hydra"} == set()
    )


def test_a_dry_run_is_a_plan():
    assert split(["--dry-run", "a=1"]).command == split(["plan", "--dry-run"]).command == "plan"
    words = split(["clean", "--dry-run"])
    assert (words.command, words.others) == ("clean", ("clean.dry_run=true",))


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("run.py pl", ["plan"]),
        ("run.py plan pl", []),
        ("run.py images bu", ["build"]),
        ("run.py plan format=", ["format=json", "format=table"]),
        ("run.py plan format=j", ["format=json"]),
        ("run.py plan target=", []),
        ("run.py", []),
        ("run.py compare a b format=h", ["format=html"]),
    ],
)
def test_a_shell_completes_commands_and_the_few_values_of_options(line, found, monkeypatch):
    monkeypatch.setenv("COMP_LINE", line)
    assert sorted(command_line.completions()) == found


def test_the_version_is_that_of_the_project():
    assert re.fullmatch(
        r"RaspberryPi MLOps \d+\.\d+\.\d+( \(commit \w{12}\))?", command_line.version()
    )


def test_the_help_shows_each_command_with_its_options():
    lines = [" ".join(line.split()) for line in command_line.usage("python run.py").splitlines()]
    assert "logs show the output of the stages of a run; follow=true follows it" in lines
    assert "follow=false follow the output until the run ends" in lines


def test_the_help_of_a_command_shows_it_alone():
    text = command_line.help_of("images", "rpi-mlops")
    assert text.startswith(
        "Usage: rpi-mlops images [ACTION] [KEY=VALUE ...]\n\nBuild, list or remove"
    )
    assert "image=null" in text and "clean" not in text


@pytest.mark.parametrize("columns", [60, 80, 132])
def test_the_help_fits_the_terminal(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    assert max(map(len, command_line.usage("python run.py").splitlines())) <= columns
