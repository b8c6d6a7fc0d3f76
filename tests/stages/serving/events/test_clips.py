"""Clips: what they show, when they end, and that they are videos."""

import io
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages.media.video import open_video
from stages.serving.events.capped import CappedFolder
from stages.serving.events.clips import MOST_OPEN, Clips, Ring
from stages.serving.events.encoding import HEADER, encode, unpacked
from stages.serving.events.hub import Hub
from stages.serving.events.rule import Clip, Do, Rule, When
from stages.serving.interfaces import Picture
from tests.stages.serving.events.waiting import wait
from tests.stages.serving.fakes import FakeFeed, detection, update


def picture(number: int, time_s: float, size: int = 1) -> Picture:
    return Picture(bytes(size), number, time_s)


def jpeg(grey: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((48, 64, 3), grey, np.uint8)).save(file, "jpeg")
    return file.getvalue()


def test_the_ring_keeps_the_last_seconds() -> None:
    ring = Ring(2.0)
    for number in range(10):
        ring.add(picture(number, float(number)))
    assert [one.frame for one in ring.since(0)] == [7, 8, 9]
    assert [one.frame for one in ring.since(8)] == [8, 9]


def test_the_ring_is_limited_in_size() -> None:
    ring = Ring(100.0, most_bytes=25)
    for number in range(9):
        ring.add(picture(number, float(number), 10))
    assert [one.frame for one in ring.since(0)] == [7, 8]


def test_the_same_picture_is_kept_once() -> None:
    ring = Ring(2.0)
    assert [ring.add(picture(1, 0.0)), ring.add(picture(1, 0.0))] == [True, False]


def test_the_ring_survives_a_clock_that_is_set_back() -> None:
    ring = Ring(2.0)
    ring.add(picture(1, 1000.0))
    ring.add(picture(2, 10.0))
    assert [one.frame for one in ring.since(0)] == [2]


class Recorded:
    """An encoder that records its pictures."""

    def __init__(self) -> None:
        self.clips: list[list[tuple[float, bytes]]] = []

    def __call__(self, path: Path, shots: list[tuple[float, bytes]], timeout_s: float) -> None:
        self.clips.append(shots)
        path.write_bytes(b"mp4")


def rule(before_s: float, after_s: float) -> Rule:
    do = Do(clip=Clip(before_s, after_s))
    return Rule("fall", When(frozenset({"person"}), forgive_s=0.0), do, cool_down_s=0.0)


def running(tmp_path: Path, feed: FakeFeed, encoder: Recorded, one: Rule) -> Hub:
    clips = Clips(CappedFolder(tmp_path, 1, ".mp4", lambda text: None), [one], encoder)
    return Hub(feed, [one], [clips]).start()


def test_a_clip_waits_for_the_first_picture_of_a_slow_source(tmp_path: Path) -> None:
    feed, encoder, start = FakeFeed(), Recorded(), time.time()
    feed.pictures.clear()
    hub = running(tmp_path, feed, encoder, rule(before_s=0.1, after_s=0.1))
    feed.put(update(detection(), frame=1, time_s=start))
    wait(lambda: hub.events())
    time.sleep(0.3)  # the clip's time is over
    feed.pictures["door"] = Picture(b"1", 1, start)
    wait(lambda: hub.events()[0]["clip"])
    hub.close()
    assert [jpeg for _, jpeg in encoder.clips[0]] == [b"1"]


def test_a_clip_that_fails_leaves_nothing_and_says_why_without_its_name(tmp_path: Path) -> None:
    """Each clip has another name, and each new reason is said."""
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="cannot be encoded") as error:
        encode(tmp_path / "file" / "a.part", [(0.0, jpeg(9)), (0.1, jpeg(9))], 60)
    assert "a.part" not in str(error.value) and "a.mp4" not in str(error.value)
    with pytest.raises(OSError, match="cannot be encoded"):
        encode(tmp_path / "b.part", [(0.0, jpeg(9)), (0.1, b"no picture")], 60)
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_a_clip_shows_the_time_before_and_after_the_beginning(tmp_path: Path) -> None:
    feed, encoder, start = FakeFeed(), Recorded(), time.time()
    hub = running(tmp_path, feed, encoder, rule(before_s=0.2, after_s=0.2))
    for number in range(12):
        feed.pictures["door"] = Picture(bytes([number]), number, start + number * 0.1)
        if number == 6:
            feed.put(update(detection(), frame=6, time_s=start + 0.6))
        time.sleep(0.06)
    wait(lambda: hub.events()[0]["clip"])
    hub.close()
    (shots,) = encoder.clips
    numbers = [shot[0] for _, shot in shots]
    assert numbers[:3] == [4, 5, 6] and 7 <= numbers[-1] < 11
    assert [at for at, _ in shots[:2]] == pytest.approx([0.0, 0.1])
    name = hub.events()[0]["clip"]
    assert name and (tmp_path / name).read_bytes() == b"mp4"


