"""The parts that the stage `dataset` writes."""

import json

import numpy as np
import pytest

from engine.stage import StageError
from stages.tasks.text import nearest, rules
from stages.tasks.text.features import Features
from stages.text import _division
from stages.text.dataset import DatasetMetrics, dataset
from stages.text.formats import _findings
from stages.text.intents_sample import intents_sample
from stages.tflite import part
from stages.training import findings, parts
from tests.stages.files import write

FOLDERS = {"train": "train", "val": "train/validation", "test": "test"}


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Run the stage; return its metrics and what it noted."""
    said: list[str] = []
    for module in (findings, parts, _division):
        monkeypatch.setattr(module, "note", said.append)

    def run(folder, **params):
        outputs = (tmp_path / name for name in ("train", "test", "dialogue"))
        return dataset(folder, *outputs, size=256, **params), said

    return run


@pytest.fixture
def sample(tmp_path):
    intents_sample(tmp_path / "sample", each=20)
    return tmp_path / "sample"


def test_each_sentence_is_in_one_part_with_its_vector_and_intent(made, sample, tmp_path):
    metrics, said = made(sample)
    assert said == []
    features = Features.read(tmp_path / "train" / "features")
    seen = []
    for name, place in FOLDERS.items():
        folder = tmp_path / place
        rows = json.loads((folder / "sentences.json").read_text(encoding="utf-8"))
        labels = (folder / "labels.txt").read_text(encoding="utf-8").splitlines()
        truth = np.load(folder / "truth_intent.npy")
        vectors = part.read(folder).tensors["sentence"]
        assert truth.dtype == np.int64 and vectors.dtype == np.uint8
        assert metrics[f"{name}_sentences"] == len(rows) == len(truth)
        assert [labels[at] if at >= 0 else None for at in truth] == [one["intent"] for one in rows]
        assert (vectors == features.vectors([one["text"] for one in rows])).all()
        seen += [one["text"] for one in rows]
    assert len(seen) == len(set(seen)) == 260
    assert (metrics["intents"], metrics["out_of_scope"], metrics["entities"]) == (12, 20, 3)


def test_the_raw_items_are_test_sentences(made, sample, tmp_path):
    made(sample)
    rows = json.loads((tmp_path / "test" / "sentences.json").read_text(encoding="utf-8"))
    items = part.items(tmp_path / "test")
    assert len(items) == part.MOST_ITEMS
    for item in items:
        assert item.path.read_text(encoding="utf-8") == rows[item.first]["text"] + "\n"


def test_the_package_gets_features_rules_and_training_sentences(made, sample, tmp_path):
    made(sample)
    folder = tmp_path / "dialogue"
    found = rules.read(folder)
    assert found.contexts["confirm"].requires == ["booking"]
    assert found.lookups["day"]["tomorrow"] == ["morgen", "domani", "αύριο", "明天"]
    assert found.not_understood[0] == "I only know about our restaurant."
    rows = json.loads((tmp_path / "train" / "sentences.json").read_text(encoding="utf-8"))
    kept = {(one["text"], one["intent"]) for one in nearest.read(folder)}
    assert kept == {(one["text"], one["intent"]) for one in rows}
    assert (
        Features.read(folder).vector("hello")
        == Features.read(tmp_path / "train" / "features").vector("hello")
    ).all()


def test_the_training_sentences_may_stay_at_home(made, sample, tmp_path):
    made(sample, keep_sentences=False)
    assert nearest.read(tmp_path / "dialogue") == []
    about = json.loads((tmp_path / "test" / "constants.json").read_text())
    assert about == {"size": 256, "keep_sentences": False}


def test_only_the_training_part_determines_the_features(made, sample, tmp_path, monkeypatch):
    fitted = []
    fit = Features.fit
    monkeypatch.setattr(
        Features, "fit", lambda texts, size: fitted.append(texts) or fit(texts, size)
    )
    made(sample)
    rows = json.loads((tmp_path / "train" / "sentences.json").read_text(encoding="utf-8"))
    assert fitted == [[one["text"] for one in rows]]


def test_each_kind_of_finding_is_a_metric():
    assert set(_findings.KINDS) < set(DatasetMetrics.__annotations__)


def test_what_is_wrong_is_counted_and_named(made, tmp_path):
    intents = [
        {"tag": "greet", "patterns": ["hi", "Hi", "hello", "hey", "good day", " "]},
        {"tag": "Greet", "patterns": ["a", "b", "c"]},
        {"tag": "book", "patterns": ["a table", "hey", "book it", "reserve"]},
        {"tag": "empty", "patterns": []},
        {"tag": "noanswer", "patterns": [], "responses": ["What?"]},
    ]
    metrics, said = made(write(tmp_path / "in", {"a.json": json.dumps({"intents": intents})}))
    counted = ("repeated", "ambiguous", "blank", "empty_intents", "respelt", "unanswered")
    assert [metrics[one] for one in counted] == [1, 2, 1, 1, 2, 0]
    text = "\n".join(said)
    assert "left out 1 intent without a sentence: empty (a.json)" in text
    assert "'hey' is greet" in text and "Greet, greet" in text


def test_the_reason_of_a_refusal_comes_with_what_was_found(tmp_path, monkeypatch):
    folder = write(tmp_path / "in", {"greet.txt": "hello\n", "book.txt": "hello\n"})
    said: list[str] = []
    monkeypatch.setattr(findings, "note", said.append)
    with pytest.raises(StageError, match="but there are 0"):
        dataset(folder, *(tmp_path / name for name in ("train", "test", "dialogue")))
    assert said[0].startswith("skipped 2 sentences found under two intents")


def test_thirty_sentences_are_enough(made, tmp_path):
    files = {f"{one}.txt": "\n".join(f"{one} {at}" for at in range(5)) for one in "abcdef"}
    metrics, said = made(write(tmp_path / "in", files))
    assert [metrics[f"{name}_sentences"] for name in FOLDERS] == [18, 6, 6]
    assert said == []
