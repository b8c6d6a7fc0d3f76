"""JPEGs in streams of bytes: whole ones are found, damaged ones are counted, and each is decoded into a
buffer at the size that is needed.
"""

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from stages.media.unreadable import Unreadable
from stages.serving.reading import jpeg
from stages.serving.reading.jpeg import Jpeg, JpegSplitter

NOISE = np.random.default_rng(0).integers(0, 255, (40, 56, 3), np.uint8)


def made(pixels: np.ndarray = NOISE, **options: object) -> bytes:
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "JPEG", **options)
    return data.getvalue()


def with_thumbnail() -> bytes:
    """Return a JPEG whose second segment contains another JPEG."""
    small = made(NOISE[:8, :8])
    segment = b"\xff\xe1" + (len(small) + 2).to_bytes(2, "big") + small
    whole = made()
    return whole[:2] + segment + whole[2:]


PLAIN, PROGRESSIVE, RESTARTED = made(), made(progressive=True), made(restart_marker_rows=1)
KINDS = [PLAIN, PROGRESSIVE, RESTARTED, with_thumbnail(), made(NOISE[..., 0])]


def split(data: bytes, sizes: "list[int] | None" = None) -> "tuple[list[bytes], int]":
    splitter, found, at = JpegSplitter(), [], 0
    for size in [*(sizes or []), len(data)]:
        found += splitter.feed(data[at : at + size])
        at += size
    splitter.finish()
    return found, splitter.damaged


@given(st.lists(st.integers(1, 3000), max_size=30), st.permutations(range(len(KINDS))))
def test_pictures_are_found_however_the_stream_is_cut_into_pieces(sizes, order):
    pictures = [KINDS[at] for at in order]
    stream = b"".join(b"--x\r\nContent-Type: image/jpeg\r\n\r\n" + one for one in pictures)
    assert split(stream, sizes) == (pictures, 0)


@pytest.mark.parametrize("length", [3, 25, 200, 500, 600, 620, 900, len(PLAIN) - 2])
def test_a_picture_that_is_cut_is_counted_and_the_next_one_is_found(length):
    assert split(PLAIN[:length] + b"\r\n--x\r\n\r\n" + PLAIN + PLAIN) == ([PLAIN, PLAIN], 1)


def test_a_cut_picture_at_the_end_is_counted():
    assert split(PLAIN + PLAIN[:900]) == ([PLAIN], 1)


@given(st.binary(max_size=400), st.lists(st.integers(1, 50), max_size=20))
def test_bytes_that_are_no_picture_are_skipped(noise, sizes):
    found, _ = split(noise.replace(b"\xff\xd8", b"") + b"\0" + PLAIN, sizes)
    assert found == [PLAIN]


def test_a_picture_without_an_end_is_given_up_at_the_limit(monkeypatch):
    monkeypatch.setattr(jpeg, "MOST_BYTES", 5000)
    splitter = JpegSplitter()
    endless = PLAIN[:-2] + b"\x11" * 6000
    assert [list(splitter.feed(endless[at : at + 500])) for at in range(0, len(endless), 500)]
    assert list(splitter.feed(PLAIN)) == [PLAIN] and splitter.damaged == 1


def into(data: bytes, at_least: "int | None" = None) -> np.ndarray:
    buffers = []

    def buffer(height: int, width: int) -> np.ndarray:
        buffers.append(np.zeros((height, width, 3), np.uint8))
        return buffers[-1]

    size = Jpeg(data).write(buffer, at_least)
    assert len(buffers) == 1 and size == buffers[0].shape[:2]
    return buffers[0]


SMOOTH = np.asarray(Image.fromarray(NOISE[:5, :7]).resize((560, 400)))


def test_a_picture_is_decoded_into_the_buffer_in_rgb():
    assert np.abs(into(made(SMOOTH, quality=95)).astype(int) - SMOOTH).max() < 25
    assert np.abs(Jpeg(made(SMOOTH, quality=95)).picture().astype(int) - SMOOTH).max() < 25


@pytest.mark.parametrize(
    ("at_least", "size"),
    [(None, (400, 560)), (201, (400, 560)), (200, (200, 280)), (100, (100, 140)), (50, (50, 70))],
)
def test_it_is_reduced_as_far_as_enough_pixels_are_left(at_least, size):
    found = into(made(SMOOTH), at_least)
    small = np.asarray(Image.fromarray(SMOOTH).resize(size[::-1], Image.Resampling.BOX))
    assert found.shape[:2] == size and np.abs(found.astype(int) - small).mean() < 5


@pytest.mark.parametrize("data", [b"\xff\xd8\xff\xd9", b"", PLAIN[:30], PLAIN[:2] + PLAIN[-400:]])
def test_what_has_no_header_is_unreadable(data):
    with pytest.raises(Unreadable):
        into(data)


def test_a_bomb_is_refused_by_its_header():
    header = PLAIN.index(b"\xff\xc0")
    bomb = PLAIN[: header + 5] + b"\xff\xff\xff\xff" + PLAIN[header + 9 :]
    with pytest.raises(Unreadable, match="65535 x 65535"):
        into(bomb)


def test_pillow_decodes_if_there_is_no_opencv(tmp_path):
    (tmp_path / "a.jpg").write_bytes(made(SMOOTH))
    code = (
        "import sys; sys.modules['cv2'] = None; import numpy as np, pathlib\n"
        "from stages.serving.reading.jpeg import Jpeg\n"
        "kept = []\n"
        "Jpeg(pathlib.Path(sys.argv[1]).read_bytes()).write(lambda h, w: kept.append(np.zeros((h, w, 3), "
        "np.uint8)) or kept[0], 100)\n"
        "print(kept[0].shape, kept[0].mean() > 50)"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "a.jpg")]
    root = Path(__file__).resolve().parents[4]
    done = subprocess.run(words, cwd=root, env=os.environ, capture_output=True, text=True)
    assert done.stdout.strip() == "(100, 140, 3) True", done.stderr