def test_pictures_are_not_wanted_without_a_rule_that_makes_clips(tmp_path: Path) -> None:
    feed = FakeFeed()
    hub = running(tmp_path, feed, Recorded(), Rule("r", When(frozenset({"person"}))))
    hub.close()
    assert feed.wants == []


def test_a_clip_that_is_open_at_the_end_is_stored(tmp_path: Path) -> None:
    feed, encoder = FakeFeed(), Recorded()
    hub = running(tmp_path, feed, encoder, rule(before_s=1, after_s=60))
    wait(lambda: feed.wants)
    feed.put(update(detection()))
    wait(hub.events)
    hub.close()
    assert len(encoder.clips) == 1 and len(list(tmp_path.iterdir())) == 1


def test_many_clips_at_once_are_limited_and_counted(tmp_path: Path) -> None:
    feed, encoder = FakeFeed(), Recorded()
    hub = running(tmp_path, feed, encoder, rule(before_s=0, after_s=60))
    for number in range(MOST_OPEN + 2):
        feed.put(update(detection(), frame=2 * number), update(frame=2 * number + 1))
    wait(lambda: hub.counters()["serving_clips_lost_total"] == 2)
    hub.close()


def test_a_clip_that_cannot_be_encoded_is_counted(tmp_path: Path) -> None:
    def broken(path: Path, shots: object, timeout_s: float) -> None:
        raise OSError("no encoder")

    feed, said = FakeFeed(), list[str]()
    one = rule(before_s=0, after_s=0.1)
    clips = Clips(CappedFolder(tmp_path, 1, ".mp4", said.append), [one], broken)
    hub = Hub(feed, [one], [clips]).start()
    feed.put(update(detection()))
    wait(lambda: hub.counters()["serving_clips_lost_total"])
    hub.close()
    assert "no encoder" in said[0]


def test_an_encoded_clip_is_a_video_with_the_times_of_its_pictures(tmp_path: Path) -> None:
    path = tmp_path / ".a.mp4.part"
    encode(path, [(n / 5, jpeg(n * 40)) for n in range(6)], 60.0)
    made = path.rename(tmp_path / "a.mp4")
    with open_video(made) as video:
        frames = list(video)
    assert [frame.time_s for frame in frames] == pytest.approx([n / 5 for n in range(6)], abs=0.01)
    assert [float(frame.picture.mean()) for frame in frames] == pytest.approx(
        [n * 40 for n in range(6)], abs=6
    )


def test_a_failed_encoder_says_why(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="a clip cannot be encoded: "):
        encode(tmp_path / "a.mp4", [(0.0, b"no picture")], 60.0)


def test_a_slow_encoder_is_ended(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="not encoded within"):
        encode(tmp_path / "a.mp4", [(0.0, jpeg(0))], 0.001)


def test_a_cut_stream_ends_the_pictures() -> None:
    data = HEADER.pack(1.0, 3) + b"abc" + HEADER.pack(2.0, 3)[:-1]
    assert list(unpacked(io.BytesIO(data))) == [(1.0, b"abc")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_clip_is_completed_when_all_processes_are_asked_to_end(
    number: signal.Signals, tmp_path: Path
) -> None:
    """As a terminal's Ctrl-C and systemd do; the server waits for its last clips."""
    command = [sys.executable, "-m", "stages.serving.events.encoding", str(tmp_path / "a.mp4")]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as encoder:
        status = Path(f"/proc/{encoder.pid}/status")
        wait(lambda: ignores(number, status.read_text()), 30.0)
        encoder.send_signal(number)
        data = b"".join(HEADER.pack(n / 10, len(jpeg(99))) + jpeg(99) for n in range(3))
        encoder.communicate(data)
    assert encoder.returncode == 0
    with open_video(tmp_path / "a.mp4") as video:
        assert len(list(video)) == 3


def ignores(number: signal.Signals, status: str) -> bool:
    mask = next(line.split()[1] for line in status.splitlines() if line.startswith("SigIgn"))
    return bool(int(mask, 16) & 1 << (number - 1))
