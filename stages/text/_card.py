"""Writes the intent classifier's sections of the model card."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

FEW = 100  # test sentences in scope below which the figures mean little
LISTED = 40  # intents that the card lists one by one
KEPT = (
    "\n\nThe training sentences travel in the package, readable for everyone who has it, with whatever "
    "personal data they contain. `params.keep_sentences=false` leaves them out."
)


def sections(
    metrics: Mapping[str, Any],
    labels: Sequence[str],
    counts: Mapping[str, NDArray[np.int64]],
    threshold: float,
    *,
    keeps_sentences: bool,
) -> dict[str, str]:
    """Return title -> Markdown.

    counts: sentences of each intent (classes,), by part; keeps_sentences: the package has the training ones
    """
    return {
        "Intended use": (
            f"Recognise which of {len(labels)} intents a sentence has, and answer it. Not for emergencies, "
            "and not for decisions about people's health, safety or rights."
        ),
        "Data": _data(labels, counts) + (KEPT if keeps_sentences else ""),
        "Figures": _figures(metrics, threshold),
        "Limits": _limits(metrics),
    }


def _data(labels: Sequence[str], counts: Mapping[str, NDArray[np.int64]]) -> str:
    sums = ", ".join(f"{part.sum()} {name}" for name, part in counts.items())
    fewest = counts["training"].min()
    text = (
        f"{len(labels)} intents; sentences with an intent: {sums}. The rarest intent has {fewest} "
        f"training {'sentence' if fewest == 1 else 'sentences'}."
    )
    if len(labels) > LISTED:
        return f"{text} The report lists the intents."
    rows = [
        f"| {_cell(label)} | {' | '.join(str(part[at]) for part in counts.values())} |"
        for at, label in enumerate(labels)
    ]
    heads = f"| intent | {' | '.join(counts)} |\n| --- |{' --- |' * len(counts)}"
    return "\n".join([f"{text}\n", heads, *rows])


def _cell(text: str) -> str:
    return html.escape(text, quote=False).replace("|", "\\|")


def _figures(metrics: Mapping[str, Any], threshold: float) -> str:
    count = int(metrics["test_examples"])
    lines = [
        f"Accuracy on {count} test sentences with an intent: {_of(metrics, 'accuracy')}"
        + (
            f"; of the float model {metrics['float_accuracy']:.3f}"
            if "float_accuracy" in metrics
            else ""
        )
        + f". Always answering the most frequent intent gives {metrics['majority_baseline']:.3f}, the "
        f"nearest mean of the training sentences {metrics['centroid_accuracy']:.3f}.",
        f"A sentence is answered from a confidence of {threshold:.3f}: {metrics['coverage']:.1%} of these "
        f"sentences{_right(metrics)}.",
    ]
    if "oos_auroc" in metrics:
        lines.append(
            f"Of {metrics['oos_examples']:.0f} test sentences without an intent, "
            f"{metrics['oos_rejected']:.1%} are not answered; area under the ROC: "
            f"{_of(metrics, 'oos_auroc')}."
        )
    if count < FEW:
        lines.append(
            f"**These figures mean little.** {count} test sentences cannot tell an accuracy of "
            f"{metrics['accuracy_low']:.0%} from one of {metrics['accuracy_high']:.0%}, and people will "
            "write sentences of other kinds. Try it with people who did not write the sentences."
        )
    return "\n\n".join(lines)


def _of(metrics: Mapping[str, Any], name: str) -> str:
    low, high = metrics[f"{name}_low"], metrics[f"{name}_high"]
    return f"{metrics[name]:.3f} (95 % interval {low:.3f} to {high:.3f})"


def _right(metrics: Mapping[str, Any]) -> str:
    if "answered_accuracy" not in metrics:
        return ""
    return f", and {metrics['answered_accuracy']:.1%} of these answers are right"


def _limits(metrics: Mapping[str, Any]) -> str:
    text = (
        "The model knows words and letter groups of its training sentences only, in their languages. It "
        "does not know the world: a synonym that occurs in no training sentence means nothing to it. "
        "A sentence about something else may still get an answer."
    )
    if "oos_auroc" not in metrics:
        text += " How often is unknown, because no test sentence was out of scope."
    return text
