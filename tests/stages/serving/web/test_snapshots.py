"""Snapshots and clips are sent from their folder, and nothing else is."""

import pytest


@pytest.fixture
def shown(opens, tmp_path):
    folder = tmp_path / "events"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"0123456789")
    (folder / "b.mp4").write_bytes(bytes(200_000))
    (folder / "secret.txt").write_text("x")
    (folder / ".hidden.jpg").write_text("x")
    (folder / "folder.jpg").mkdir()
    (tmp_path / "out.jpg").write_text("x")
    (folder / "link.jpg").symlink_to(tmp_path / "out.jpg")
    return opens(snapshots=folder)


def test_a_snapshot_and_a_clip_are_sent(shown):
    answer = shown.get("/snapshots/a.jpg")
    assert (answer.body, answer.headers["content-type"]) == (b"0123456789", "image/jpeg")
    assert len(shown.get("/snapshots/b.mp4").body) == 200_000


@pytest.mark.parametrize(
    ("header", "body", "said"),
    [
        ("bytes=2-4", b"234", "bytes 2-4/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=0-99", b"0123456789", "bytes 0-9/10"),
        ("bytes=-99", b"0123456789", "bytes 0-9/10"),
    ],
)
def test_a_player_gets_the_range_that_it_asks_for(shown, header, body, said):
    answer = shown.get("/snapshots/a.jpg", Range=header)
    assert (answer.status, answer.body, answer.headers["content-range"]) == (206, body, said)


@pytest.mark.parametrize(
    "header", ["bytes=10-", "bytes=4-2", "bytes=-", "bytes=0-1,3-4", "lines=1-2", "bytes=-0"]
)
def test_a_range_that_is_not_there_is_refused(shown, header):
    assert shown.get("/snapshots/a.jpg", Range=header).status == 416


@pytest.mark.parametrize(
    "name",
    [
        "none.jpg",
        "secret.txt",
        ".hidden.jpg",
        "folder.jpg",
        "link.jpg",
        "..%2Fout.jpg",
        "x%2Fa.jpg",
        "a.jpg%0a",
    ],
)
def test_nothing_else_is_sent(shown, name):
    assert shown.get(f"/snapshots/{name}").status in (400, 404)


def test_head_tells_the_size(shown):
    answer = shown.ask("HEAD", "/snapshots/b.mp4")
    assert (answer.headers["content-length"], answer.body) == ("200000", b"")


def test_without_a_folder_there_are_no_snapshots(web):
    assert web.get("/snapshots/a.jpg").status == 404
