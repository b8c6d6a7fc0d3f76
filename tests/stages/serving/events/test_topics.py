"""What is published: payloads, and Home Assistant's discovery."""

import json

from stages.serving.events.rule import Do, Rule, When
from stages.serving.events.topics import Topics, discovery, source_payload, system_payload
from tests.stages.serving.fakes import FakeFeed, detection, source_state, update, worker_state

TOPICS = Topics("home/garden")
ANYBODY = When(frozenset({"person"}))
SUMMARY = FakeFeed(sources=("door", "garden")).summary


def entities(*rules: Rule, has_temperature: bool = False) -> dict[str, dict[str, object]]:
    found = discovery(TOPICS, SUMMARY, rules, has_temperature)
    return {topic.split("/", 1)[1]: json.loads(text) for topic, text in found.items()}


def test_each_rule_with_mqtt_is_a_binary_sensor() -> None:
    found = entities(Rule("a visitor", ANYBODY, Do(mqtt=True)), Rule("silent", ANYBODY))
    sensors = {key: one for key, one in found.items() if key.startswith("binary_sensor/")}
    ((key, sensor),) = sensors.items()
    assert key == "binary_sensor/home-garden-rule-a-visitor/config"
    assert sensor["state_topic"] == "home/garden/rule/a-visitor"
    assert sensor["name"] == "a visitor"
    assert sensor["default_entity_id"] == "binary_sensor.home_garden_rule_a_visitor"


def test_every_entity_has_its_device_availability_and_identifier() -> None:
    found = entities(Rule("r", ANYBODY, Do(mqtt=True, snapshot=True)), has_temperature=True)
    assert {one["availability_topic"] for one in found.values()} == {"home/garden/status"}
    assert len({one["unique_id"] for one in found.values()}) == len(found)
    assert len({json.dumps(one["device"]) for one in found.values()}) == 1


def test_a_camera_shows_the_pictures_of_events_that_are_sent() -> None:
    def cameras(do: Do) -> set[str]:
        return {key.split("/")[1] for key in entities(Rule("r", ANYBODY, do)) if "camera" in key}

    assert cameras(Do(mqtt=True)) == set()
    assert cameras(Do(snapshot=True)) == set()
    both = {"home-garden-door-picture", "home-garden-garden-picture"}
    assert cameras(Do(mqtt=True, snapshot=True)) == both


def test_temperature_is_an_entity_if_it_is_known() -> None:
    key = "sensor/home-garden-temperature/config"
    assert key not in entities()
    assert entities(has_temperature=True)[key]["device_class"] == "temperature"


def test_the_state_of_a_source_has_its_best_label() -> None:
    one = update(detection("cat", 0.4), detection("person", 0.9))
    assert json.loads(source_payload(source_state(), one)) == {
        "status": "live",
        "why": "",
        "fps": 12.5,
        "label": "person",
        "score": 0.9,
        "count": 2,
    }


def test_the_state_of_an_empty_picture_has_no_label() -> None:
    found = json.loads(source_payload(None, update()))
    assert (found["label"], found["count"]) == (None, 0)


def test_the_system_says_what_answers_and_why() -> None:
    counters = {"serving_temperature_celsius": 51.23, "serving_throttled": 0.0}
    assert json.loads(system_payload([worker_state()], counters)) == {
        "accelerator": "cpu",
        "why": "no Edge TPU",
        "temperature_c": 51.2,
        "is_throttled": 0.0,
    }
