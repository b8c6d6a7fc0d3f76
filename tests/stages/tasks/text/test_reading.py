"""Files of sentences, in whatever encoding and form people have them."""

import pytest

from stages.media.unreadable import Unreadable
from stages.tasks.text import reading


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
def test_unicode_is_read_with_and_without_a_mark(tmp_path, encoding):
    path = tmp_path / "a.txt"
    path.write_bytes("Grüße\nσήμερα 👋\n  \nche ore sono\n".encode(encoding))
    assert list(reading.sentences(path)) == ["Grüße", "σήμερα 👋", "che ore sono"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_a_nul_character_is_left_out(tmp_path, encoding):
    path = tmp_path / "a.txt"
    path.write_bytes("Grü\0ße\nche ore sono".encode(encoding))
    assert list(reading.sentences(path)) == ["Grüße", "che ore sono"]


def test_a_quote_that_is_never_closed_swallows_nothing(tmp_path):
    (tmp_path / "a.csv").write_text('text,n\na,1\n"b,2\nc,3\n')
    with pytest.raises(Unreadable, match="row in line 3 never ends"):
        list(reading.sentences(tmp_path / "a.csv"))


def test_anything_else_is_western_and_said_to_be(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(reading, "note", said.append)
    (tmp_path / "a.txt").write_bytes("Perché è “così”".encode("cp1252"))
    assert list(reading.sentences(tmp_path / "a.txt")) == ["Perché è “così”"]
    assert said == ["a.txt is not UTF-8: read as Western European (cp1252)"]


@pytest.mark.parametrize(
    "text",
    [
        "intent,text\ngreet,hello\nbook,a table\n",
        "Text;Label\nhello;greet\na table;book\n",
        "ID\tUtterance\n1\thello\n2\ta table\n",
        '"text"\n"hello"\n\n"a table"\n',
    ],
)
def test_a_table_is_read_by_its_column_of_text(tmp_path, text):
    (tmp_path / "a.csv").write_text(text)
    assert list(reading.sentences(tmp_path / "a.csv")) == ["hello", "a table"]


def test_quoted_line_breaks_belong_to_the_sentence(tmp_path):
    (tmp_path / "a.csv").write_text('text,n\n"one,\ntwo",1\n')
    assert list(reading.sentences(tmp_path / "a.csv")) == ["one,\ntwo"]


def test_a_table_without_text_names_its_columns(tmp_path):
    (tmp_path / "a.csv").write_text("name,age\nann,3\n")
    with pytest.raises(Unreadable, match="'name,age', without the column text; write text there"):
        list(reading.sentences(tmp_path / "a.csv"))


def test_a_file_without_a_sentence_is_unreadable(tmp_path):
    (tmp_path / "a.txt").write_text("\n \n")
    with pytest.raises(Unreadable, match="no sentence"):
        list(reading.sentences(tmp_path / "a.txt"))
