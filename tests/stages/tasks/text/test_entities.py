"""Entities: which are found, which of several wins, and where they are in the sentence."""

import time

import pytest

from stages.tasks.text.entities import MOST_CHARACTERS, Finder
from stages.tasks.text.patterns import BUILT_IN

LOOKUPS = {
    "city": {"Rome": ["Roma", "Rom", "罗马", "Ρώμη"], "New York": ["NYC"], "York": []},
    "street": {"Weiße Straße": []},
}
FINDER = Finder(LOOKUPS, {"order": ["[A-Z]{2}[0-9]{4}"], "size": ["(?:extra )?large|small"]})


def _found(text, finder=FINDER):
    return [(one.entity, one.value, text[one.start : one.end]) for one in finder.find(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a flight to ROMA please", [("city", "Rome", "ROMA")]),
        ("romantic dinner", []),
        ("New York", [("city", "New York", "New York")]),
        ("new  york!", [("city", "New York", "new  york")]),
        ("in york", [("city", "York", "york")]),
        ("我想去罗马玩", [("city", "Rome", "罗马")]),
        ("στη ΡΏΜΗ", [("city", "Rome", "ΡΏΜΗ")]),
        ("στη Ρώμη", [("city", "Rome", "Ρώμη")]),
        (
            "in der WEISSE STRASSE 3",
            [("street", "Weiße Straße", "WEISSE STRASSE"), ("number", "3", "3")],
        ),
        ("👍🏽 Rome 👍🏽", [("city", "Rome", "Rome")]),
    ],
)
def test_values_of_lists_are_found_whatever_their_case_and_form(text, found):
    assert _found(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("order AB1234 now", [("order", "AB1234", "AB1234")]),
        ("ab1234", [("order", "ab1234", "ab1234")]),
        ("order AB12345 now", []),
        ("an extra large one", [("size", "extra large", "extra large")]),
    ],
)
def test_the_users_patterns_match_whole_words(text, found):
    assert _found(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("am 24.12. um 18 Uhr", [("date", "24.12."), ("time", "18 Uhr")]),
        ("il 20 maggio 2025 alle 7.30 pm", [("date", "20 maggio 2025"), ("time", "7.30 pm")]),
        ("May 3rd, 2025 at 19:30", [("date", "May 3rd, 2025"), ("time", "19:30")]),
        ("στις 3 Μαΐου", [("date", "3 Μαΐου")]),
        ("2025年5月1日七点", [("date", "2025年5月1日"), ("time", "七点")]),
        ("2024-05-01, 1/2/24", [("date", "2024-05-01"), ("date", "1/2/24")]),
        ("-5 or 3,14 or 1'000.50", [("number", "-5"), ("number", "3,14"), ("number", "1'000.50")]),
        ("2-3 people", [("number", "2"), ("number", "3")]),
        ("B52 and 4you", []),
        ("mail a.b+c@x.co.uk.", [("email", "a.b+c@x.co.uk")]),
        ("see https://x.org/a?b=1, thanks", [("url", "https://x.org/a?b=1")]),
    ],
)
def test_dates_times_numbers_and_addresses_are_always_found(text, found):
    assert [(one.entity, one.value) for one in FINDER.find(text)] == found


def test_the_longest_wins_and_of_equal_ones_the_list():
    finder = Finder({"room": {"12": [], "12 b": []}}, {"code": ["12"]})
    assert _found("room 12 B", finder) == [("room", "12 b", "12 B")]
    assert _found("room 12", finder) == [("room", "12", "12")]
    assert _found("room 12", Finder({}, {"code": ["12"]})) == [("code", "12", "12")]


def test_places_are_those_of_the_original_text():
    text = "ﬁnd  e\u0301 Rome"
    [one] = FINDER.find(text)
    assert text[one.start : one.end] == "Rome" and one.start == len(text) - 4


@pytest.mark.parametrize("piece", ["1", "a", "a.b@", "1.", "www.", "1'", " 1", "a-", "1:", "5月"])
def test_no_sentence_takes_long(piece):
    start_s = time.perf_counter()
    for pattern in BUILT_IN.values():
        list(pattern.finditer(piece * (MOST_CHARACTERS // len(piece))))
    assert time.perf_counter() - start_s < 0.5  # about 0.02 s; a quadratic pattern takes minutes
