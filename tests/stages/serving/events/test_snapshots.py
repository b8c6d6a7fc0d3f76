"""Pictures of events and of frames that the model was unsure of."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stages.serving.events.capped import CappedFolder
from stages.serving.events.hub import Hub
from stages.serving.events.rule import Do, Rule, When
from stages.serving.events.snapshots import Snapshots, snapshot_name
from stages.serving.interfaces import Picture
from tests.stages.serving.events.waiting import wait
from tests.stages.serving.fakes import JPEG, FakeFeed, detection, update

RULE = Rule("somebody", When(frozenset({"person"}), forgive_s=0.0), Do(snapshot=True), "", 0.0)


def folder(path: Path) -> CappedFolder:
    return CappedFolder(path, 1, ".jpg", lambda text: None)


@contextmanager
def running(feed: FakeFeed, reaction: Snapshots) -> Iterator[Hub]:
    hub = Hub(feed, [RULE], [reaction], picture_name=snapshot_name).start()
    try:
        yield hub
    finally:
        hub.close()


def test_an_event_has_the_picture_of_its_frame(tmp_path: Path) -> None:
    feed = FakeFeed()
    feed.pictures["door"] = Picture(b"too old", 4, time.time())
    with running(feed, Snapshots(folder(tmp_path))) as hub:
        feed.put(update(detection(), frame=5))
        wait(hub.events)
        feed.pictures["door"] = Picture(JPEG, 6, time.time())
        name = hub.events()[0]["snapshot"]
        assert name and name.endswith("-0001-somebody-door.jpg")
        wait(lambda: (tmp_path / name).exists())
    assert (tmp_path / name).read_bytes() == JPEG


def test_an_event_shows_no_picture_that_made_room_for_another(tmp_path: Path) -> None:
    feed = FakeFeed()
    capped = CappedFolder(tmp_path, 1.5 * len(JPEG) / 1e6, ".jpg", lambda text: None)
    with running(feed, Snapshots(capped)) as hub:
        feed.put(update(detection()))
        wait(capped.names)
        feed.put(update(frame=1), update(detection(), frame=2))
        wait(lambda: len(hub.events()) == 3 and hub.events()[0]["snapshot"] is None)
        wait(lambda: capped.names() == [hub.events()[2]["snapshot"]])


def test_pictures_are_wanted_only_while_one_is_taken(tmp_path: Path) -> None:
    feed = FakeFeed()
    with running(feed, Snapshots(folder(tmp_path))) as hub:
        assert feed.wants == []
        feed.put(update(detection()))
        wait(hub.events)
    (_, who, fps, drawn), last = feed.wants
    assert (fps, drawn, last) == (10.0, True, ("door", who, 0, True))


def test_the_end_of_an_event_has_no_picture(tmp_path: Path) -> None:
    feed = FakeFeed()
    with running(feed, Snapshots(folder(tmp_path))) as hub:
        feed.put(update(detection()), update(frame=1))
        wait(lambda: len(hub.events()) == 2)
    assert hub.events()[1]["snapshot"] is None
    assert len(list(tmp_path.iterdir())) == 1


def test_an_event_whose_picture_cannot_be_stored_has_none(tmp_path: Path) -> None:
    feed, full = FakeFeed(), CappedFolder(tmp_path, 0, ".jpg", lambda text: None)
    with running(feed, Snapshots(full)) as hub:
        feed.put(update(detection()))
        wait(lambda: hub.counters()["serving_pictures_lost_total"])
        wait(lambda: hub.events()[0]["snapshot"] is None)


def test_an_unsure_frame_is_sampled_once_in_a_while(tmp_path: Path) -> None:
    feed = FakeFeed()
    reaction = Snapshots(None, folder(tmp_path), below=0.5, between_s=60)
    with running(feed, reaction) as hub:
        for score in (0.9, 0.4, 0.3):
            feed.put(update(detection("cat", score)))
        wait(lambda: hub.counters().get('serving_detections_total{label="cat"}') == 3)
    (sample,) = tmp_path.iterdir()
    assert sample.name.endswith("-door-cat-040.jpg")
    assert feed.wants[0][3] is False  # without the drawing


def test_a_clock_that_is_set_back_stops_no_samples(tmp_path: Path) -> None:
    feed = FakeFeed()
    reaction = Snapshots(None, folder(tmp_path), below=0.5, between_s=0.0)
    with running(feed, reaction):
        for time_s in (2e9, 1e9):
            feed.put(update(detection("cat", 0.4), time_s=time_s))
        wait(lambda: len(list(tmp_path.iterdir())) == 2)


def test_an_answer_that_names_nothing_is_sampled_by_its_probability(tmp_path: Path) -> None:
    feed = FakeFeed("classify")
    with running(feed, Snapshots(None, folder(tmp_path))):
        feed.put(update(answer={"label": "none of these", "probability": 0.31}))
        wait(lambda: list(tmp_path.glob("*-unsure-031.jpg")))


def test_faces_are_never_sampled(tmp_path: Path) -> None:
    feed = FakeFeed("faces")
    with running(feed, Snapshots(None, folder(tmp_path))) as hub:
        feed.put(update(detection("unknown", 0.1)))
        wait(hub.updates)
    assert list(tmp_path.iterdir()) == []
