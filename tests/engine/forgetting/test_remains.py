"""Where a name still is: in names of files, in their bytes, and within archives."""

import sqlite3
import zipfile

import pytest

from engine.forgetting import remains
from engine.forgetting.words import Words


@pytest.fixture
def outputs(tmp_path):
    (tmp_path / "team").mkdir()
    (tmp_path / "team/clean.txt").write_text("Adelene")
    return tmp_path


def _found(outputs):
    return [
        str(path.relative_to(outputs))
        for path in remains.files(outputs, Words("Adele", ["Adele B"]))
    ]


def test_a_name_is_found_in_texts_databases_archives_and_names_of_files(outputs):
    (outputs / "note.txt").write_text("Adele asked")
    (outputs / "team/Adele").mkdir()
    (outputs / "team/Adele/1.png").touch()
    with zipfile.ZipFile(outputs / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("labels.txt", "Adele\n" * 99)
    with sqlite3.connect(outputs / "x.db") as tables:
        tables.execute("CREATE TABLE notes AS SELECT 'Adele' AS text")
    tables.close()
    assert sorted(_found(outputs)) == ["note.txt", "team/Adele/1.png", "x.db", "x.zip"]


def test_somebody_else_whose_name_is_longer_is_no_remainder(outputs):
    (outputs / "note.txt").write_text("left out Adele B/1.jpg and Adele-Marie")
    assert _found(outputs) == []


def test_what_cannot_be_read_stops_nothing(outputs):
    (outputs / "broken.zip").write_bytes(b"PK\x05\x06" + bytes(18))
    (outputs / "gone").symlink_to(outputs / "nowhere")
    assert _found(outputs) == []


def test_a_link_is_not_followed(outputs, tmp_path_factory):
    (own := tmp_path_factory.mktemp("own") / "who.txt").write_text("Adele")
    (outputs / "link").symlink_to(own)
    assert _found(outputs) == []
