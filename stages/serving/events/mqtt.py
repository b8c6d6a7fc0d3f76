"""Publishes states and events over MQTT with paho-mqtt 1.6 or 2. A broken, slow or absent broker delays
nothing: a thread of its own sends what waits in a bounded outbox.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from typing import Any, Callable, Deque, Dict, Sequence, Set, Tuple

from stages.serving.events import topics as made
from stages.serving.events.broker import Broker
from stages.serving.events.outbox import Outbox
from stages.serving.events.rule import Rule
from stages.serving.events.topics import OFFLINE, ONLINE, Topics
from stages.serving.interfaces import Event, Happening, Hub, Message
from stages.serving.mistakes import Mistake, Mistakes

KEEPALIVE_S = 30
MOST_IN_FLIGHT = 20  # messages that the broker has not confirmed
STATES_S = 1.0  # between two states of a source
SYSTEM_S = 10.0
RETRY_MOST_S = 60
STEADY_S = 10.0  # after which a connection that came back is reported: some brokers drop each one
SILENT_S = 10.0  # after which a broker that neither takes nor refuses the connection is reported
Say = Callable[[str], None]


class Mqtt:
    """A reaction that publishes."""

    def __init__(
        self,
        broker: Broker,
        rules: Sequence[Rule],
        say: Say,
        retry_most_s: int = RETRY_MOST_S,
        silent_s: float = SILENT_S,
        steady_s: float = STEADY_S,
    ) -> None:
        self.is_connected, self._silent_s, self._steady_s = False, silent_s, steady_s
        self._connected_s = 0.0  # when
        self._broker, self._say = broker, say
        self._rules = [one for one in rules if one.do.mqtt]
        self._topics, self._outbox = Topics(broker.base), Outbox()
        self._client = _client(broker, self._topics.status, retry_most_s)
        self._client.on_connect, self._client.on_disconnect = self._connected, self._disconnected
        self._client.on_connect_fail = self._failed
        self._in_flight: Deque[Any] = deque()
        self._active: Set[Tuple[str, str]] = set()  # rule and source
        self._said: Set[str] = set()  # since the connection was last steady
        self._is_steady = False
        self._next_s = {STATES_S: 0.0, SYSTEM_S: 0.0}
        self._has_ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="mqtt", daemon=True)

    def start(self, hub: Hub) -> None:
        self._hub = hub
        has_temperature = "serving_temperature_celsius" in hub.counters()
        entities = made.discovery(self._topics, hub.feed.summary, self._rules, has_temperature)
        for topic, configuration in entities.items():
            self._outbox.keep(topic, configuration)
        for rule in self._rules:
            self._outbox.keep(self._topics.rule(rule.name), "OFF")
        self._outbox.keep(self._topics.status, ONLINE)
        if self._broker.warning:
            self._say(self._broker.warning)
        self._client.connect_async(self._broker.host, self._broker.port, KEEPALIVE_S)
        self._client.loop_start()
        self._thread.start()

    def see(self, message: Message) -> None:
        """Nothing: states are read from the hub, once a second."""

    def react(self, event: Event, happening: Happening) -> None:
        """Publish an event of a rule that asks for it, and the rule's state."""
        if not happening.rule.do.mqtt:
            return
        rule, key = event["rule"], (event["rule"], event["source"])
        if event["state"] == "began":
            self._active.add(key)
        else:
            self._active.discard(key)
        is_on = any(name == rule for name, _ in self._active)
        self._outbox.keep(self._topics.rule(rule), "ON" if is_on else "OFF")
        self._outbox.keep(self._topics.last(rule), made.event_payload(event))
        self._outbox.send(self._topics.event, made.event_payload(event))

    def show(self, event: Event, jpeg: bytes) -> None:
        """Publish the stored picture of an event, if its rule asks for MQTT."""
        if any(one.name == event["rule"] for one in self._rules):
            self._outbox.keep(self._topics.picture(event["source"]), jpeg)

    def counters(self) -> Dict[str, float]:
        return {
            "serving_mqtt_connected": self.is_connected,
            "serving_mqtt_lost_total": self._outbox.lost,
        }

    def close(self) -> None:
        """Publish what waits if the broker is there, say goodbye, and end within seconds."""
        self._outbox.keep(self._topics.status, OFFLINE)
        end_s = time.monotonic() + 2.0
        while self.is_connected and time.monotonic() < end_s and self._is_waiting():
            time.sleep(0.01)
        self._has_ended.set()
        self._thread.join(2)
        self._client.disconnect()
        self._client.loop_stop()

    def _is_waiting(self) -> bool:
        return bool(len(self._outbox) or self._unconfirmed())

    def _work(self) -> None:
        """Send what waits, as fast as the broker confirms."""
        start_s = time.monotonic()
        while not self._has_ended.is_set():
            self._refresh(time.monotonic())
            self._settle(time.monotonic())
            if not self._said and time.monotonic() - start_s > self._silent_s:
                self._tell(f"the MQTT broker {self._broker.host} does not answer; trying again")
            if not self.is_connected or self._unconfirmed() >= MOST_IN_FLIGHT:
                self._has_ended.wait(0.05)
                continue
            letter = self._outbox.next(0.2)
            if letter:
                sent = self._client.publish(letter.topic, letter.payload, 1, letter.is_retained)
                self._in_flight.append(sent)

    def _unconfirmed(self) -> int:
        """Return how many messages the broker has not confirmed."""
        while self._in_flight and _is_done(self._in_flight[0]):
            self._in_flight.popleft()
        return len(self._in_flight)

    def _refresh(self, now_s: float) -> None:
        """Put the states into the outbox, when it is time."""
        if self._has_passed(STATES_S, now_s):
            states = {one["source"]: one for one in self._hub.states() if one["kind"] == "source"}
            updates = self._hub.updates()
            for source in self._hub.feed.summary["sources"]:
                payload = made.source_payload(states.get(source), updates.get(source))
                self._outbox.keep(self._topics.state(source), payload)
        if self._has_passed(SYSTEM_S, now_s):
            workers = [one for one in self._hub.states() if one["kind"] == "worker"]
            payload = made.system_payload(workers, self._hub.counters())
            self._outbox.keep(self._topics.system, payload)

    def _has_passed(self, interval_s: float, now_s: float) -> bool:
        if now_s < self._next_s[interval_s]:
            return False
        self._next_s[interval_s] = now_s + interval_s
        return True

    def _connected(self, client: Any, data: Any, flags: Any, reason: Any, *more: Any) -> None:
        """Take the broker's answer; `reason` is a number in paho 1, an object in paho 2."""
        if getattr(reason, "is_failure", reason != 0):
            self._tell(f"the MQTT broker refuses the connection: {_reason(reason)}")
            return
        self._connected_s, self.is_connected = time.monotonic(), True
        self._outbox.repeat()
        if not self._said:
            self._tell(self._welcome())

    def _failed(self, *details: Any) -> None:
        """Say why there is no connection: paho calls this while it handles the exception."""
        why = getattr(sys.exc_info()[1], "strerror", None) or "no answer"
        self._tell(f"the MQTT broker {self._broker.host} cannot be reached: {why}; trying again")

    def _disconnected(self, *details: Any) -> None:
        if self.is_connected and not self._has_ended.is_set():
            self._tell("the MQTT broker is not connected; trying again")
        self.is_connected = self._is_steady = False

    def _settle(self, now_s: float) -> None:
        """Say that the connection is back once it has lasted, and forget what was said before."""
        if self._is_steady or not self.is_connected or now_s - self._connected_s < self._steady_s:
            return
        self._is_steady = True
        if self._said - {self._welcome()}:
            self._say(self._welcome())
        self._said = {self._welcome()}

    def _welcome(self) -> str:
        return f"connected to the MQTT broker {self._broker.host}"

    def _tell(self, text: str) -> None:
        """Say a line once for as long as the connection is not steady."""
        if text not in self._said:
            self._said.add(text)
            self._say(text)


