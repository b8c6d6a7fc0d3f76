"""The generated sample of sentences."""

import json

from stages.text import _sample_texts as texts
from stages.text.formats import _find
from stages.text.formats._findings import Findings
from stages.text.intents_sample import intents_sample


def _bytes(folder, **params):
    intents_sample(folder, **params)
    return (folder / "intents.json").read_bytes()


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    first = _bytes(tmp_path / "a", seed=3)
    assert first == _bytes(tmp_path / "b", seed=3) != _bytes(tmp_path / "c", seed=4)


def test_it_has_twelve_intents_in_five_languages_and_sentences_out_of_scope(tmp_path):
    metrics = intents_sample(tmp_path / "a")
    findings = Findings()
    corpus = _find.read(tmp_path / "a", findings)
    assert metrics == {"sentences": 520, "intents": 13}
    assert (
        len(corpus.sentences) == 520 and sum(one.intent is None for one in corpus.sentences) == 40
    )
    assert sum(findings.counts().values()) == 0
    text = " ".join(one.text for one in corpus.sentences)
    assert all(word in text for word in ("möchte", "vorrei", "θέλω", "我想", "👋"))


def test_the_words_of_a_sentence_are_of_its_language(tmp_path):
    intents_sample(tmp_path / "a", each=200)
    data = json.loads((tmp_path / "a" / "intents.json").read_text(encoding="utf-8"))
    greek = [text for one in data["intents"] for text in one["patterns"] if "τραπέζι για" in text]
    days = {forms[texts.LANGUAGES.index("el")] for forms in texts.LISTS["day"].values()}
    assert greek and all(any(day in text for day in days) for text in greek)
