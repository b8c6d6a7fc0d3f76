"""Reads sentences with their intents, and splits them into training, validation and test parts."""

from typing import TYPE_CHECKING, Annotated, TypedDict, cast

from engine.stage import In, Out
from engine.stage.bounds import Range

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from stages.tasks.text.features import Features
    from stages.text._division import Parts
    from stages.text.formats._corpus import Corpus, Sentence
    from stages.text.formats._findings import Findings


class DatasetMetrics(TypedDict):
    """Numbers of sentences in each part and of those out of scope among them, of intents and entities,
    and of everything that was wrong, by kind (stages.text.formats._findings).
    """

    train_sentences: float
    val_sentences: float
    test_sentences: float
    out_of_scope: float
    intents: float
    entities: float
    ignored_files: float
    recoded: float
    blank: float
    broken_marks: float
    broken_rows: float
    too_long: float
    repeated: float
    ambiguous: float
    empty_intents: float
    respelt: float
    unknown_variables: float
    unanswered: float
    unreachable: float
    unused_responses: float
    unused_synonyms: float


def dataset(
    intents: In,
    train: Out,
    test: Out,
    dialogue: Out,
    *,
    test_share: Annotated[float, Range(gt=0, lt=1)] = 0.2,
    val_share: Annotated[float, Range(gt=0, lt=1)] = 0.15,
    size: Annotated[int, Range(ge=64, le=65536)] = 8192,
    keep_sentences: bool = True,
    not_understood: str = "I did not understand that.",
    seed: Annotated[int, Range(ge=0)] = 0,
) -> DatasetMetrics:
    """Read the sentences, turn each into the model's input, and split the data set into three parts.

    intents:     intents.json, Rasa's nlu.yml, a CSV text,intent[,split], CLINC150's JSON, or a folder with
                 a text file for each intent; beside them, responses.yml
    train, test: parts with the tensor `sentence`, uint8 (sentences, size); truth_intent.npy int64
                 (sentences,), -1: out of scope; sentences.json, labels.txt, truth.json and
                 constants.json; train contains the part validation/ and features/, test contains
                 rules.json and some sentences as raw items
    dialogue:    what the package needs beside the model: the features, rules.json and, if they are kept,
                 the training sentences

    test_share:     share of each intent's sentences in the test part
    val_share:      share of each intent's sentences in the validation part
    size:           length of the vector that describes a sentence
    keep_sentences: true: the package contains the training sentences, to explain answers by similar ones
    not_understood: the answer to a sentence that is not understood, unless the data has one
    seed:           determines the split

    An existing split is kept; equal sentences stay in one part. Faulty sentences are left out, counted and
    named. StageError: a file that cannot be read; fewer than two intents; an intent without a training
    sentence; no test sentence; a pattern that is invalid or could take long.
    """
    from stages.tasks.text import nearest
    from stages.tasks.text.features import Features
    from stages.text import _division, _rules
    from stages.text.formats import _find
    from stages.text.formats._findings import Findings

    findings = Findings()
    try:
        corpus = _find.read(intents, findings)
        sentences = _division.usable(corpus, findings)
        labels = sorted({one.intent for one in sentences if one.intent is not None})
        _tell_intents(corpus, labels, findings)
        rules = _rules.rules(corpus, labels, not_understood, findings)
        parts = _division.split(sentences, corpus.contexts, (test_share, val_share), seed)
    finally:
        findings.tell()
    features = Features.fit([one.text for one in parts["train"]], size)
    for name, folder in (("train", train), ("val", train / "validation"), ("test", test)):
        if parts[name]:
            _write(folder, parts[name], labels, features, keep_sentences)
    _write_raw(test, parts["test"])
    features.write(train / "features")
    features.write(dialogue)
    rules.write(test)  # `score` needs the contexts
    rules.write(dialogue)
    if keep_sentences:
        nearest.write(dialogue, [_plain(one) for one in parts["train"]])
    return _counted(parts, len(labels), len({*rules.lookups, *rules.patterns}), findings)


def _tell_intents(corpus: "Corpus", labels: "Sequence[str]", findings: "Findings") -> None:
    """Report intents that have lost all sentences, and those that may be the same."""
    from stages.text.formats._corpus import is_fallback

    for intent, source in corpus.intents.items():
        if intent not in labels and not is_fallback(intent):
            findings.add("empty_intents", intent, source)
    folded = [label.casefold() for label in labels]
    for label in labels:
        if folded.count(label.casefold()) > 1:
            findings.add("respelt", label)


def _plain(sentence: "Sentence") -> dict[str, str | None]:
    return {"text": sentence.text, "intent": sentence.intent}


def _write(
    folder: "Path",
    sentences: "Sequence[Sentence]",
    labels: "Sequence[str]",
    features: "Features",
    keep_sentences: bool,
) -> None:
    """Write a part with its ground truth, and with the labels and constants for the package."""
    import json

    import numpy as np

    from stages.tflite import part

    part.write(folder, {"sentence": features.vectors([one.text for one in sentences])})
    at = {label: number for number, label in enumerate(labels)}
    truth = [-1 if one.intent is None else at[one.intent] for one in sentences]
    np.save(folder / "truth_intent.npy", np.array(truth, np.int64))
    rows = [{**_plain(one), "source": one.source} for one in sentences]
    own_split = any(one.split for one in sentences)
    constants = {"size": features.size, "keep_sentences": keep_sentences}
    files = {
        "sentences.json": rows,
        "truth.json": {"labels": labels, "own_split": own_split},
        "constants.json": constants,
    }
    for name, data in files.items():
        text = json.dumps(data, ensure_ascii=False, indent=1)
        (folder / name).write_text(text + "\n", encoding="utf-8")
    (folder / "labels.txt").write_text("\n".join(labels) + "\n", encoding="utf-8")


def _write_raw(test: "Path", sentences: "Sequence[Sentence]") -> None:
    """Write some evenly spaced test sentences, each as a file."""
    import numpy as np

    from stages.tflite import part

    raw, spans = part.raw_folder(test), {}
    count = min(part.MOST_ITEMS, len(sentences))
    chosen = np.linspace(0, len(sentences) - 1, count).round().astype(int)
    for number, at in enumerate(chosen.tolist()):
        name = f"{number:02}.txt"
        (raw / name).write_text(sentences[at].text + "\n", encoding="utf-8")
        spans[name] = (at, at)
    part.write_items(test, spans)


def _counted(parts: "Parts", intents: int, entities: int, findings: "Findings") -> DatasetMetrics:
    used = [one for part in parts.values() for one in part]
    counts = {
        **findings.counts(),
        **{f"{name}_sentences": float(len(part)) for name, part in parts.items()},
        "out_of_scope": float(sum(one.intent is None for one in used)),
        "intents": float(intents),
        "entities": float(entities),
    }
    return cast(DatasetMetrics, counts)
