"""The names of sources: unique, fit for an address, without secrets."""

import pytest

from stages.serving.mistakes import Mistakes
from stages.serving.reading.naming import named


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("0", "camera0"),
        ("/dev/video2", "camera2"),
        ("libcamera:1", "libcamera-1"),
        ("-", "stdin"),
        ("rtsp://u:geheim@cam.local:554/1", "cam-local"),
        ("http://u:gehe@im@cam/", "cam"),
        ("/videos/my door.mp4", "my-door"),
        ("/videos/<script>.mp4", "script"),
        ("..", "source"),
        ("door=rtsp://u:geheim@cam/", "door"),
    ],
)
def test_a_source_has_a_plain_name(text, name):
    assert named([text])[0].name == name


def test_equal_names_are_numbered():
    assert [one.name for one in named(["a/x.mp4", "b/x.mp4"])] == ["x", "x-2"]


def test_a_name_that_is_given_twice_is_refused():
    with pytest.raises(Mistakes, match="two sources are called 'door'"):
        named(["door=0", "door=1"])


def test_a_file_with_an_equals_sign_in_its_name_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a=b").touch()
    assert named(["a=b"])[0].text == "a=b"


def test_the_text_can_be_kept_in_a_file(tmp_path):
    (tmp_path / "door").write_text("rtsp://u:geheim@cam/1\nmore\n")
    assert named([f"door=@{tmp_path}/door"]) == [("door", "rtsp://u:geheim@cam/1")]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file"),
        (b"", "is empty"),
        (b"\xff\xd8\xff\xe0", "is not text"),
        (b"\0" * 9, "is not text"),
        (b"\x1b[2J", "is not text"),
        (b"x" * 5000, "longer than 4096 bytes"),
    ],
)
def test_a_file_without_a_source_is_named(tmp_path, content, reason):
    if content is not None:
        (tmp_path / "door").write_bytes(content)
    with pytest.raises(Mistakes, match=reason) as caught:
        named([f"@{tmp_path}/door"])
    (mistake,) = caught.value.mistakes
    assert mistake.where == f"source=@{tmp_path}/door" and "first line" in mistake.fix
    assert len(str(mistake)) < 200 + len(str(tmp_path))
