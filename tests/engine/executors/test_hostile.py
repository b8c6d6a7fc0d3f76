"""Stages that tamper with their own job folder, with every executor: nothing outside the folder changes,
and nothing hangs.
"""

import json
import os
import resource
import stat
import sys
from pathlib import Path

import pytest

from engine import handles, jobfolder
from engine.sealing import BadOutput

OUT = "import shutil; job = data.parents[1]; out = data.parent; shutil.rmtree(out)"
END = "sys.exit(0)"  # before the stage writes its output
DEEP = """
def deepen(top, levels):
    os.makedirs(top)
    here = os.open(top, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
"""
REPLACED = {
    "a FIFO": "os.mkfifo(place)",
    "a link to an endless device": "os.symlink('/dev/zero', place)",
    "a link to a file of the host": "os.symlink({private!r} + '/key', place)",
    "a file of 6 GB with nothing in it": "open(place, 'w').truncate(6_000_000_000)",
    "a folder": "place.mkdir()",
    "a link to itself": "os.symlink(place.name, place)",
    "garbage": "place.write_bytes(os.urandom(3_000_000))",
    "something of a great depth": "place.write_text('[' * 200_000)",
}


@pytest.fixture
def private(tmp_path) -> Path:
    """A folder of the host that only its owner may enter, and that contains a key."""
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    (folder / "data").write_text("the host's own")
    (folder / "key").write_text(
        '{"metrics": {"stolen": 1}, "event": "note", "text": "stolen", "time": 1}\n'
    )
    for name in ("data", "key"):
        (folder / name).chmod(0o600)
    return folder


@pytest.fixture(params=["local", pytest.param("docker", marks=pytest.mark.docker)])
def bench_here(request):
    """Each executor whose job folders stages write directly; a device's are written by the transfer."""
    return request.getfixturevalue(f"{request.param}_bench")


def _look(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """All visible properties of a folder and its files."""
    found = {name: (folder / name).lstat() for name in [".", *os.listdir(folder)]}
    return {
        name: (facts.st_mode, facts.st_nlink, b"" if name == "." else (folder / name).read_bytes())
        for name, facts in found.items()
    }


def _ends(bench, code: str):
    """Launch a stage that does this.

    Return its folder, whether it ended well or was refused by its executor, and why.
    """
    folder, ended = bench.does(code)
    events = folder.poll(to_the_end=True)
    if ended.status == 0:
        try:
            return (
                folder,
                events,
                folder.commit(bench.store, folder.result().get("metrics", {}), 0.0),
            )
        except BadOutput as refused:
            return folder, events, str(refused)
    assert ended.kind == "bad_output", f"{ended}\n{jobfolder.log_tail(folder.path / 'log')}"
    return folder, events, ended.why


# --- out/


def test_an_out_that_is_a_link_to_a_folder_of_the_host_moves_nothing_there(bench, private):
    before = _look(private)
    folder, _, why = _ends(bench, f"{OUT}; os.symlink({str(private)!r}, out); {END}")
    assert (
        why == "its folder out/ cannot be read: Not a directory"
        or why == "its folder out/ was replaced"
    )
    assert _look(private) == before
    assert not list(bench.store.root.glob("objects/*/*/*"))
    assert handles.remove(folder.path) and _look(private) == before


def test_an_out_that_is_another_folder_than_the_one_that_was_made_is_refused(bench_here):
    code = (
        "job = data.parents[1]; (job / 'mine').mkdir(); data.parent.rename(job / 'old'); (job / "
        "'mine').rename(data.parent)"
    )
    assert _ends(bench_here, code)[2] == "its folder out/ was replaced"


def test_an_out_that_is_no_longer_there_is_refused(bench):
    _, _, why = _ends(bench, f"{OUT}; {END}")
    assert why in (
        "its folder out/ cannot be read: No such file or directory",
        "the stage did not write its output 'data'",
    )


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("os.symlink({private!r} + '/key', data)", "contains a symbolic link"),
        (
            "data.mkdir(); os.symlink({private!r}, data / 'x')",
            "output 'data' contains a symbolic link, data/x -> {private}; write the file itself",
        ),
        (
            "data.mkdir(); os.mkfifo(data / 'x')",
            "output 'data' contains data/x, which is neither a file nor a folder",
        ),
        (
            "data.mkdir(); (data / 'x').touch(mode=0)",
            "output 'data' contains data/x, which cannot be read (mode 0000)",
        ),
        (
            "(data / 'x').mkdir(parents=True); (data / 'x').chmod(0)",
            "output 'data' contains data/x, which cannot be read (mode 0000)",
        ),
        (f"{DEEP}\ndeepen(data, 300)", "nested more than 100 deep"),
        (f"{DEEP}\ndeepen(data, 3000)", "nested more than 100 deep"),
    ],
    ids=[
        "a link",
        "a link inside",
        "a FIFO",
        "an unreadable file",
        "an unreadable folder",
        "300 levels",
        "3000 levels",
    ],
)
def test_what_no_artifact_can_hold_is_a_bad_output(bench, private, code, why):
    before = _look(private)
    folder, _, refused = _ends(bench, code.replace("{private!r}", repr(str(private))) + f"\n{END}")
    assert why.replace("{private}", str(private)) in refused
    assert handles.remove(folder.path) and not folder.path.exists()
    assert _look(private) == before and not list(bench.store.root.glob("objects/*/*/*"))


def test_a_file_of_more_bytes_than_the_disk_has_is_a_bad_output(bench_here):
    _, _, refused = _ends(
        bench_here, f"data.mkdir(); (data / 'x').touch(); os.truncate(data / 'x', 1 << 42); {END}"
    )
    assert "more than its disk has" in refused


