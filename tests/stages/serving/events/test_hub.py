"""The hub: what it keeps, who gets it, and that nobody delays it."""

from collections.abc import Iterator
from typing import Any

import pytest

from stages.serving.events.hub import Hub
from stages.serving.events.rule import Do, Rule, When
from stages.serving.interfaces import Event
from tests.stages.serving.events.waiting import wait
from tests.stages.serving.fakes import FakeFeed, detection, source_state, update, worker_state

PERSON = Rule("somebody", When(frozenset({"person"}), forgive_s=0.0), Do(), cool_down_s=0.0)


@pytest.fixture
def feed() -> FakeFeed:
    return FakeFeed()


@pytest.fixture
def hub(feed: FakeFeed) -> Iterator[Hub]:
    hub = Hub(feed, [PERSON]).start()
    yield hub
    hub.close()


def test_it_keeps_the_last_update_of_each_source(feed: FakeFeed, hub: Hub) -> None:
    feed.put(update(frame=1), update(frame=2), update(source="garden", frame=7))
    wait(lambda: len(hub.updates()) == 2)
    assert {name: one["frame"] for name, one in hub.updates().items()} == {"door": 2, "garden": 7}


def test_it_keeps_the_last_state_of_each_source_and_worker(feed: FakeFeed, hub: Hub) -> None:
    feed.put(source_state(fps=1.0), source_state(fps=2.0), worker_state())
    wait(lambda: len(hub.states()) == 2)
    assert [one.get("fps", one["kind"]) for one in hub.states()] == [2.0, "worker"]


def test_a_source_and_a_worker_may_have_the_same_name(feed: FakeFeed, hub: Hub) -> None:
    feed.put(source_state("edgetpu"), worker_state(wanted="edgetpu"))
    wait(lambda: len(hub.states()) == 2)


def test_events_are_numbered_and_read_from_any_number(feed: FakeFeed, hub: Hub) -> None:
    feed.put(update(detection()), update(frame=1), update(detection(), frame=2))
    wait(lambda: len(hub.events()) == 3)
    assert [(one["number"], one["state"]) for one in hub.events()] == [
        (1, "began"),
        (2, "ended"),
        (3, "began"),
    ]
    assert [one["number"] for one in hub.events(after=1, most=1)] == [2]


def test_an_event_that_lasts_ends_with_the_server(feed: FakeFeed) -> None:
    hub = Hub(feed, [PERSON]).start()
    feed.put(update(detection()))
    wait(hub.events)
    hub.close()
    assert [one["state"] for one in hub.events()] == ["began", "ended"]


def test_a_subscriber_gets_messages_and_events_in_order(feed: FakeFeed, hub: Hub) -> None:
    queue = hub.subscribe()
    feed.put(update(detection()))
    got = [queue.get(5.0), queue.get(5.0)]
    assert [one and one["kind"] for one in got] == ["update", "event"]


def test_a_slow_subscriber_loses_the_oldest_and_is_told(feed: FakeFeed, hub: Hub) -> None:
    queue = hub.subscribe(limit=2)
    feed.put(*(update(frame=n) for n in range(5)))
    wait(lambda: queue.lost == 3)
    first = queue.get(1.0)
    assert first is not None and first["kind"] == "update" and first["frame"] == 3
    assert hub.counters()["serving_readers_lost_total"] == 3


def test_a_closed_subscription_gets_nothing(feed: FakeFeed, hub: Hub) -> None:
    queue = hub.subscribe()
    queue.close()
    feed.put(update())
    wait(hub.updates)
    assert queue.get(0.0) is None
    assert hub.counters()["serving_readers"] == 0


def test_a_stored_file_is_added_to_its_event(feed: FakeFeed, hub: Hub) -> None:
    queue = hub.subscribe()
    feed.put(update(detection()))
    wait(hub.events)
    hub.attach(1, clip="a.mp4")
    assert hub.events()[0]["clip"] == "a.mp4"
    last = [queue.get(1.0) for _ in range(3)][-1]
    assert last is not None and last["kind"] == "event" and last["clip"] == "a.mp4"


def test_a_removed_file_is_taken_from_its_event(feed: FakeFeed, hub: Hub) -> None:
    feed.put(update(detection()))
    wait(hub.events)
    hub.attach(1, clip="a.mp4", snapshot="a.jpg")
    queue = hub.subscribe()
    hub.detach("b.jpg")
    hub.detach("a.mp4")
    (event,) = hub.events()
    assert (event["clip"], event["snapshot"]) == (None, "a.jpg")
    assert queue.get(1.0) == event
    hub.detach("a.jpg")
    assert hub.events()[0]["snapshot"] is None


def test_metrics_come_from_states_updates_and_events(feed: FakeFeed, hub: Hub) -> None:
    feed.put(source_state(), worker_state(), update(detection(score=0.95)))
    wait(hub.events)
    found = hub.counters()
    expected = {
        'serving_captured_total{source="door"}': 100,
        'serving_dropped_total{source="door",cause="newer"}': 10,
        'serving_fps{source="door"}': 12.5,
        'serving_frame_age_seconds{source="door",quantile="0.95"}': 0.02,
        'serving_inference_seconds{source="door",quantile="0.5"}': 0.007,
        'serving_worker_fallback{accelerator="edgetpu"}': 1,
        'serving_detections_total{label="person"}': 1,
        'serving_detection_score_bucket{le="0.9"}': 0,
        'serving_detection_score_bucket{le="1.0"}': 1,
        'serving_events_total{rule="somebody"}': 1,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)


class Reluctant:
    """A reaction that records what it is given."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def start(self, hub: Hub) -> None:
        self.seen.append("start")

    def see(self, message: Any) -> None:
        self.seen.append(message["kind"])

    def react(self, event: Event, happening: Any) -> None:
        self.seen.append(f"{event['state']} {happening.rule.name} {happening.frame}")

    def counters(self) -> dict[str, float]:
        return {"serving_mqtt_connected": True}

    def close(self) -> None:
        self.seen.append("close")


def test_reactions_get_messages_events_and_the_end(feed: FakeFeed) -> None:
    reaction = Reluctant()
    hub = Hub(feed, [PERSON], [reaction]).start()
    feed.put(update(detection(), frame=4))
    wait(hub.events)
    hub.close()
    expected = ["start", "update", "began somebody 4", "ended somebody 4", "close"]
    assert reaction.seen == expected
    assert hub.counters()["serving_mqtt_connected"] == 1.0
