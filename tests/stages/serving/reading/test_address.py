"""Addresses: user names and passwords are found, and hidden wherever an address is shown."""

import pytest

from engine.stage import StageError
from stages.serving.reading.address import Address, masked, parsed

PORTS = {"rtsp": 554, "http": 80}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://u:geheim@cam/1", "rtsp://***@cam/1"),
        ("rtsp://u:ge@heim@cam:554/1", "rtsp://***@cam:554/1"),
        ("rtsp://geheim@cam", "rtsp://***@cam"),
        ("http://cam/video?user=u&password=geheim&fps=5", "http://cam/video?user=***&password=***&fps=5"),
        ("open http://u:geheim@a/ and http://v:geheim@b/", "open http://***@a/ and http://***@b/"),
        ("http://cam/a@b", "http://cam/a@b"),
        ("/videos/a.mp4", "/videos/a.mp4"),
    ],
)  # fmt: skip
def test_a_text_is_shown_without_user_and_password(text, shown):
    assert masked(text) == shown and "geheim" not in masked(text)


def test_an_address_has_a_decoded_user_and_password():
    assert parsed("rtsp://u:p%40ss@cam/1?a=b", PORTS) == Address(
        "rtsp", "cam", 554, "/1?a=b", "u", "p@ss"
    )


@pytest.mark.parametrize(
    "text", ["rtsp://", "rtsp://u:geheim@cam:99999/", "ftp://u:geheim@cam", "http://c am/", "http://[::1"]
)  # fmt: skip
def test_an_invalid_address_is_refused_without_showing_the_password(text):
    with pytest.raises(StageError, match="not a valid address") as caught:
        parsed(text, PORTS)
    assert "geheim" not in str(caught.value)