def test_a_name_that_is_not_utf_8_is_an_artifact_as_any_other(bench):
    _, _, record = _ends(
        bench, f"data.mkdir(); open(os.fsencode(data) + b'/caf\\xe9', 'w').close(); {END}"
    )
    assert os.listdir(os.fsencode(bench.store.path(record.outputs["data"]))) == [b"caf\xe9"]


def test_a_file_with_two_names_is_copied_and_both_stay_as_they_are(local_bench, private):
    before = (private / "data").stat().st_mode
    _, _, record = _ends(local_bench, f"os.link({str(private / 'data')!r}, data); {END}")
    artifact = local_bench.store.path(record.outputs["data"])
    assert artifact.read_text() == "the host's own" and not artifact.samefile(private / "data")
    assert (private / "data").stat().st_mode == before and not artifact.stat().st_mode & 0o222


def test_two_outputs_of_one_file_are_two_files(bench):
    _, _, record = _ends(
        bench, f"data.mkdir(); (data / 'a').write_text('1'); os.link(data / 'a', data / 'b'); {END}"
    )
    names = [bench.store.path(record.outputs["data"]) / name for name in "ab"]
    assert [path.read_text() for path in names] == ["1", "1"] and all(
        path.stat().st_nlink == 1 for path in names
    )


# --- reports


@pytest.mark.parametrize("name", ["events.jsonl", "result.json"])
@pytest.mark.parametrize("how", REPLACED)
def test_what_is_no_file_of_a_stages_words_is_read_as_nothing(bench, private, name, how):
    before, memory = _look(private), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    code = REPLACED[how].replace("{private!r}", repr(str(private)))
    ends = "data.write_text('done'); os._exit(0)"  # nothing is written after it
    folder, events, record = _ends(
        bench, f"place = data.parents[1] / {name!r}; place.unlink(missing_ok=True); {code}; {ends}"
    )
    assert folder.result() == {} and not isinstance(record, str)
    assert {event["event"] for event in events} <= {"note"} and "stolen" not in str(events)
    assert _look(private) == before
    assert (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 600_000
    )  # kB; 6 GB were requested


def test_a_stage_that_never_stops_reporting_is_heard_so_far_and_no_further(
    local_bench, monkeypatch
):
    monkeypatch.setattr(jobfolder, "EVENTS_MOST", 100)
    monkeypatch.setattr(jobfolder, "READ_MOST", 2000)
    folder, _ = local_bench.does("[metric('loss', 0.5, n) for n in range(1000)]")
    events = folder.poll(to_the_end=True)
    assert 100 <= len(events) < 130
    assert events[-1]["text"] == "it reported more than 100 events, or 64 MB; the rest is left out"


def test_reports_that_are_no_events_are_counted_in_a_note(bench):
    lines = [
        json.dumps({"event": "metric", "name": 123, "value": 1.0, "step": 0, "time": 1}),
        "{",
        "[]",
    ]
    _, events, record = _ends(
        bench,
        f"open(data.parents[1] / 'events.jsonl', 'a').write({chr(10).join(lines) + chr(10)!r})",
    )
    assert [event["text"] for event in events] == record.notes
    assert record.notes == [
        "3 reports left out as invalid: metric.name: Input should be a valid string"
    ]


@pytest.mark.parametrize(
    "how",
    [
        "os.mkfifo(log)",
        "os.symlink({private!r} + '/key', log)",
        "log.mkdir()",
        "os.symlink('/dev/zero', log)",
    ],
)
def test_a_log_that_is_no_file_is_read_as_none_and_made_anew(local_bench, private, how):
    before = _look(private)
    folder, _ = local_bench.does(
        f"log = data.parents[1] / 'log'; log.unlink(); {how.replace('{private!r}', repr(str(private)))}"
    )
    log = folder.path / "log"
    assert jobfolder.log_tail(log) == "" and jobfolder.cut(log) is None
    jobfolder.open_log(log)
    assert stat.S_ISREG(log.lstat().st_mode) and _look(private) == before


# --- what is removed


def test_a_tree_of_3000_levels_in_the_folder_of_temporary_files_is_removed(bench):
    folder, ended = bench.does(f"{DEEP}\ndeepen(Path(os.environ['TMPDIR']) / 'deep', 3000)")
    assert ended.status == 0
    assert handles.remove(folder.path) and not folder.path.exists()
    assert sys.getrecursionlimit() == 1000


def test_removing_a_job_folder_changes_nothing_behind_its_links(bench, private):
    before = _look(private)
    code = (
        f"[os.symlink({str(private)!r}, Path(name)) for name in ('a', 'b')]; Path('c').mkdir(); "
        f"os.symlink({str(private)!r}, 'c/d'); os.chmod('c', 0)"
    )
    folder, ended = bench.does(code)
    assert ended.status == 0, (folder.path / "log").read_text()
    assert handles.remove(folder.path) and not folder.path.exists()
    assert _look(private) == before


@pytest.mark.docker
@pytest.mark.ssh
@pytest.mark.parametrize("name", ["data", "../result.json"])
def test_a_file_that_pretends_to_be_large_on_a_device_is_not_fetched(device_bench, name):
    end = "data.write_text('done'); os._exit(0)" if name != "data" else END
    folder, ended = device_bench.does(f"open(data.parent / {name!r}, 'w').truncate(1 << 42); {end}")
    if name == "data":
        assert (
            ended.kind == "bad_output"
            and "output 'data' contains data of 4,398,046,511,104 bytes, more than its disk has"
            in ended.why
        )
    else:
        assert (ended.status, folder.result()) == (0, {})
