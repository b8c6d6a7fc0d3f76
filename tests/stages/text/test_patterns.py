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
        r"\d+\s*(?:kg|g)",
        "from (.+) to (.+)",
        r"my name is \w+(?: \w+)*",
        r"[\w.+-]+@\w+\.\w+",
        r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?",
        r"(?:\w+ )+",
        "(?i:abc)",
        "^x$",
    ],
)
def test_a_pattern_of_everyday_is_accepted(pattern):
    check({"code": [pattern]})


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+b",
        "(a|a)*b",
        "(a|b|ab)*c",
        r"(\w+\s?)*x",
        ".*.*.*x",
        "a*a*a*b",
        r".*.*\bQ",
        "(a?){30}a{30}",
        "(?:.?){17}Q",
        "(.|.)" * 19 + "Q",
        "(x+x+)+y",
        "(?:.*!)*Q",
    ],
)
def test_a_pattern_that_may_take_long_is_refused(pattern):
    with pytest.raises(StageError, match="could take long on some sentences: write no repeat"):
        check({"code": [pattern]})


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("[a-", "is not a regular expression: unterminated"),
        ("(a", "is not a regular expression: missing"),
        (r"(a)\1", "uses groupref: write it without lookaround, references, atomic"),
        ("(?=a)b", "uses assert"),
        ("(?<!a)b", "uses assert not"),
        ("(a)?(?(1)b|c)", "uses groupref exists"),
        ("a" * 501, "longer than 500 characters: use a list"),
        ("a{99999999999}", "is not a regular expression"),
        ("(?a)(?u)x", "is not a regular expression: ASCII and UNICODE"),
        ("a++b", "uses possessive repeat"),
        ("(?>a)b", "uses atomic group"),
    ],
)
def test_what_is_no_pattern_of_the_subset_is_refused(pattern, said):
    with pytest.raises(StageError, match=said):
        check({"code": [pattern]})


def test_the_message_names_the_entity_and_the_pattern():
    with pytest.raises(StageError, match=re.escape("the pattern of the entity 'code', '(a+)+',")):
        check({"code": ["(a+)+"]})


def test_patterns_that_are_too_costly_together_are_refused():
    patterns = {f"e{at}": [".*.*Q"] for at in range(2)}
    check({"e0": patterns["e0"]})
    with pytest.raises(
        StageError, match=r"the 2 patterns of the entities could together .* 'e0', '\.\*\.\*Q'"
    ):
        check(patterns)


def test_fifty_usual_patterns_are_accepted():
    check({f"e{at}": [rf"order {at} \d+[-/]\d+", r"[A-Z]{2}-?\d{4}"] for at in range(25)})


@pytest.mark.parametrize(
    "pattern", [".*.*Q", "(?:.?){11}Q", "(.|.)" * 10 + "Q", "(?:[^a]+a)*Q", ".*!.*Q"]
)
@pytest.mark.parametrize("text", ["!", "!a"])
def test_the_costliest_accepted_patterns_take_a_moment(pattern, text):
    check({"code": [pattern]})
    start_s = time.perf_counter()
    Finder({}, {"code": [pattern]}).find(text * (1000 // len(text)))
    assert time.perf_counter() - start_s < 2  # about 0.1 s
