"""Patterns of users: which are refused before they can cost time."""

import re
import time

import pytest

from engine.stage import StageError
from stages.tasks.text.entities import Finder
from stages.text._patterns import check


@pytest.mark.parametrize(
    "pattern",
    [
        "[A-Z]{2}[0-9]{4}",
        r"\b\d{5}\b",
        r"\d+[-/]\d+",
        r"(?:\+39)? ?\d{3,4} ?\d{5,8}",
        "red|green|blue",
        r"(?:\d{3}-)+\d",
        r"\w+ \w+ \w+",
        "(?i:abc)",
        "^x$",
    ],
)
def test_a_pattern_of_everyday_is_accepted(pattern):
    check(pattern, "code")


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+b", "(a|a)*b", "(a|b|ab)*c", r"(\w+\s?)*x", ".*.*.*.*x", "(a?){30}a{30}", "(x+x+)+y"],
)
def test_a_pattern_that_may_take_long_is_refused(pattern):
    with pytest.raises(StageError, match="could take very long on some sentences: write no repeat"):
        check(pattern, "code")


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("[a-", "is not a regular expression: unterminated"),
        ("(a", "is not a regular expression: missing"),
        (r"(a)\1", "uses groupref: write it without lookaround and references"),
        ("(?=a)b", "uses assert"),
        ("(?<!a)b", "uses assert not"),
        ("(a)?(?(1)b|c)", "uses groupref exists"),
        ("a" * 501, "longer than 500 characters: use a list"),
        ("a{99999999999}", "is not a regular expression"),
    ],
)
def test_what_is_no_pattern_of_the_subset_is_refused(pattern, said):
    with pytest.raises(StageError, match=said):
        check(pattern, "code")


def test_the_message_names_the_entity_and_the_pattern():
    with pytest.raises(StageError, match=re.escape("the pattern of the entity 'code', '(a+)+',")):
        check("(a+)+", "code")


@pytest.mark.parametrize("pattern", [".*.*.*x", r"\w+ \w+ \w+x", "a*a*a*b"])
def test_the_costliest_accepted_patterns_are_bearable(pattern):
    check(pattern, "code")
    start_s = time.perf_counter()
    Finder({}, {"code": [pattern]}).find("a " * 500)
    assert time.perf_counter() - start_s < 10  # without the bound of 64 characters: minutes
