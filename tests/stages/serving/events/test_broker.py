"""The address of an MQTT broker, and its password."""

import dataclasses
from pathlib import Path

import pytest

from stages.serving.events.broker import Broker, broker_of
from stages.serving.mistakes import Mistakes
from stages.serving.options import Options


def read(mqtt: str, environment: dict[str, str] | None = None, **values: str) -> Broker:
    options = dataclasses.replace(Options(), mqtt=mqtt, **values)  # type: ignore[arg-type]
    return broker_of(options, "pose", environment or {})


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("mqtt://h", ("h", 1883, False)),
        ("mqtts://h", ("h", 8883, True)),
        ("mqtt://[::1]:99", ("::1", 99, False)),
    ],
)
def test_the_scheme_decides_port_and_encryption(
    address: str, expected: tuple[str, int, bool]
) -> None:
    found = read(address)
    assert (found.host, found.port, found.has_tls) == expected


def test_the_path_begins_the_topics() -> None:
    assert read("mqtt://h/home/garden/").base == "home/garden"
    assert read("mqtt://h").base.startswith("raspberrypi-mlops/")
    assert read("mqtt://h").base.endswith("-pose")


def test_the_password_comes_from_a_file_or_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from file\n")
    environment = {"MQTT_PASSWORD": "from environment"}
    assert read("mqtt://u@h", environment).password == "from environment"
    assert read("mqtt://u@h", environment, mqtt_password_file=str(file)).password == "from file"


def test_the_password_is_not_shown() -> None:
    assert "secret" not in repr(read("mqtt://u@h", {"MQTT_PASSWORD": "secret"}))


@pytest.mark.parametrize(
    ("address", "is_unsafe"),
    [("mqtt://u@h", True), ("mqtts://u@h", False), ("mqtt://u@localhost", False)],
)
def test_an_unencrypted_password_is_a_warning(address: str, is_unsafe: bool) -> None:
    assert bool(read(address, {"MQTT_PASSWORD": "x"}).warning) is is_unsafe


WRONG = {
    "h": "not the address",
    "http://h": "not the address",
    "mqtt://": "not the address",
    "mqtt://h:x": "not an address",
    "mqtt://h/a#b": "not the address",
    "mqtt://h/a/+/b": "cannot begin a topic",
    "mqtt://h/a//b": "cannot begin a topic",
}


@pytest.mark.parametrize("address", WRONG)
def test_a_wrong_address_is_refused(address: str) -> None:
    with pytest.raises(Mistakes, match=WRONG[address]):
        read(address)


def test_a_password_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(Mistakes, match="mqtt_password_file=") as caught:
        read("mqtt://user:hunter2@h")
    assert "hunter2" not in str(caught.value)


def test_a_missing_file_is_refused() -> None:
    with pytest.raises(Mistakes, match="No such file"):
        read("mqtt://u@h", mqtt_password_file="/absent")
    with pytest.raises(Mistakes, match="no such file"):
        read("mqtts://u@h", mqtt_ca="/absent")
    with pytest.raises(Mistakes, match="cannot be read as a certificate"):
        read("mqtts://u@h", mqtt_ca=__file__)
    with pytest.raises(Mistakes, match="mqtt:// does not use it"):
        read("mqtt://u@h", mqtt_ca=__file__)
    with pytest.raises(Mistakes, match="more than 65536 bytes"):
        read("mqtt://u@h", mqtt_password_file="/dev/zero")


def test_a_password_needs_a_user() -> None:
    with pytest.raises(Mistakes, match="mqtt://USER@h"):
        read("mqtt://h", {"MQTT_PASSWORD": "x"})
