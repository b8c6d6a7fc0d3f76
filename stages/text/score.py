"""Compares the intent classifier's answers with the truth of the test part, sentence by sentence."""

from typing import TYPE_CHECKING, Annotated, Any, NotRequired, TypedDict

from engine.stage import In, Out, measured_on, note
from engine.stage.suffix import Suffix
from stages.training.findings import listed

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from stages.tasks.text.decision import Decision
    from stages.text._measures import Tested
    from stages.tflite.outputs import Outputs

NAMED = 8  # intents named in a note


class ScoreMetrics(TypedDict):
    """accuracy, top_3, f1_macro (over the intents with test sentences) and correct describe the int8
    model as it ran on the target, on the sentences in scope, whether it answers them or not;
    test_examples is their number. Shares range from 0 to 1.
    accuracy_low, accuracy_high: the 95 % interval of accuracy by bootstrap over the sentences.
    accuracy_drop is float minus int8; accuracy_drop_beyond_one is the same, but 0 if only one sentence
    is lost; it has a gate. Both are missing for a model without a float form.

    coverage is the share of the sentences in scope that are answered, answered_accuracy the accuracy of
    these answers (missing if there is none), and oos_rejected the share of the oos_examples sentences
    out of scope that get no answer. oos_auroc is the area under the ROC of the confidence, the chance
    that a sentence in scope has a higher one than a sentence out of scope; oos_auroc_low and
    oos_auroc_high are its 95 % interval, float_oos_auroc is the float model's. These, oos_rejected
    included, are missing if no test sentence is out of scope.

    baseline_margin is accuracy minus majority_baseline, the share of the most frequent intent;
    centroid_margin is accuracy minus centroid_accuracy, that of the nearest mean of the training
    vectors. untested_classes counts the intents without a test sentence.

    accuracy_build is measured on the build machine; accuracy_delta is the target's accuracy minus it.
    outputs_differ, max_step_difference and reference_bit_equal are copied from `infer`.
    """

    accuracy: float
    accuracy_low: float
    accuracy_high: float
    float_accuracy: NotRequired[float]
    accuracy_drop: NotRequired[float]
    accuracy_drop_beyond_one: NotRequired[float]
    top_3: float
    f1_macro: float
    correct: float
    test_examples: float
    coverage: float
    answered_accuracy: NotRequired[float]
    oos_examples: float
    oos_rejected: NotRequired[float]
    oos_auroc: NotRequired[float]
    oos_auroc_low: NotRequired[float]
    oos_auroc_high: NotRequired[float]
    float_oos_auroc: NotRequired[float]
    majority_baseline: float
    baseline_margin: float
    centroid_accuracy: float
    centroid_margin: float
    untested_classes: float
    accuracy_build: float
    accuracy_delta: float
    outputs_differ: float
    max_step_difference: float
    reference_bit_equal: float


