"""A job as a folder: the layout, the stage's reports, and the collected outputs."""

import json
import stat

import pytest

from engine import check, jobfolder, spec
from engine.placement import Placement
from engine.plan import ResolvedAsset, settle
from engine.sealing import BadOutput
from engine.signature import Library
from engine.store import Store

PLACE = Placement("linux/amd64", False, "x86_64")
METRIC = {"event": "metric", "name": "loss", "value": 0.5, "step": 1, "time": 7.0}
FIGURE = {
    "event": "figure",
    "kind": "confusion_matrix",
    "name": "int8",
    "labels": ["x"],
    "matrix": [[1]],
    "time": 7.0,
}


@pytest.fixture
def store(project):
    """An empty store."""
    return Store(project.path / "store")


@pytest.fixture
def lay_out(project, store):
    """Lay out the stage `s` of a use case with these keys, which may read the asset `mine`."""
    mine = project.path / "mine.txt"
    mine.write_text("4")

    def laid(**keys):
        usecase = spec.read(
            {"name": "u", "assets": {"mine": str(mine)}, "stages": {"s": keys}}, "u.yaml"
        )[0]
        job = check.check(
            usecase, Library(["mystages"], [project.path]), lambda *_: PLACE, "u.yaml"
        ).jobs["s"]
        assets = {
            "mine": ResolvedAsset("mine", "mine", mine, store.assets.of(mine), None, "", False)
        }
        planned = settle(job, {}, assets, store)
        return jobfolder.lay_out(project.path / "job", planned, {}, assets, store)

    return laid


@pytest.fixture
def make(lay_out):
    """The laid out stage `make`."""
    return lay_out(uses="mystages.make", params={"n": 3})


@pytest.fixture
def double(lay_out):
    """The laid out stage `double`, which declares the metric `total`."""
    return lay_out(uses="mystages.double", inputs={"number": "asset:mine"})


