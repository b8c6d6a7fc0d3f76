"""Writes the sections of the model card for a table."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

FEW = 100  # test rows below which the figures mean little
LISTED = 20  # classes that the card lists one by one
NAMED = 5  # most important columns
DIGITS = 4
_SIMPLEST = {"majority": "always the most frequent class", "median": "always the median"}
_FIGURES = {"accuracy": "accuracy", "auroc": "area under the ROC", "mad": "mean absolute deviation"}
_CALLED = {**_SIMPLEST, "linear": "linear model", "boosting": "gradient boosting"}


def sections(
    metrics: Mapping[str, Any],
    about: Mapping[str, Any],
    parts: Mapping[str, NDArray[Any]],
    forms: Mapping[str, str],
    importance: Mapping[str, Any],
) -> dict[str, str]:
    """Return title -> Markdown.

    about: target and labels; parts: true values by part; forms: of the baselines, by name
    """
    labels = about["labels"]
    what = f"which of {len(labels)} classes it has" if labels else "a number"
    return {
        "Intended use": (
            f"Predict `{_text(about['target'])}` of a row from its other columns: {what}. For rows that "
            "come about in the same way as those of the table. It finds what goes together, not what causes "
            "what, so it is no ground for decisions about people."
        ),
        "Data": _data(labels, parts),
        "Figures": _figures(metrics, labels),
        "Baselines": _baselines(metrics, forms, labels),
        "Important columns": _columns(importance),
        "Limits": (
            "A value beyond the range of training counts as the end of the range, and a category that "
            "training did not have as a rare one; the answer says so. The figures hold for rows like those "
            "of the table: if machines, people or times change, measure again."
        ),
    }


def _data(labels: Sequence[str], parts: Mapping[str, NDArray[Any]]) -> str:
    sizes = ", ".join(f"{len(one):,} {name}" for name, one in parts.items())
    text = f"Rows: {sizes}. Equal rows are in the same part."
    if not labels:
        every = np.concatenate(list(parts.values()))
        low, middle, high = (_number(float(one)) for one in np.quantile(every, (0, 0.5, 1)))
        return f"{text} The target ranges from {low} to {high}; its median is {middle}."
    if len(labels) > LISTED:
        return f"{text} There are {len(labels)} classes, which the report lists."
    counts = [np.bincount(one, minlength=len(labels)) for one in parts.values()]
    heads = f"| class | {' | '.join(parts)} |\n| --- |{' --- |' * len(parts)}"
    rows = [
        f"| {_text(label)} | {' | '.join(str(one[at]) for one in counts)} |"
        for at, label in enumerate(labels)
    ]
    return "\n".join([f"{text}\n", heads, *rows])


def _figures(metrics: Mapping[str, Any], labels: Sequence[str]) -> str:
    count = int(metrics["test_examples"])
    names = {"accuracy": "Accuracy", "auroc": "Area under the ROC"}
    if not labels:
        names = {"mad": "Mean absolute deviation"}
    elif len(labels) > 2:
        names["auroc"] = "Area under the ROC, mean of each class against all others"
    lines = []
    for name, title in names.items():
        if name in metrics:
            lines.append(
                f"{title} on {count:,} test rows: {_of(metrics, name)}{_before(metrics, name)}."
            )
    if "interval_coverage" in metrics:
        lines.append(
            f"Of the test rows, {metrics['interval_coverage']:.0%} lie between the answer's `low` and "
            "`high`; 80 % are meant to."
        )
    if count < FEW:
        lines.append(f"**{count} test rows are few.** Look at the intervals, not at the figures.")
    return "\n\n".join(lines)


def _of(metrics: Mapping[str, Any], name: str) -> str:
    low, high = _number(metrics[f"{name}_low"]), _number(metrics[f"{name}_high"])
    return f"{_number(metrics[name])} (95 % interval {low} to {high})"


def _before(metrics: Mapping[str, Any], name: str) -> str:
    before = metrics.get(f"float_{name}")
    return f"; of the float model {_number(before)}" if before is not None else ""


def _baselines(metrics: Mapping[str, Any], forms: Mapping[str, str], labels: Sequence[str]) -> str:
    """Return a table of the figures, and in plain words whether a baseline is better."""
    names = ["accuracy", "auroc"] if labels else ["mad"]
    names = [name for name in names if name in metrics]
    rows = [("this model, int8", [metrics[name] for name in names])]
    for name in (*_SIMPLEST, "linear", "boosting"):
        if f"baseline_{name}" in metrics:
            called = f"{_CALLED[name]} ({forms[name]})" if forms.get(name) else _CALLED[name]
            area = [metrics.get(f"baseline_{name}_auroc")] if "auroc" in names else []
            rows.append((called, [metrics[f"baseline_{name}"], *area]))
    heads = f"| | {' | '.join(_FIGURES[name] for name in names)} |\n| --- |{' --- |' * len(names)}"
    lines = [f"| {name} | {' | '.join(map(_number, values))} |" for name, values in rows]
    return "\n".join([f"{_verdict(metrics, names)}\n", heads, *lines])


def _verdict(metrics: Mapping[str, Any], names: Sequence[str]) -> str:
    """Say which baseline is better in which figure, and whether that may be chance."""
    better = []
    for name in names:
        suffix = "_auroc" if name == "auroc" else ""
        for rival in (*_SIMPLEST, "linear", "boosting"):
            theirs, ours = metrics.get(f"baseline_{rival}{suffix}"), metrics[name]
            if theirs is not None and (theirs < ours if name == "mad" else theirs > ours):
                inside = metrics[f"{name}_low"] <= theirs <= metrics[f"{name}_high"]
                chance = ", within the model's interval" if inside else ""
                better.append(f"{_CALLED[rival]} has a better {_FIGURES[name]}{chance}")
    if not better:
        return "On the same rows, no baseline is better than the model."
    return f"**A baseline is better:** {'; '.join(better)}."


def _columns(importance: Mapping[str, Any]) -> str:
    found = sorted(importance["columns"], key=lambda one: -one["mean"])[:NAMED]
    listed = ", ".join(f"{_text(one['column'])} ({one['mean']:.3g})" for one in found)
    return (
        f"By how much the {_FIGURES[importance['figure']]} becomes worse if a column's values are shuffled: "
        f"{listed}."
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.{DIGITS}g}"


def _text(text: str) -> str:
    return html.escape(text, quote=False).replace("|", "\\|").replace("`", "'")
