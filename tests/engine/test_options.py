"""What a command declares: defaults, choices, groups of options."""

from typing import Literal

import pytest
from pydantic import BaseModel, Field, ValidationError

from engine.command_line import COMMANDS, options_of
from engine.options import CommandOptions, Option, declared


class Group(BaseModel):
    keep: int = Field(5, description="how many")


class Options(CommandOptions):
    run: str | None = Field(None, description="which run")
    colour: Literal["red", "blue"] = Field("red", description="red or blue")
    old: Group = Group()


def test_the_options_of_a_group_are_listed_one_by_one():
    assert list(declared(Options)) == [
        Option("run", None, "which run"),
        Option("colour", "red", "red or blue"),
        Option("old.keep", 5, "how many"),
    ]


def test_the_defaults_are_plain_data():
    assert Options.defaults() == {"run": None, "colour": "red", "old": {"keep": 5}}


def test_only_an_option_of_fixed_values_has_choices():
    assert (Options.choices("colour"), Options.choices("run")) == (("red", "blue"), ())


def test_a_text_that_looks_like_a_number_is_text():
    assert Options(run=20261125).run == "20261125"


def test_a_single_word_is_a_list_of_one():
    found = options_of("compare").model_validate({"runs": "a"})
    assert found.runs == ("a",)
    assert options_of("compare").model_validate({"runs": ["a", 5]}).runs == ("a", "5")


def test_options_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        Options().run = "x"


@pytest.mark.parametrize("command", COMMANDS)
def test_each_option_of_a_command_says_what_it_means(command):
    assert [option.key for option in declared(options_of(command)) if not option.description] == []


def test_age_and_size_are_read_in_seconds_and_bytes():
    clean = (
        options_of("clean")
        .model_validate({"clean": {"older_than": "30d", "max_size": "10G"}})
        .clean
    )
    assert (clean.older_than, clean.max_size) == (30 * 86400, 10**10)
