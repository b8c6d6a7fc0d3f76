"""Messages of any size between processes."""

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.serving.pipeline import wire


@pytest.fixture
def ends():
    pair = wire.pair()
    yield pair
    for end in pair:
        end.close()


def received(receiver: wire.Receiver, count: int) -> list[bytes]:
    found: list[bytes] = []
    end_s = time.monotonic() + 20
    while len(found) < count and time.monotonic() < end_s:
        found += receiver.receive()
    return found


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 300_000), max_size=6))
def test_messages_arrive_as_they_were_sent(sizes):
    pair = wire.pair()
    sender, receiver = wire.Sender(pair[0], 1), wire.Receiver(pair[1])
    sent = [bytes([at]) * size for at, size in enumerate(sizes)]
    thread = threading.Thread(target=lambda: [sender.send(one, 20) for one in sent])
    thread.start()
    assert received(receiver, len(sent)) == sent
    thread.join()
    for end in pair:
        end.close()


def test_a_reader_that_does_not_read_delays_nobody(ends):
    sender = wire.Sender(ends[0], 1)
    results = [sender.send(b"x" * 1000) for _ in range(2000)]
    assert results[0]
    assert not results[-1]


def test_a_message_whose_sender_died_is_dropped_and_the_next_one_arrives(ends):
    died, other = wire.Sender(ends[0], 1), wire.Sender(ends[0], 1)
    assert not died.send(b"x" * 1_000_000)  # the reader is too slow for it
    receiver = wire.Receiver(ends[1])
    assert receiver.receive() == []
    assert other.send(b"whole")
    assert receiver.receive() == [b"whole"]
    assert not died.send(b"y" * 1_000_000)
    assert receiver.receive() == []


def test_long_messages_of_several_senders_may_be_mixed(ends):
    receiver = wire.Receiver(ends[1])
    senders = [wire.Sender(ends[0], who) for who in range(3)]
    sent = [bytes([who]) * 400_000 for who in range(3)]
    threads = [
        threading.Thread(target=one.send, args=(data, 20))
        for one, data in zip(senders, sent, strict=True)
    ]
    for thread in threads:
        thread.start()
    assert sorted(received(receiver, 3)) == sent
    for thread in threads:
        thread.join()


def test_the_end_of_all_senders_is_noticed_after_their_last_message(ends):
    wire.Sender(ends[0], 1).send(b"last")
    ends[0].close()
    receiver = wire.Receiver(ends[1])
    assert receiver.receive() == [b"last"]
    with pytest.raises(EOFError):
        receiver.receive()


def test_a_number_that_json_does_not_have_is_refused():
    with pytest.raises(ValueError, match="JSON"):
        wire.packed({"score": float("nan")})
