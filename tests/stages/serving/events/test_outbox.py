"""What waits for the broker: bounded, newest states first."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stages.serving.events.outbox import Outbox


def all_of(box: Outbox) -> list[tuple[str, Any]]:
    return [(one.topic, one.payload) for one in iter(lambda: box.next(0.0), None)]


def test_a_newer_state_replaces_an_older_one() -> None:
    box = Outbox()
    for payload in ("1", "2", "2"):
        box.keep("a", payload)
    assert all_of(box) == [("a", "2")]


def test_an_unchanged_state_is_not_sent_again() -> None:
    box = Outbox()
    box.keep("a", "1")
    all_of(box)
    box.keep("a", "1")
    assert all_of(box) == []


def test_states_are_sent_again_after_a_new_connection_and_events_are_not() -> None:
    box = Outbox()
    box.keep("a", "1")
    box.send("e", "x")
    all_of(box)
    box.repeat()
    assert all_of(box) == [("a", "1")]


def test_of_too_many_events_the_oldest_are_lost_and_counted() -> None:
    box = Outbox(most_events=2)
    for payload in "abc":
        box.send("e", payload)
    assert (all_of(box), box.lost) == ([("e", "b"), ("e", "c")], 1)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.booleans()), max_size=50))
def test_the_last_state_of_each_topic_always_arrives(steps: list[tuple[str, int, bool]]) -> None:
    box, arrived, expected = Outbox(), dict[str, Any](), dict[str, Any]()
    for topic, value, is_read in steps:
        box.keep(topic, str(value))
        expected[topic] = str(value)
        assert len(box) <= 3
        if is_read and (letter := box.next(0.0)):
            arrived[letter.topic] = letter.payload
    arrived.update(all_of(box))
    assert arrived == expected