def score(
    test: In,
    train: In,
    outputs: In,
    reference: In,
    decision: In,
    report: Annotated[Out, Suffix(".json")],
) -> ScoreMetrics:
    """Compare outputs with the ground truth.

    test, train: the parts that stages.text.dataset wrote
    outputs:     what `infer` wrote: logits (sentences, intents)
    reference:   what `reference` wrote: the same on the build machine, int8 and float
    decision:    what `train` wrote: the confidence from which a sentence is answered
    report:      JSON: the metrics, where they were measured, the answers that `verify` expects for the
                 raw items, and sections of the model card

    The metrics are recorded as measured where `infer` ran. StageError: outputs for another number of
    sentences, several output tensors, or no test sentence in scope.
    """
    import json

    import numpy as np

    from stages.tasks.text.decision import Decision
    from stages.text import _card, _figures, _measures
    from stages.tflite import outputs as raw_outputs

    truth, labels = np.load(test / "truth_intent.npy"), _lines(test / "labels.txt")
    _measures.check(truth)
    decided = Decision.of(json.loads(decision.read_text(encoding="utf-8")))
    forms = raw_outputs.forms(outputs, reference)
    there = forms["int8"]
    tested = {name: _tested(one, truth, decided) for name, one in forms.items()}
    measured_on(there.about["measured_on"])
    metrics = ScoreMetrics(
        **_measures.accuracy(tested, _centroid_accuracy(train, test), there.about["difference"]),
        **_measures.answers(tested["int8"], tested.get("float")),
    )
    counts = _counts(train, test, len(labels))
    drawn = {name: one for name, one in tested.items() if name != "build"}
    sentences = json.loads((test / "sentences.json").read_text(encoding="utf-8"))
    _figures.draw(drawn, labels, sentences, counts)
    _warn(metrics, tested["int8"], labels)
    whole = {
        **{name: there.about[name] for name in ("runtime", "accelerator", "measured_on")},
        **metrics,
        "answers": _answers(test, tested["int8"], labels),
        "card": _card.sections(
            metrics, labels, counts, decided.threshold, keeps_sentences=_keeps_sentences(test)
        ),
    }
    report.write_text(json.dumps(whole, indent=1, ensure_ascii=False), encoding="utf-8")
    return metrics


def _tested(found: "Outputs", truth: "NDArray[np.int64]", decision: "Decision") -> "Tested":
    from stages.evaluation import classifier
    from stages.text._measures import Tested

    logits = classifier.only_output(found.values(), len(truth), "an intent classifier", "sentences")
    return Tested.of(logits, truth, decision)


def _centroid_accuracy(train: "Path", test: "Path") -> float:
    import numpy as np

    from stages.text import _measures
    from stages.tflite import part

    return _measures.centroid_accuracy(
        part.read(train).tensors["sentence"],
        np.load(train / "truth_intent.npy"),
        part.read(test).tensors["sentence"],
        np.load(test / "truth_intent.npy"),
    )


def _counts(train: "Path", test: "Path", classes: int) -> "dict[str, NDArray[np.int64]]":
    """Return the number of sentences of each intent (classes,), by part."""
    import numpy as np

    found = {}
    for name, folder in (("training", train), ("validation", train / "validation"), ("test", test)):
        if (folder / "truth_intent.npy").is_file():
            intents = np.load(folder / "truth_intent.npy")
            found[name] = np.bincount(intents[intents >= 0], minlength=classes)
    return found


def _warn(metrics: ScoreMetrics, int8: "Tested", labels: list[str]) -> None:
    """Emit notes about gaps in the test part and about figures that mean little."""
    from stages.evaluation import classifier

    if untested := classifier.untested(int8.matrix, labels):
        note(f"the test part has no sentence of {listed(untested, NAMED)}: add sentences")
    for text in classifier.no_better(metrics, int8.matrix, labels, "sentences"):
        note(text)
    if "oos_auroc" not in metrics:
        note(
            "no test sentence is out of scope, so it is unknown how many of those would be answered: "
            "add an intent out_of_scope with sentences that it must not answer"
        )


def _answers(test: "Path", int8: "Tested", labels: list[str]) -> list[dict[str, Any]]:
    """Return what the package answers to the raw items, each alone: no context is active."""
    from stages.tasks.text import dialogue, rules
    from stages.tflite import part

    contexts = rules.read(test).contexts if (test / rules.FILE).is_file() else {}
    found = []
    for item in part.items(test):
        at = item.first
        intent = None
        if int8.is_answered[at]:
            intent = dialogue.chosen(int8.probabilities[at], labels, contexts, {})
        row = {"intent": intent or "", "score": round(float(int8.confidence[at]), 4)}
        found.append({"file": item.path.name, "rows": [row]})
    return found


def _keeps_sentences(test: "Path") -> bool:
    """Return whether the training sentences are packed with the model."""
    import json

    constants = json.loads((test / "constants.json").read_text(encoding="utf-8"))
    return bool(constants["keep_sentences"])


def _lines(path: "Path") -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()
