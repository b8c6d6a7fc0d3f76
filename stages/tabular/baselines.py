"""Trains what the network is compared with, on the same rows: a constant, a linear model, boosted trees."""

from typing import TYPE_CHECKING, Annotated, Any, NotRequired, TypedDict

from engine.stage import In, Out, note, progress
from engine.stage.bounds import Range

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from stages.tabular._plain import Plain
    from stages.tabular._rivals import Answer, Form


class BaselinesMetrics(TypedDict):
    """On the validation rows, for which the form of each baseline is chosen: the log loss of classes, or the
    mean absolute deviation of numbers. Missing without validation rows.
    """

    val_linear: NotRequired[float]
    val_boosting: NotRequired[float]


def baselines(
    train: In,
    test: In,
    predictions: Out,
    *,
    seed: Annotated[int, Range(ge=0, lt=4294967296)] = 0,
    threads: Annotated[int, Range(ge=1)] = 1,
) -> BaselinesMetrics:
    """Train each baseline, and write its answers to the test rows.

    train, test: the parts that stages.tabular.dataset writes
    predictions: baselines.json: the form of each; majority.npy or median.npy, linear.npy, boosting.npy:
                 float64 probabilities (rows, classes), or numbers (rows,)

    seed:    of the boosted trees
    threads: CPU threads; more of them wait for one another if the processors are busy

    The baselines are the most frequent class or the median; logistic, ridge or quantile regression on
    standardised numbers and one-hot categories; and histogram gradient boosting. Of several forms (losses,
    strengths, answers rounded to the target's values if these are few), the one that is best on the
    validation rows learns training and validation rows. With more than 100 classes, gradient boosting has
    fewer rounds, so that it grows at most 10,000 trees; a note says so.
    """
    import json

    import numpy as np
    from threadpoolctl import threadpool_limits

    from stages.tabular import _plain, _rivals
    from stages.tasks.columns.decision import CLASSIFY

    about, learnt = _plain.about(train), _plain.read(train)
    held = _plain.read(train / "validation") if (train / "validation").is_dir() else None
    asked = _plain.read(test)
    everything = learnt.joined(held) if held else learnt
    if about["task"] == CLASSIFY:
        classes = len(about["labels"])
        counts = np.bincount(everything.truth, minlength=classes)
        found = {"majority": np.tile(counts / counts.sum(), (len(asked.truth), 1))}
        rivals = _rivals.classifiers(classes)
        if text := _rivals.shortened(classes):
            note(text)
    else:
        found = {"median": np.full(len(asked.truth), np.median(everything.truth))}
        rivals = _rivals.regressions(everything.truth)
    forms, figures = {}, {}
    with threadpool_limits(threads):
        steps = _steps(rivals, held)
        for name, several in rivals.items():
            form, figure = _best(several, learnt, held, seed, steps)
            next(steps)
            found[name] = several[form](everything, seed)(asked)
            forms[name] = form
            if figure is not None:
                figures[f"val_{name}"] = figure
    predictions.mkdir()
    for name, answers in found.items():
        np.save(predictions / f"{name}.npy", answers)
    about_forms = json.dumps({"forms": forms}, indent=1) + "\n"
    (predictions / "baselines.json").write_text(about_forms, encoding="utf-8")
    note("chosen by validation: " + "; ".join(f"{name}: {one}" for name, one in forms.items()))
    return BaselinesMetrics(**figures)  # type: ignore[typeddict-item]


def _steps(rivals: "Mapping[str, Mapping[str, Form]]", held: "Plain | None") -> "Iterator[None]":
    """Report progress before each form that learns: those to choose from, and the chosen one again."""
    names = [
        step
        for name, forms in rivals.items()
        for step in [*(f"{name}: {one}" for one in forms if held), name]
    ]
    for at, step in enumerate(names):
        progress(at, len(names), step)
        yield


def _best(
    forms: "Mapping[str, Form]",
    learnt: "Plain",
    held: "Plain | None",
    seed: int,
    steps: "Iterator[None]",
) -> tuple[str, float | None]:
    """Return the name of the best form by validation, and its figure; without validation, the first."""
    if held is None:
        return next(iter(forms)), None
    figures = {}
    for name, form in forms.items():
        next(steps)
        figures[name] = _figure(form(learnt, seed), held)
    best = min(figures, key=lambda name: figures[name])
    return best, figures[best]


def _figure(answer: "Answer", held: "Plain") -> float:
    """Return the log loss of probabilities, or the mean absolute deviation of numbers."""
    import numpy as np

    found: NDArray[Any] = answer(held)
    if found.ndim == 1:
        return float(np.abs(found - held.truth).mean())
    right = found[np.arange(len(found)), held.truth]
    return float(-np.log(np.maximum(right, 1e-6)).mean())