def require_paho() -> None:
    """Raise Mistakes if paho-mqtt is not installed."""
    try:
        import paho.mqtt.client  # noqa: F401
    except ImportError:
        fix = "install it: sudo apt install python3-paho-mqtt, or pip install paho-mqtt"
        raise Mistakes([Mistake("mqtt=...", "MQTT needs paho-mqtt", fix)]) from None


def _client(broker: Broker, status: str, retry_most_s: int) -> Any:
    import paho.mqtt.client as mqtt

    if hasattr(mqtt, "CallbackAPIVersion"):  # paho 2
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    else:
        client = mqtt.Client()
    client.will_set(status, OFFLINE, qos=1, retain=True)
    client.reconnect_delay_set(1, max(1, retry_most_s))
    client.max_inflight_messages_set(MOST_IN_FLIGHT)
    if broker.user:
        client.username_pw_set(broker.user, broker.password or None)
    if broker.has_tls:
        client.tls_set(broker.ca or None)
    return client


def _is_done(sent: Any) -> bool:
    """Return whether a message is confirmed; paho raises for those that it sends after reconnecting."""
    try:
        return bool(sent.is_published())
    except (ValueError, RuntimeError):
        return True


def _reason(reason: Any) -> str:
    """Return why a broker refuses; codes 4 and 5 of MQTT 3.1.1 are wrong users or passwords."""
    if getattr(reason, "value", reason) in (4, 5, 134, 135):
        return "the user or the password is wrong"
    return str(reason)
