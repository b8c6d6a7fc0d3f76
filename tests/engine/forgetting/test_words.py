"""A name in its places, in every form in which files contain it, and never as a part of another one."""

import json
import sqlite3
import unicodedata

import pytest

from engine.forgetting.words import REMOVED, Words


@pytest.mark.parametrize(
    ("name", "text", "clean"),
    [
        ("Ann", "left out: Ann/1.jpg, Annie/1.jpg", f"left out: {REMOVED}/1.jpg, Annie/1.jpg"),
        ("Zoë Ä", 'a "Zoë Ä/1.jpg"', f'a "{REMOVED}/1.jpg"'),
        ("Zoë", json.dumps("Zoë/1.jpg"), f'"{REMOVED}/1.jpg"'),
        ("Zoë", unicodedata.normalize("NFD", "Zoë/1.jpg"), f"{REMOVED}/1.jpg"),
        ("A & B", "<td>A &amp; B/1.jpg</td>", f"<td>{REMOVED}/1.jpg</td>"),
        ("Ada L", "see: Ada%20L/1.jpg", f"see: {REMOVED}/1.jpg"),
        ("12", "12 files: 12/1.jpg, 12", f"12 files: {REMOVED}/1.jpg, 12"),
        ("a.c", "abc/1, a.c/1", f"abc/1, {REMOVED}/1"),
        ("Ann", "already there: Bob, Ann", f"already there: Bob, {REMOVED}"),
        ("Ann", "already there: Ann and 3 more", f"already there: {REMOVED} and 3 more"),
        ("Ann", "confused: Ann, Bob (0.912)", f"confused: {REMOVED}, Bob (0.912)"),
        ("Bob", "confused: Ann, Bob (0.912)", f"confused: Ann, {REMOVED} (0.912)"),
        ("Bob", "Ann/1.jpg: Bob 0.912", f"Ann/1.jpg: {REMOVED} 0.912"),
        ("Ann", "first line\nAnn/1.jpg", f"first line\n{REMOVED}/1.jpg"),
    ],
)
def test_a_name_is_replaced_in_each_form(name, text, clean):
    assert Words(name).replaced(text) == clean


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Lee", "left out: Ann Lee/bad.jpg"),
        ("x", "/home/x/1.jpg"),
        ("Ann", "left out: Ann-Marie/1.jpg, Ann Lee/1.jpg"),
        ("Ann", "already there: Ann Lee, Ann-Marie"),
        ("Zoe", unicodedata.normalize("NFD", "Zoë/1.jpg")),
        ("embedder", "embedder"),
        ("embedder", "the embedder is small"),
        ("photos", "run.py input=photos/1.jpg"),
        ("embedder", "run.py stages.embedder.params.role=embedder"),
        ("embedder", '{"embedder": {"role": "embedder"}}'),
    ],
)
def test_a_part_of_a_name_or_a_word_is_no_name(name, text):
    assert Words(name).replaced(text) == text
    assert not Words(name).are_in_bytes(text.encode())


@pytest.mark.parametrize(
    ("name", "other", "text"),
    [
        ("Lee", "Ann: Lee", "left out: Ann: Lee/1.jpg"),
        ("Ann", "Ann, Bob", "already there: Ann, Bob"),
        ("Ann", "Ann/x", "Ann/x/1.jpg"),
    ],
)
def test_a_longer_name_of_somebody_else_is_left(name, other, text):
    assert Words(name).are_in(text)
    assert not Words(name, [name, other]).are_in(text)


def test_a_longer_name_does_not_hide_the_person_beside_it():
    text = "left out: Ann Lee/1.jpg, Ann/1.jpg, Ann Lee/2.jpg"
    assert Words("Ann", ["Ann Lee"]).replaced(text) == text.replace("Ann/", f"{REMOVED}/")


def test_a_name_is_replaced_at_any_depth():
    assert Words("ann").replaced({"ann/": ["ann/1", 1, {"x": "ann/2"}]}) == {
        "ann/": [f"{REMOVED}/1", 1, {"x": f"{REMOVED}/2"}]
    }


@pytest.mark.parametrize(
    ("text", "is_picture"),
    [
        ("score/1.jpg", True),
        ("left out: score/summer, 2020/1.JPG, b/2.jpg", False),
        ("score/summer/1.JPG", True),
        ("score/int8.tflite, b/1.jpg", False),
        ("the score is 1", False),
    ],
)
def test_a_picture_has_a_suffix(text, is_picture):
    assert Words("score").of_pictures.are_in([text]) == is_picture


def test_anywhere_a_name_counts_as_a_word_of_its_own():
    words = Words("Ann", ["Ann Lee"]).anywhere
    assert words.are_in("/data/Ann") and words.are_in("Ann asked")
    assert not any(map(words.are_in, ["Annie", "Ann-Marie", "Ann Lee asked"]))


def test_in_bytes_letters_are_those_of_unicode():
    assert not Words("Ren").anywhere.are_in_bytes("René/1.jpg".encode())
    assert Words("René").anywhere.are_in_bytes("René/1.jpg".encode())


def test_a_name_is_found_in_the_bytes_of_a_database(tmp_path):
    with sqlite3.connect(tmp_path / "x.db") as tables:
        tables.execute("CREATE TABLE notes (text TEXT)")
        tables.execute("INSERT INTO notes VALUES ('left out Adele/1.jpg')")
    tables.close()
    data = (tmp_path / "x.db").read_bytes()
    assert Words("Adele").anywhere.are_in_bytes(data)
    assert not Words("Adel").anywhere.are_in_bytes(data)


def test_a_short_name_in_binary_data_is_chance():
    words = Words("s1").anywhere
    assert not words.are_in_bytes(b"\0s1\0") and words.are_in_bytes(b"a s1 b")
