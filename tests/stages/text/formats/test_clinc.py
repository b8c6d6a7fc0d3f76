"""CLINC150's JSON."""

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from stages.text.formats import _find
from stages.text.formats._findings import Findings

MIRROR = Path(os.environ.get("RPI_MLOPS_MIRROR", "/nowhere"))
DATA = {
    "train": [["hello", "greet"], ["", "greet"], ["a"], ["b", 1]],
    "oos_train": [["how tall", "oos"]],
    "val": [["hi", "greet"]],
    "oos_test": [["how old", "oos"]],
    "comment": "x",
}


def test_lists_are_parts_and_oos_is_out_of_scope(read):
    found = read(**{"data.json": json.dumps(DATA)})
    assert [(one.text, one.intent, one.split) for one in found.corpus.sentences] == [
        ("hello", "greet", "train"),
        ("how tall", None, "train"),
        ("hi", "greet", "val"),
        ("how old", None, "test"),
    ]
    assert found.counts == {"blank": 1, "broken_rows": 2}


def test_other_json_files_are_named(read):
    found = read(**{"data.json": json.dumps(DATA), "domains.json": '{"home": ["lights"]}'})
    assert found.counts["ignored_files"] == 1


@pytest.mark.mirror
def test_the_published_data_has_all_its_sentences():
    folder = MIRROR / "chatbot/clinc150"
    if not folder.is_dir():
        pytest.skip("RPI_MLOPS_MIRROR names no folder with CLINC150")
    found = Counter(
        (one.split, one.intent is None) for one in _find.read(folder, Findings()).sentences
    )
    assert found == {
        ("train", False): 15000,
        ("val", False): 3000,
        ("test", False): 4500,
        ("train", True): 100,
        ("val", True): 100,
        ("test", True): 1000,
    }
