"""MQTT with a real broker: what arrives, what outlives faults, and that nothing waits for it."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from stages.serving.events.broker import Broker
from stages.serving.events.capped import CappedFolder
from stages.serving.events.hub import Hub
from stages.serving.events.mqtt import STEADY_S, Mqtt
from stages.serving.events.rule import Do, Rule, When
from stages.serving.events.snapshots import Snapshots, snapshot_name
from tests import services
from tests.stages.serving.events.waiting import wait
from tests.stages.serving.fakes import JPEG, FakeFeed, detection, source_state, update

RULE = Rule(
    "visitor", When(frozenset({"person"}), forgive_s=0.0), Do(mqtt=True, snapshot=True), "", 0.0
)


class Reader:
    """A client that records what it gets."""

    def __init__(self, broker: services.Mosquitto, **user: str) -> None:
        import paho.mqtt.client as mqtt

        self.last: dict[str, bytes] = {}
        self.events: list[dict[str, Any]] = []
        is_2 = hasattr(mqtt, "CallbackAPIVersion")  # paho 1.6 of Debian 12 has none
        self._client = mqtt.Client(*([mqtt.CallbackAPIVersion.VERSION2] if is_2 else []))
        if user:
            self._client.username_pw_set(**user)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_message = self._take
        self._client.on_connect = lambda client, *_: client.subscribe("#", 1)
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()

    def text(self, topic: str) -> str:
        return self.last.get(topic, b"").decode()

    def json(self, topic: str) -> Any:
        return json.loads(self.last.get(topic, b"{}"))

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _take(self, client: Any, data: Any, message: Any) -> None:
        self.last[message.topic] = message.payload
        if message.topic == "home/event":
            self.events.append(json.loads(message.payload))


@contextmanager
def reading(broker: services.Mosquitto, **user: str) -> Iterator[Reader]:
    reader = Reader(broker, **user)
    try:
        yield reader
    finally:
        reader.close()


@contextmanager
def publishing(
    feed: FakeFeed, address: Broker, said: list[str] | None = None, steady_s: float = STEADY_S
) -> Iterator[tuple[Hub, Mqtt]]:
    say = (said if said is not None else []).append
    mqtt = Mqtt(address, [RULE], say, retry_most_s=1, steady_s=steady_s)
    hub = Hub(feed, [RULE], [mqtt]).start()
    try:
        yield hub, mqtt
    finally:
        hub.close()


def at(broker: services.Mosquitto, **values: Any) -> Broker:
    return Broker("127.0.0.1", broker.port, "home", **values)


def test_states_events_and_discovery_arrive(mosquitto: services.Mosquitto) -> None:
    feed = FakeFeed()
    with reading(mosquitto) as reader, publishing(feed, at(mosquitto)):
        wait(lambda: reader.text("home/status") == "online")
        wait(lambda: reader.text("home/rule/visitor") == "OFF")
        feed.put(source_state(), update(detection()))
        wait(lambda: reader.text("home/rule/visitor") == "ON")
        wait(lambda: reader.json("home/source/door").get("label") == "person")
        feed.put(update(frame=1))
        wait(lambda: reader.text("home/rule/visitor") == "OFF")
        wait(lambda: [one["state"] for one in reader.events] == ["began", "ended"])
        sensor = reader.json("homeassistant/binary_sensor/home-rule-visitor/config")
        assert sensor["state_topic"] == "home/rule/visitor"
    assert reader.json("home/rule/visitor/event")["text"] == "person"


def test_who_connects_later_gets_the_retained_states(mosquitto: services.Mosquitto) -> None:
    feed = FakeFeed()
    with publishing(feed, at(mosquitto)) as (_, mqtt):
        feed.put(update(detection()))
        wait(lambda: mqtt.is_connected)
        with reading(mosquitto) as reader:
            wait(lambda: reader.text("home/rule/visitor") == "ON")
            wait(lambda: reader.text("home/status") == "online")


def test_it_says_goodbye(mosquitto: services.Mosquitto) -> None:
    with reading(mosquitto) as reader:
        with publishing(FakeFeed(), at(mosquitto)) as (_, mqtt):
            wait(lambda: mqtt.is_connected)
            wait(lambda: reader.text("home/status") == "online")
        wait(lambda: reader.text("home/status") == "offline")


PROGRAM = """
import sys, time
from stages.serving.events.broker import Broker
from stages.serving.events.hub import Hub
from stages.serving.events.mqtt import Mqtt
from tests.stages.serving.fakes import FakeFeed
mqtt = Mqtt(Broker("127.0.0.1", int(sys.argv[1]), "home"), [], print)
Hub(FakeFeed(), [], [mqtt]).start()
time.sleep(60)
"""


def test_the_last_will_is_sent_if_the_server_is_killed(mosquitto: services.Mosquitto) -> None:
    import sys

    with reading(mosquitto) as reader:
        server = subprocess.Popen([sys.executable, "-c", PROGRAM, str(mosquitto.port)])
        try:
            wait(lambda: reader.text("home/status") == "online", 20)
        finally:
            server.kill()
            server.wait()
        wait(lambda: reader.text("home/status") == "offline")


def test_a_broker_that_restarts_gets_everything_again(mosquitto: services.Mosquitto) -> None:
    feed, said = FakeFeed(), list[str]()
    with publishing(feed, at(mosquitto), said, steady_s=0.1) as (hub, mqtt):
        wait(lambda: mqtt.is_connected)
        mosquitto.kill()
        wait(lambda: not mqtt.is_connected)
        feed.put(update(detection()))
        wait(hub.events)
        mosquitto.start()
        with reading(mosquitto) as reader:
            wait(lambda: reader.text("home/rule/visitor") == "ON", 15)
            wait(lambda: reader.text("home/status") == "online")
            wait(lambda: "homeassistant/binary_sensor/home-rule-visitor/config" in reader.last)
            wait(lambda: len(reader.events) == 1)  # it happened while the broker was away
        wait(lambda: said[-1] == said[0] and len(said) > 1)
    assert said[0] == "connected to the MQTT broker 127.0.0.1"
    assert said[1] == "the MQTT broker is not connected; trying again"


@pytest.mark.mosquitto
def test_a_wrong_password_is_said_once_and_is_in_no_message() -> None:
    said = list[str]()
    with services.Mosquitto(user=("ann", "right")) as broker:
        with publishing(FakeFeed(), at(broker, user="ann", password="wrong-secret"), said):
            wait(lambda: said)
            time.sleep(2.5)  # it tries again after a second
        assert said == ["the MQTT broker refuses the connection: the user or the password is wrong"]
        with publishing(FakeFeed(), at(broker, user="ann", password="right"), said) as (_, mqtt):
            wait(lambda: mqtt.is_connected)
        assert "secret" not in "".join(said) + broker.log


@pytest.mark.mosquitto
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_broker_with_tls_is_checked_against_its_certificate(tmp_path: Path) -> None:
    """paho leaves the socket of a failed handshake open, which Python reports."""
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    words = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext"
    command = [*words.split(), "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)
    said = list[str]()
    with services.Mosquitto(certificate=certificate, key=key) as broker:
        with publishing(FakeFeed(), at(broker, has_tls=True, ca=str(certificate))) as (_, mqtt):
            wait(lambda: mqtt.is_connected)
        with publishing(FakeFeed(), at(broker, has_tls=True), said) as (_, mqtt):
            wait(lambda: said)
            assert not mqtt.is_connected
    assert "certificate" in said[0].lower()


def test_the_picture_of_an_event_is_published(
    mosquitto: services.Mosquitto, tmp_path: Path
) -> None:
    feed, folder = FakeFeed(), CappedFolder(tmp_path, 1, ".jpg", print)
    mqtt = Mqtt(at(mosquitto), [RULE], lambda text: None)
    pictures = Snapshots(folder, shown=mqtt.show)
    hub = Hub(feed, [RULE], [mqtt, pictures], picture_name=snapshot_name).start()
    try:
        with reading(mosquitto) as reader:
            feed.put(update(detection()))
            wait(lambda: reader.last.get("home/source/door/picture") == JPEG)
    finally:
        hub.close()


def _flood(feed: FakeFeed, hub: Hub, frames: int) -> float:
    """Return the seconds that the hub needs for frames with an event each."""
    start = time.monotonic()
    for n in range(frames // 2):
        feed.put(update(detection(), frame=2 * n), update(frame=2 * n + 1))
    wait(lambda: hub.counters().get('serving_events_total{rule="visitor"}') == frames // 2, 30)
    return time.monotonic() - start


@pytest.mark.parametrize("trouble", [services.Mosquitto.pause, services.Mosquitto.kill])
def test_a_broker_that_hangs_or_is_gone_delays_nothing(
    mosquitto: services.Mosquitto, trouble: Callable[[services.Mosquitto], None]
) -> None:
    feed = FakeFeed()
    with publishing(feed, at(mosquitto)) as (hub, mqtt):
        wait(lambda: mqtt.is_connected)
        trouble(mosquitto)
        _flood(feed, hub, 2000)
        wait(lambda: hub.counters()["serving_mqtt_lost_total"] > 1000)
        mosquitto.go_on()
    assert len(hub.events(most=5000)) == 1000  # as many as the hub keeps


def test_an_absent_broker_delays_neither_start_nor_end() -> None:
    address = Broker("127.0.0.1", services.free_port(), "home")
    said = list[str]()
    with publishing(FakeFeed(), address, said) as (hub, _):
        wait(lambda: said)
        assert hub.counters()["serving_mqtt_connected"] == 0
    assert "cannot be reached: Connection refused" in said[0]


def test_a_broker_that_drops_each_connection_is_reported_once() -> None:
    """The log had two lines a second for as long as the server ran."""
    said = list[str]()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        address = Broker("127.0.0.1", server.getsockname()[1], "home")
        with publishing(FakeFeed(), address, said) as (_, mqtt):
            for _ in range(2):
                connection, _ = server.accept()
                with connection:
                    connection.recv(1000)
                    connection.sendall(b"\x20\x02\x00\x00")  # welcome, in MQTT 3.1.1
                    wait(lambda: mqtt.is_connected)
                wait(lambda: not mqtt.is_connected)
    assert said == [
        "connected to the MQTT broker 127.0.0.1",
        "the MQTT broker is not connected; trying again",
    ]


def test_a_server_that_is_no_broker_is_reported() -> None:
    """It takes the connection, and never answers."""
    said: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        broker = Broker("127.0.0.1", server.getsockname()[1], "home")
        hub = Hub(FakeFeed(), [], [Mqtt(broker, [], said.append, silent_s=0.1)]).start()
        wait(lambda: said)
        hub.close()
    assert said == ["the MQTT broker 127.0.0.1 does not answer; trying again"]
