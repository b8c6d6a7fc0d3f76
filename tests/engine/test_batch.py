"""A folder that is processed in parts: kept, resumed, and whole in spite of bad files."""

import json
import os
from textwrap import dedent

import pytest

from engine import batch, layout

pytestmark = pytest.mark.slow

PACK = """
    from engine.stage import Out
    def pack(package: Out) -> None:
        package.mkdir()
        (package / "factor").write_text("2")
"""
LOOK = '''
    import json, os, signal, time
    from pathlib import Path
    from engine.stage import In, Out, StageError, note, progress
    def look(package: In, source: In, predictions: Out, *, partial: bool = False, annotate: bool = False) -> None:
        """Multiply the number in each file."""
        factor = int((package / "factor").read_text())
        predictions.mkdir()
        paths = [path for path in sorted(source.rglob("*")) if path.is_file()] or [source]
        with (predictions / "predictions.jsonl").open("w") as lines:
            for path in paths:
                word = path.read_text()
                with open(LOG, "a") as log:
                    log.write(path.name + "\\n")
                if word == "kill":
                    os.kill(os.getpid(), signal.SIGKILL)
                if word == "refuse":
                    raise StageError("this package is damaged")
                while word == "wait" and not Path(LOG).with_name("go").exists():
                    time.sleep(0.05)
                name = str(path.relative_to(source)) if source.is_dir() else path.name
                times = factor * int(word) if word.isdecimal() else 0
                print(json.dumps({"source": name, "times": times}), file=lines)
                if annotate:
                    (predictions / "annotated").mkdir(exist_ok=True)
                    (predictions / "annotated" / (name.replace("/", "_"))).write_text(str(times))
        note("answered")
'''
PACKED = "name: packed\npredict: mystages.look\nstages: {p: {uses: mystages.pack}}\n"


@pytest.fixture
def packed(project, give, monkeypatch):
    """A run that packed a model, and a folder of numbers 1 to 5, answered two at a time."""
    monkeypatch.setattr(batch, "PART", 2)
    project.stage("pack", PACK)
    project.stage("look", f"LOG = {str(project.path / 'log')!r}\n" + dedent(LOOK))
    project.usecase("packed", PACKED)
    (project.path / "mine").mkdir()
    for number in (1, 2, 3, 9, 10):
        (project.path / "mine" / f"f{number}").write_text(str(number))
    assert give("usecase=packed").status == 0
    return project


@pytest.fixture
def predict(packed, give):
    """Give `predict` on the folder; return how it ended and its rows."""

    def given(*words):
        said = give("predict", "usecase=packed", "input=mine", "format=jsonl", *words)
        return said, [json.loads(line) for line in said.lines]

    return given


def seen(packed):
    log = packed.path / "log"
    return log.read_text().split() if log.exists() else []


def test_files_come_in_natural_order_with_folders_and_without_hidden_ones(tmp_path):
    for name in ("b10", "b9", "deep/a", ".DS_Store", "__MACOSX/x", "deep/Thumbs.db"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert batch.names(tmp_path) == ["b9", "b10", "deep/a"]


def test_all_files_are_answered_in_their_order(predict):
    said, rows = predict()
    assert [(row["source"], row["times"]) for row in rows] == [
        *(("f1", 2), ("f2", 4), ("f3", 6), ("f9", 18), ("f10", 20))
    ]
    assert said.status == 0
    assert said.err.splitlines()[1:] == ["note: answered", "5 inputs processed"]


def test_a_table_has_one_head(packed, give):
    said = give("predict", "usecase=packed", "input=mine")
    assert [line.split()[0] for line in said.lines] == ["source", "f1", "f2", "f3", "f9", "f10"]


def test_the_same_command_answers_from_the_store(predict, packed):
    _, first = predict()
    said, again = predict()
    assert (again, len(seen(packed))) == (first, 5)
    assert "5 of 5 files were processed earlier" in said.err


def test_a_file_that_changed_is_answered_again_with_its_part(predict, packed):
    predict()
    (packed.path / "mine/f3").write_text("4")
    _, rows = predict()
    assert rows[2]["times"] == 8
    assert seen(packed)[5:] == ["f3", "f9"]


def test_a_file_that_ends_the_process_is_skipped_and_named(predict, packed):
    (packed.path / "mine/f2").write_text("kill")
    said, rows = predict()
    assert (said.status, [row["source"] for row in rows]) == (0, ["f1", "f3", "f9", "f10"])
    assert "note: f2 was skipped: it was ended by signal 9" in said.err
    assert "4 inputs processed, 1 skipped" in said.err


def test_what_the_stage_refuses_ends_the_command_and_keeps_the_rest(predict, packed):
    (packed.path / "mine/f9").write_text("refuse")
    said, rows = predict()
    assert (said.status, [row["source"] for row in rows]) == (1, ["f1", "f2"])
    assert said.err.splitlines()[-2:] == [
        "2 of 5 files processed; repeat the command to resume",
        "error: this package is damaged",
    ]


def test_annotated_pictures_of_all_parts_are_in_one_folder(predict, packed):
    (packed.path / "mine/g").mkdir()
    (packed.path / "mine/g/1").write_text("7")
    (packed.path / "mine/g_1").write_text("8")
    predict("output=shown")
    names = {path.name: path.read_text() for path in (packed.path / "shown").iterdir()}
    assert {names["g_1"], names["g_1-2"]} == {"14", "16"} and len(names) == 7


def test_an_empty_folder_is_refused(predict, packed):
    for path in (packed.path / "mine").iterdir():
        path.rename(path.with_name(f".{path.name}"))
    said, _ = predict()
    assert said.status == 2
    assert "/mine\n  it contains no files\n" in said.err


def test_it_leaves_no_work_behind(predict, packed):
    predict()
    assert not list((packed.store.root / "work").iterdir())


@pytest.mark.slow
def test_the_same_command_resumes_after_a_kill(packed):
    (packed.path / "mine/f3").write_text("wait")
    for number in range(100):  # of the size that a process of its own has
        (packed.path / "mine" / f"a{number}").write_text("1")
    words = ("predict", "usecase=packed", "input=mine", "format=jsonl")
    process = packed.start(*words)
    packed.until(lambda: "f3" in seen(packed))
    os.kill(process.pid, 9)
    process.communicate()
    assert list((packed.store.root / "work").glob("predict-*"))
    (packed.path / "go").touch()
    result = packed.run(*words)
    assert (result.returncode, len(result.stdout.splitlines())) == (0, 105), result.stderr
    assert "100 of 105 files were processed earlier" in result.stderr
    assert not [name for name in seen(packed) if name[0] == "a" and seen(packed).count(name) > 1]
    assert not list((packed.store.root / "work").iterdir())


@pytest.mark.slow
def test_a_killed_command_is_tidied_up_by_the_next_one(packed, give):
    (packed.path / "mine/f1").write_text("wait")
    process = packed.start("predict", "usecase=packed", "input=mine/f1")
    packed.until(lambda: seen(packed))
    os.kill(process.pid, 9)
    process.communicate()
    assert list((packed.store.root / "work").glob("predict-*"))
    (packed.path / "go").touch()
    give("predict", "usecase=packed", "input=mine/f2")
    assert not list((layout.store_dir(packed.outputs) / "work").iterdir())
