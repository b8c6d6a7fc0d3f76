"""The location of a run's files, and the newest run."""

import os
import time
from pathlib import Path

import pytest

from engine import layout
from engine.durable import write_whole
from engine.errors import UserError
from engine.journal import FILE_NAME
from engine.store import FOLDERS, Store


@pytest.fixture
def run(tmp_path):
    """Make a run's folder with an empty journal."""

    def make(name: str, usecase: str = "u", target: str = "t"):
        folder = tmp_path / "outputs" / usecase / target / name
        folder.mkdir(parents=True)
        (folder / FILE_NAME).touch()
        return folder

    return make


@pytest.fixture
def outputs(tmp_path):
    """The outputs folder."""
    return tmp_path / "outputs"


def test_a_new_runs_folder_stands_below_its_use_case_and_target_and_is_named_by_the_time(outputs):
    folder = layout.new_run_dir(outputs, "chain", "rpi4", 1_800_000_000.0)
    assert folder.parent == outputs / "chain" / "rpi4"
    assert folder.name.startswith("20270115-080000-000-")
    assert (folder / "artifacts").is_dir()


def test_two_runs_of_one_second_have_folders_of_their_own(outputs):
    assert len({layout.new_run_dir(outputs, "u", "t", 0.0) for _ in range(20)}) == 20


def test_runs_of_one_second_are_in_the_order_of_their_making(outputs):
    made = [
        layout.new_run_dir(outputs, "u", "t", 1_800_000_000.0 + n / 100).name for n in range(20)
    ]
    assert sorted(made) == made


def test_runs_are_those_with_a_journal_oldest_first(run, outputs):
    later, earlier = run("20270102-000000-aa"), run("20270101-000000-bb", "other")
    layout.new_run_dir(outputs, "u", "t", time.time())  # has no journal yet
    Store(layout.store_dir(outputs)).root.mkdir()
    assert layout.runs(outputs) == [earlier, later]


def test_the_link_to_the_newest_run_is_no_run(run, outputs):
    folder = run("20270101-000000-aa")
    layout.point_latest(folder)
    assert layout.runs(outputs) == [folder]


def test_there_are_no_runs_where_there_is_no_folder(outputs):
    assert layout.runs(outputs) == []


def test_the_newest_run_is_the_one_that_began_last(run, outputs):
    newest = [
        run(name) for name in ("20270101-000000-bb", "20270103-000000-aa", "20270102-000000-cc")
    ][1]
    assert layout.newest_run(outputs) == newest


@pytest.mark.parametrize(
    ("usecase", "target", "found"),
    [("u", None, "2"), ("u", "t", "1"), (None, "t2", "2"), ("v", "t", "3"), (None, None, "3")],
)
def test_the_newest_may_be_narrowed_to_a_use_case_and_a_target(
    run, outputs, usecase, target, found
):
    run("1", "u", "t"), run("2", "u", "t2"), run("3", "v", "t")
    assert layout.newest_run(outputs, usecase, target).name == found


def test_latest_names_the_newest_run_also_when_an_older_one_ends_later(run, outputs):
    older, newer = run("20270101-000000-aa"), run("20270102-000000-bb")
    for folder in (older, newer, older):
        layout.point_latest(folder)
        link = outputs / "u" / "t" / "latest"
        assert link.is_symlink()
    assert link.readlink().name == newer.name


def test_a_file_is_seen_whole_or_not_at_all(tmp_path):
    write_whole(tmp_path / "f", b"old")
    write_whole(tmp_path / "f", b"new", durable=False)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("f", b"new")]


def test_newest_first_goes_by_the_name(tmp_path):
    assert [path.name for path in layout.newest_first(tmp_path / name for name in "bca")] == [
        "c",
        "b",
        "a",
    ]


def test_an_outputs_folder_that_is_not_utf8_is_refused_before_it_is_made(tmp_path):
    with pytest.raises(UserError, match="not valid UTF-8"):
        layout.make_outputs(tmp_path / "a\udcff")
    assert list(tmp_path.iterdir()) == []


# --- the clock, and what is in the way


NOW_S = 1_800_000_000.0


@pytest.mark.parametrize("back_s", [0.5, 3600.0, NOW_S, NOW_S + 86400.0])
def test_a_run_sorts_after_all_earlier_ones_also_if_the_clock_went_back(outputs, back_s):
    made = [
        layout.new_run_dir(outputs, usecase, "t", now_s).name
        for usecase, now_s in (("u", NOW_S), ("v", NOW_S - back_s), ("u", NOW_S - back_s))
    ]
    assert sorted(made) == made and made[1].startswith("20270115-080000-001-")


@pytest.mark.parametrize(
    ("now_s", "begins"),
    [
        (0.0, "19700101-000000-000-"),
        (9_300_000_000.25, "22640914-212000-250-"),
        (-1.0, "19691231-235959-000-"),
    ],
)
def test_a_run_in_any_century_is_named_by_its_time(outputs, now_s, begins):
    assert layout.new_run_dir(outputs, "u", "t", now_s).name.startswith(begins)


def test_a_folder_whose_name_is_no_moment_does_not_count_as_a_run(outputs):
    for name in ("99999999-999999-999-abcd", "notes", "99991231-235959"):
        (outputs / "u" / "t" / name).mkdir(parents=True)
    assert layout.new_run_dir(outputs, "u", "t", NOW_S).name.startswith("20270115-080000-000-")


@pytest.mark.parametrize(
    "named", ["20990101-000000-000-aaaa", "nowhere", "../t/20270202-000000-bb", "/", ".", "zzz"]
)
def test_latest_moves_from_what_is_no_newer_run(run, outputs, named):
    folder, _ = run("20270101-000000-aa"), run("20270202-000000-bb")
    (folder.parent / "zzz").mkdir()
    (folder.parent / "latest").symlink_to(named)
    assert layout.point_latest(folder) == ""
    assert (folder.parent / "latest").readlink().name == folder.name


@pytest.mark.parametrize("is_full", [False, True])
def test_a_folder_in_the_place_of_latest_is_named_and_kept(run, is_full):
    folder = run("20270101-000000-aa")
    (folder.parent / "latest" / ("mine" if is_full else "")).mkdir(parents=True)
    assert "it is a folder; remove it" in layout.point_latest(folder)
    assert (folder.parent / "latest").is_dir() and not (folder.parent / "latest").is_symlink()
    assert sorted(path.name for path in folder.parent.iterdir()) == [folder.name, "latest"]


@pytest.mark.parametrize("name", FOLDERS)
@pytest.mark.parametrize(
    "make",
    [Path.touch, os.mkfifo, lambda path: path.symlink_to("nowhere")],
    ids=["file", "pipe", "dangling"],
)
def test_what_is_in_the_place_of_a_folder_of_the_store_is_named_before_a_stage_starts(
    outputs, name, make
):
    layout.store_dir(outputs).mkdir(parents=True)
    make(layout.store_dir(outputs) / name)
    with pytest.raises(
        UserError,
        match=rf"\.engine/{name}\n  the engine needs this path, but it is a file\n  remove or rename it",
    ):
        layout.make_outputs(outputs)


def test_what_is_in_the_way_elsewhere_is_no_mistake_of_the_users(outputs, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError), layout.unobstructed(outputs):
        (tmp_path / "file" / "below").mkdir()
