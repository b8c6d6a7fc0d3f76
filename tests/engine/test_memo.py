"""Values that are cached between runs: found again, or recomputed."""

import json

import pytest

from engine import memo
from engine.memo import Memo

VALUE = {"inputs": {"data": True}, "metrics": None, "names": ["a", 1.5]}


@pytest.fixture
def file(tmp_path):
    """A file with one value."""
    kept = Memo(tmp_path / "memo.json", "1")
    kept.put("key", VALUE)
    kept.save()
    return tmp_path / "memo.json"


def test_a_value_is_found_again(file):
    assert Memo(file, "1").get("key") == VALUE


def test_the_values_of_another_version_are_not(file):
    assert Memo(file, "2").get("key") is None


@pytest.mark.parametrize("damage", ["", "[]", "null", '{"version": "1"}', "cut", "bit"])
def test_a_damaged_file_counts_as_lost(file, damage):
    text = file.read_text()
    texts = {"cut": text[:-5], "bit": text.replace("true", "false")}
    file.write_text(texts.get(damage, damage))
    assert Memo(file, "1").get("key") is None


def test_what_json_would_change_is_not_kept(file):
    kept = Memo(file, "1")
    for value in ((1, 2), {1: 2}, {1, 2}, float("nan")):
        kept.put("odd", value)
    assert kept.get("odd") is None


def test_of_too_many_those_go_that_were_not_asked_for(file, monkeypatch):
    monkeypatch.setattr(memo, "MOST_ENTRIES", 1)
    kept = Memo(file, "1")
    kept.put("new", 1)
    assert kept.get("new") == 1
    kept.save()
    assert json.loads(file.read_text())["values"] == {"new": 1}


def test_without_a_file_nothing_is_kept(tmp_path):
    kept = Memo(None, "1")
    kept.put("key", 1)
    kept.save()
    assert list(tmp_path.iterdir()) == []
