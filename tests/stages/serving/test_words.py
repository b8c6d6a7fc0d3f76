"""The options as words of the command line."""

import dataclasses

import pytest

from stages.serving.mistakes import Mistakes
from stages.serving.options import Options
from stages.serving.words import described, parsed, written


def test_without_words_every_option_has_its_default() -> None:
    assert parsed([]) == Options()


def test_a_list_is_written_as_several_words_or_in_brackets() -> None:
    expected = ("0", "rtsp://camera/1", "2")
    assert parsed(["source=0", "source=[rtsp://camera/1, 2]"]).source == expected
    assert parsed(['source=["a,b"]']).source == ("a,b",)


def test_values_are_typed() -> None:
    found = parsed(["port=0", "fps=2.5", "loop=false", "tls=on", "rules=a=b.yaml"])
    assert (found.port, found.fps, found.loop, found.tls, found.rules) == (
        0,
        2.5,
        False,
        "on",
        "a=b.yaml",
    )


WRONG = {
    "0": ("key=value", "source=0"),
    "port": ("key=value", "port=VALUE"),
    "prot=1": ("'prot'", "'port'"),
    "port=70000": ("<= 65535", "65535"),
    "port=1.5": ("whole number", "whole number"),
    "fps=nan": ("not a number", "number"),
    "fps=": ("nothing", "number"),
    "watchdog_s=0": ("> 0", "> 0"),
    "loop=maybe": ("true or false", "true or false"),
    "tls=1": ("choices", "choose one of: auto, off, on"),
    "accelerator=edgetpuu": ("choices", "did you mean 'edgetpu'?"),
    "accelerator=TYPO": ("choices", "choose one of: edgetpu, imx500, none"),
}


@pytest.mark.parametrize("word", WRONG)
def test_a_mistake_names_the_fix(word: str) -> None:
    with pytest.raises(Mistakes) as caught:
        parsed([word])
    (mistake,) = caught.value.mistakes
    what_has, fix_has = WRONG[word]
    assert mistake.where == word and what_has in mistake.what and fix_has in mistake.fix


def test_all_mistakes_are_reported() -> None:
    with pytest.raises(Mistakes) as caught:
        parsed(list(WRONG))
    assert len(caught.value.mistakes) == len(WRONG)


def test_written_words_are_read_as_the_same_options() -> None:
    options = dataclasses.replace(
        Options(), source=("0", "[x"), port=1, loop=False, mqtt="mqtt://h", snapshots_mb=0.5
    )
    assert parsed(written(options)) == options
    assert written(Options()) == []


def test_every_option_is_listed_with_its_meaning() -> None:
    lines = described()
    keys = [
        line.split("=")[0].strip() for line in lines if line.startswith("  ") and line[2] != " "
    ]
    assert keys == [one.name for one in dataclasses.fields(Options)]
    assert len(lines) >= 2 * len(keys) and max(map(len, lines)) <= 100


def test_a_forgotten_key_shows_no_password() -> None:
    with pytest.raises(Mistakes) as error:
        parsed(["rtsp://u:secret@h"])
    assert "secret" not in str(error.value)
    assert "write source=rtsp://***@h" in str(error.value)
