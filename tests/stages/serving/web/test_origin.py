"""Which hosts and origins are accepted."""

import pytest

from stages.serving.web.origin import is_known_host, is_own_origin, known_names

NAMES = known_names(["Camera.home"], "Raspberry.lan")


@pytest.mark.parametrize(
    "host",
    [
        "localhost:8800",
        "127.0.0.1",
        "192.168.1.20:80",
        "[::1]:8800",
        "raspberry",
        "RASPBERRY.local:8800",
        "raspberry.lan",
        "raspberry.local.",
        "camera.home",
    ],
)
def test_an_address_and_the_names_of_this_machine_are_known(host):
    assert is_known_host(host, NAMES)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "raspberry.evil.example",
        "127.0.0.1.evil.example",
        "a b",
        "x:y",
        "[::1",
        "0x7f.1",
    ],
)
def test_another_name_could_be_rebound_and_is_refused(host):
    assert not is_known_host(host, NAMES)


@pytest.mark.parametrize(
    ("origin", "is_own"),
    [
        (None, True),
        ("http://pi:8800", True),
        ("https://PI:8800", True),  # behind a proxy that adds TLS
        ("http://pi:80", False),
        ("http://evil.example", False),
        ("null", False),
        ("", False),
        ("http://[", False),
        ("file://pi:8800", False),
    ],
)
def test_only_the_own_page_is_an_own_origin(origin, is_own):
    assert is_own_origin(origin, "pi:8800") is is_own
