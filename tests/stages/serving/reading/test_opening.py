"""Which kind of source a word means."""

import pytest

from stages.serving.mistakes import Mistakes
from stages.serving.reading.opening import open_source, type_of


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A folder with files whose names look like something else."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    for name in ("a.mp4", "0", "csi"):
        (tmp_path / name).touch()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("0", "webcam"),
        ("/dev/video12", "webcam"),
        ("csi", "libcamera"),
        ("libcamera:1", "libcamera"),
        ("rtsp://cam/1", "rtsp"),
        ("RTSPS://cam/1", "rtsp"),
        ("http://cam/", "mjpeg"),
        ("https://cam/", "mjpeg"),
        ("a.mp4", "file"),
        ("./0", "file"),
        ("pictures", "folder"),
    ],
)
def test_a_word_means_one_kind(text, kind):
    assert type_of(text) == kind


@pytest.mark.parametrize("text", ["b.mp4", "", "ftp://u:geheim@cam/", "file:///etc/passwd", "9999"])
def test_any_other_word_is_refused_with_what_is_possible(text):
    with pytest.raises(
        Mistakes, match="\n  give the number of a camera, /dev/videoN, libcamera"
    ) as caught:
        open_source(text)
    assert "geheim" not in str(caught.value)


def test_a_long_word_is_cut():
    with pytest.raises(Mistakes) as caught:
        open_source("x" * 4000)
    (mistake,) = caught.value.mistakes
    assert mistake.where == f"source={'x' * 80}... (4000 characters)"
