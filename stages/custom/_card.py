"""Writes the sections of the model card."""

from collections.abc import Mapping
from typing import Any

_FEW = 100  # test examples below which the figures mean little


def sections(metrics: Mapping[str, Any], truth: Mapping[str, Any], training: int) -> dict[str, str]:
    """Return title -> Markdown; truth: of the test part; training: the number of examples."""
    labels = truth["labels"]
    what = f"which of {len(labels)} classes it has: {_listed(labels)}" if labels else "an amount"
    return {
        "Intended use": f"Predict `{truth['target']}` of an example: {what}.",
        "Data": f"{training:,} training and {metrics['test_examples']:,.0f} test examples, as the "
        "owner's `get_data()` returned them.",
        "Figures": _figures(metrics),
        "Limits": "The model knows examples like those of its training. What the owner's code did with "
        "them before, such as leaving some out, is not known here.",
    }


def _figures(metrics: Mapping[str, Any]) -> str:
    if "accuracy" in metrics:
        text = (
            f"Accuracy {_of(metrics, 'accuracy')}; always answering the most frequent class gives "
            f"{metrics['baseline_majority']:.3f}."
        )
        if "float_accuracy" in metrics:
            text += f" Before quantisation: {metrics['float_accuracy']:.3f}."
    else:
        text = (
            f"Mean absolute deviation {_of(metrics, 'mad')}; always answering the training median gives "
            f"{metrics['baseline_median']:.4g}."
        )
        if "float_mad" in metrics:
            text += f" Before quantisation: {metrics['float_mad']:.4g}."
    if metrics["test_examples"] < _FEW:
        text += f"\n\n**{metrics['test_examples']:.0f} test examples are few**: see the interval."
    return text


def _of(metrics: Mapping[str, Any], name: str) -> str:
    low, high = metrics[f"{name}_low"], metrics[f"{name}_high"]
    return f"{metrics[name]:.4g} (95 % interval {low:.4g} to {high:.4g})"


def _listed(labels: list[str]) -> str:
    shown = ", ".join(labels[:8])
    return f"{shown} and {len(labels) - 8} more" if len(labels) > 8 else shown
