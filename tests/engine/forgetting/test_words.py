"""A name as a word of its own, in every form in which files contain it."""

import json
import sqlite3

import pytest

from engine.forgetting.words import REMOVED, Words


@pytest.mark.parametrize(
    ("name", "text", "clean"),
    [
        ("Ann", "left out Ann/1.jpg, Annie/1.jpg", f"left out {REMOVED}/1.jpg, Annie/1.jpg"),
        ("Ann", "/data/Ann", f"/data/{REMOVED}"),
        ("Zoë Ä", 'a "Zoë Ä"', f'a "{REMOVED}"'),
        ("Zoë", json.dumps("Zoë/1.jpg"), f'"{REMOVED}/1.jpg"'),
        ("A & B", "<td>A &amp; B</td>", f"<td>{REMOVED}</td>"),
        ("Ada L", "file:///x/Ada%20L/1.jpg", f"file:///x/{REMOVED}/1.jpg"),
        ("12", "12 files, such as 12/1.jpg", f"12 files, such as {REMOVED}/1.jpg"),
        ("a.c", "abc a.c", f"abc {REMOVED}"),
    ],
)
def test_a_name_is_replaced_in_each_form_and_only_as_a_whole_word(name, text, clean):
    assert Words(name).replaced(text) == clean


def test_a_name_is_replaced_at_any_depth():
    assert Words("ann").replaced({"ann": ["ann", 1, {"x": "ann"}]}) == {
        "ann": [REMOVED, 1, {"x": REMOVED}]
    }


def test_in_paths_a_name_counts_only_as_a_folder():
    assert Words("score").of_pictures.are_in(["score/1.jpg"])
    assert not Words("score").of_pictures.are_in(["the score is 1"])


def test_a_name_is_found_in_the_bytes_of_a_database(tmp_path):
    with sqlite3.connect(tmp_path / "x.db") as tables:
        tables.execute("CREATE TABLE notes (text TEXT)")
        tables.execute("INSERT INTO notes VALUES ('left out Adele/1.jpg')")
    data = (tmp_path / "x.db").read_bytes()
    assert Words("Adele").are_in_bytes(data) and not Words("Adel").are_in_bytes(data)


def test_a_short_name_in_binary_data_is_chance():
    assert not Words("s1").are_in_bytes(b"\0s1\0") and Words("s1").are_in_bytes(b"a s1 b")