def _says(folder, *lines) -> None:
    with (folder.path / "events.jsonl").open("ab") as file:
        for line in lines:
            file.write(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n")


def test_job_json_says_what_to_call_with_what(double, project, store):
    assert json.loads((double.path / "job.json").read_text()) == {
        "module": "mystages.double",
        "function": "double",
        "params": {},
        "measured_on": double.job.placement.measured_on,
        "inputs": {"number": str(project.path / "mine.txt")},
        "outputs": {"data": str(project.path / "job" / "out" / "data")},
        "checkpoint": str(store.checkpoint(double.planned.fingerprint)),
    }


def test_the_outputs_are_not_there_yet(make):
    assert sorted(path.name for path in make.path.iterdir()) == ["job.json", "out"]
    assert list((make.path / "out").iterdir()) == []


def test_a_commands_words_are_filled_in(lay_out, project):
    folder = lay_out(
        command=["cp", "-n={params.n}", "{inputs.x}", "{outputs.y}/{params.n}"],
        inputs={"x": "asset:mine"},
        outputs=["y"],
        params={"n": 3},
    )
    job = json.loads((folder.path / "job.json").read_text())
    assert job["command"] == [
        "cp",
        "-n=3",
        str(project.path / "mine.txt"),
        f"{project.path / 'job' / 'out' / 'y'}/3",
    ]


def test_a_parameters_value_is_not_filled_in_itself(lay_out):
    folder = lay_out(
        command=["echo", "{params.a}"], outputs=["y"], params={"a": "{params.b}", "b": "secret"}
    )
    assert json.loads((folder.path / "job.json").read_text())["command"] == ["echo", "{params.b}"]


# --- reports


def test_what_the_stage_says_comes_once_and_with_its_name(make):
    _says(make, METRIC)
    assert make.poll() == [{**METRIC, "stage": "s"}]
    assert make.poll() == []


def test_a_line_that_is_still_being_written_waits(make):
    line = json.dumps(METRIC).encode() + b"\n"
    _says(make, line[:10])
    assert make.poll() == []
    _says(make, line[10:])
    assert [event["event"] for event in make.poll()] == ["metric"]


@pytest.mark.parametrize(
    "line",
    [
        b"no json\n",
        b"[1]\n",
        b"\xff\xfe\n",
        b"{}\n",
        b'{"event": "job_finished", "stage": "other"}\n',
        b'{"event": "metric", "name": "loss"}\n',
        b'{"event": ["note"], "text": "x", "time": 1}\n',
        b"null\n",
        b'{"event": "note", "text": "x"}\n',
        b'{"event": "note", "text": "x", "time": null}\n',
        b'{"event": "progress", "done": 1, "total": 2, "time": 1}\n',
        b"[" * 100_000 + b"\n",
    ],
    ids=[
        "text",
        "list",
        "bytes",
        "empty",
        "not its own",
        "half",
        "odd kind",
        "null",
        "without a time",
        "odd time",
        "progress without words",
        "deep",
    ],
)
def test_what_is_no_event_of_a_stage_is_passed_over(make, line):
    _says(make, line, METRIC)
    assert [event["event"] for event in make.poll()] == ["metric"]


def test_a_stage_cannot_speak_for_another(make):
    _says(make, {**METRIC, "stage": "other"})
    assert [event["stage"] for event in make.poll()] == ["s"]


def test_a_stage_cannot_write_what_is_the_journals(make):
    _says(make, {**METRIC, "seq": "x", "v": 99, "more": 1})
    assert make.poll() == [{**METRIC, "stage": "s"}]


def test_a_stage_that_said_nothing_said_nothing(make):
    assert make.poll() == []


@pytest.mark.parametrize("text", [None, "", "{", "\x00"])
def test_a_result_that_is_missing_or_broken_is_empty(make, text):
    if text is not None:
        (make.path / "result.json").write_text(text)
    assert make.result() == {}


# --- outputs


def test_the_outputs_go_into_the_store_with_all_that_was_said(double, store):
    (double.path / "out" / "data").write_text("8")
    _says(
        double,
        METRIC,
        FIGURE,
        {"event": "note", "text": "chosen", "time": 7.0},
        {"event": "progress", "done": 1, "total": 1, "time": 7.0},
    )
    double.poll()
    record = double.commit(store, {"total": 8.0}, 1.5)
    assert store.path(record.outputs["data"]).read_text() == "8"
    assert store.find(double.planned.fingerprint) == record
    assert (record.metrics, record.seconds, record.notes) == ({"total": 8.0}, 1.5, ["chosen"])
    assert record.points == [["loss", 1, 0.5, 7.0]]
    assert record.figures == [{key: FIGURE[key] for key in ("kind", "name", "labels", "matrix")}]


def test_a_figure_is_kept_with_the_fields_of_its_kind_and_one_of_no_kind_is_left_out(double):
    graph = {
        "event": "figure",
        "kind": "op_graph",
        "name": "g",
        "nodes": [],
        "edges": [],
        "time": 7.0,
    }
    _says(
        double,
        graph | {"more": 1},
        {"event": "figure", "kind": "globe", "name": "x", "time": 7.0},
        {"event": "figure", "kind": [], "time": 7.0},
    )
    assert double.poll() == [graph | {"stage": "s"}]


def test_a_folder_is_an_output_too(make, store):
    (make.path / "out" / "data").mkdir()
    (make.path / "out" / "data" / "x").write_text("1")
    place = store.path(make.commit(store, {}, 0.0).outputs["data"])
    assert (place / "x").read_text() == "1" and not (place / "x").stat().st_mode & stat.S_IWUSR


def test_a_metric_that_was_promised_and_not_returned_is_named(double, store):
    (double.path / "out" / "data").write_text("8")
    with pytest.raises(BadOutput, match=r"^the stage did not return its metric 'total'$"):
        double.commit(store, {}, 0.0)


def test_an_output_that_was_not_written_is_named(make, store):
    with pytest.raises(BadOutput, match=r"^the stage did not write its output 'data'$"):
        make.commit(store, {}, 0.0)


# --- the log's end


def test_the_last_twenty_lines_of_a_log_are_its_tail(tmp_path):
    (tmp_path / "log").write_text("".join(f"line {n}\n" for n in range(50)))
    assert jobfolder.log_tail(tmp_path / "log").splitlines() == [f"line {n}" for n in range(30, 50)]


def test_a_huge_line_of_broken_text_is_cut(tmp_path):
    (tmp_path / "log").write_bytes(b"\xff" * 5_000_000)
    assert len(jobfolder.log_tail(tmp_path / "log")) == 500


def test_a_log_that_is_too_long_keeps_its_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(jobfolder, "LOG_MOST", 100)
    monkeypatch.setattr(jobfolder, "LOG_ENDS", 10)
    log = tmp_path / "log"
    log.write_bytes(b"beginning!" + b"x" * 500 + b"the ending")
    with log.open("ab") as stage:
        jobfolder.cut(log)
        stage.write(b" and more")
    assert (
        log.read_bytes()
        == b"beginning!\n--- 500 bytes were left out here: the log was too long\nthe ending and more"
    )


@pytest.mark.parametrize("size", [0, 100, None])
def test_a_log_that_is_short_or_not_there_is_not_cut(tmp_path, monkeypatch, size):
    monkeypatch.setattr(jobfolder, "LOG_MOST", 100)
    if size is not None:
        (tmp_path / "log").write_bytes(b"x" * size)
    jobfolder.cut(tmp_path / "log")
    assert [path.stat().st_size for path in tmp_path.iterdir()] == ([] if size is None else [size])


def test_what_a_stage_says_is_read_in_parts_and_a_line_without_an_end_is_passed_over(
    make, monkeypatch
):
    monkeypatch.setattr(jobfolder, "READ_MOST", 1000)
    _says(make, b"x" * 3500, b"\n", *[json.dumps(METRIC).encode() + b"\n"] * 30)
    polls = [make.poll() for _ in range(20)]
    assert sum(map(len, polls)) == 30 and max(map(len, polls)) < 1000 / len(json.dumps(METRIC))


def test_a_log_that_is_not_there_is_empty(tmp_path):
    assert jobfolder.log_tail(tmp_path / "log") == ""
