"""Notes and tags of a run: appended durably, read back, and refused with the reason."""

import pytest

from engine import run_annotations
from engine.errors import UserError


def test_notes_keep_their_order_and_their_time(tmp_path):
    for text in ("first", "a line\nand another"):
        run_annotations.add_note(tmp_path, text)
    notes = run_annotations.read(tmp_path).notes
    assert [text for _, text in notes] == ["first", "a line\nand another"]
    assert notes[0][0] <= notes[1][0]


def test_a_tag_is_replaced_and_removed(tmp_path):
    for tags in ({"owner": "ann", "q": "1"}, {"owner": "bob"}, {"q": ""}):
        run_annotations.add_tags(tmp_path, tags)
    assert run_annotations.read(tmp_path).tags == {"owner": "bob"}
    assert run_annotations.removed(tmp_path) == {"q"}


def test_a_run_without_the_file_has_none(tmp_path):
    assert not run_annotations.read(tmp_path)
    assert run_annotations.size_bytes(tmp_path) == 0


def test_a_line_that_a_crash_cut_off_costs_only_itself(tmp_path):
    run_annotations.add_note(tmp_path, "first")
    with (tmp_path / run_annotations.FILE_NAME).open("a") as file:
        file.write('{"v": 1, "no')
    run_annotations.add_note(tmp_path, "second")
    assert [text for _, text in run_annotations.read(tmp_path).notes] == ["first", "second"]


@pytest.mark.parametrize("line", ["[]", "{}", '{"tag": 1}', '{"note": null}', "\udcff", "[" * 9999])
def test_a_line_that_is_no_annotation_is_ignored(tmp_path, line):
    text = f"{line}\n".encode("utf-8", "surrogateescape")
    (tmp_path / run_annotations.FILE_NAME).write_bytes(text)
    assert not run_annotations.read(tmp_path)


@pytest.mark.parametrize("text", ["", "  \n", "x" * 10_001])
def test_a_note_needs_a_text_of_limited_length(tmp_path, text):
    with pytest.raises(UserError, match='note RUN "text"'):
        run_annotations.add_note(tmp_path, text)


@pytest.mark.parametrize(
    ("key", "value", "fix"),
    [
        ("1", "x", "begin with a letter"),
        ("a b", "x", "begin with a letter"),
        ("rpi.x", "x", "my.rpi.x"),
        ("mlflow.note.content", "x", "choose another key"),
        ("status", "x", "my.status"),
        ("a", "x" * 1001, "write the text as a note"),
        ("ownr", "", "did you mean 'owner'"),
    ],
)
def test_an_invalid_tag_is_refused_and_nothing_is_written(tmp_path, key, value, fix):
    run_annotations.add_tags(tmp_path, {"owner": "ann"})
    with pytest.raises(UserError, match=fix):
        run_annotations.add_tags(tmp_path, {"good": "1", key: value})
    assert run_annotations.read(tmp_path).tags == {"owner": "ann"}


def test_the_lines_for_people_have_no_control_characters(tmp_path):
    run_annotations.add_tags(tmp_path, {"a": "1", "b": "2"})
    run_annotations.add_note(tmp_path, "two\nlines \x1b[31m")
    first, second = run_annotations.lines(run_annotations.read(tmp_path))
    assert first == "tags: a=1, b=2"
    assert second.startswith("note: two lines \N{REPLACEMENT CHARACTER}[31m (20")
