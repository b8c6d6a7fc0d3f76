"""The learners that a network for tables must beat: linear models and gradient boosting of scikit-learn.

Each has several forms, of which validation chooses one. A classifier's answer is probabilities (rows,
classes), a regression's numbers (rows,).
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.tabular._plain import Plain

Answer = Callable[[Plain], NDArray[np.float64]]
Form = Callable[[Plain, int], Answer]  # learns rows, with a seed
MOST_LEVELS = 32  # different numbers to which answers are rounded
MOST_CLASSES = 16  # different numbers that are learnt as classes
FEW_ROWS = 5_000  # up to which quantile regression takes seconds
MOST_ITERATIONS = 2_000
MOST_TREES = 10_000  # of a boosted classifier, which has one tree for each class in each round
LARGE = (
    1e12  # targets above it are scaled: the solver of quantile regression takes 1e20 for infinite
)


def classifiers(classes: int) -> dict[str, dict[str, Form]]:
    """Return the forms of each learner of classes, by name."""
    logistic = {
        f"logistic regression, C={c:g}": _classifier(_logistic(c), classes) for c in (0.1, 1, 10)
    }
    most = max(1, MOST_TREES // classes)
    if most < _rounds(0.1):  # a second form with smaller steps would learn even less
        name = f"31 leaves, rate 0.1, {most} rounds"
        return {
            "linear": logistic,
            "boosting": {name: _classifier(_boosted_classes(31, 0.1, most), classes)},
        }
    boosting = {
        f"{leaves} leaves, rate {rate:g}": _classifier(
            _boosted_classes(leaves, rate, min(most, _rounds(rate))), classes
        )
        for leaves, rate in ((31, 0.1), (7, 0.05))
    }
    return {"linear": logistic, "boosting": boosting}


def shortened(classes: int) -> str:
    """Return a sentence if the boosted trees of so many classes are limited, or an empty text."""
    most = max(1, MOST_TREES // classes)
    if most >= _rounds(0.1):
        return ""
    return (
        f"gradient boosting is limited to {most} instead of {_rounds(0.1)} rounds, because each round grows "
        f"a tree for each of the {classes} classes: as a baseline, it is weaker than usual"
    )


def _rounds(rate: float) -> int:
    return round(10 / rate)


def regressions(truth: NDArray[np.float64]) -> dict[str, dict[str, Form]]:
    """Return the forms of each learner of numbers, by name; truth: of the training rows.

    If the numbers have few values, such as grades, answers are also rounded to these.
    """
    linear = {f"ridge, alpha={a:g}": _regression(_ridge(a)) for a in (1, 100)}
    if len(truth) <= FEW_ROWS:
        linear["least absolute deviations"] = _regression(_quantile())
    boosting = {
        loss.replace("_", " "): _regression(_boosted(loss))
        for loss in ("absolute_error", "squared_error")
    }
    levels = np.unique(truth)
    if len(levels) <= MOST_LEVELS:
        linear |= _rounded_too(linear, levels)
        boosting |= _rounded_too(boosting, levels)
    if len(levels) <= MOST_CLASSES:
        boosting["median of classes"] = _median_of_classes(levels)
    return {"linear": linear, "boosting": boosting}


def _rounded_too(forms: Mapping[str, Form], levels: NDArray[np.float64]) -> dict[str, Form]:
    return {f"{name}, rounded": _rounded(form, levels) for name, form in forms.items()}


def _rounded(form: Form, levels: NDArray[np.float64]) -> Form:
    middles = (levels[1:] + levels[:-1]) / 2

    def learn(rows: Plain, seed: int) -> Answer:
        answer = form(rows, seed)
        return lambda asked: levels[np.searchsorted(middles, answer(asked))]

    return learn


def _median_of_classes(levels: NDArray[np.float64]) -> Form:
    """Learn the numbers as classes, and answer the median of their distribution."""
    form = _classifier(_boosted_classes(31, 0.1, _rounds(0.1)), len(levels))

    def learn(rows: Plain, seed: int) -> Answer:
        classes = np.searchsorted(levels, rows.truth)
        answer = form(Plain(rows.features, rows.is_category, classes), seed)
        return lambda asked: levels[(np.cumsum(answer(asked), 1) >= 0.5).argmax(1)]

    return learn


Estimator = Callable[[Plain, int], Any]  # an estimator of scikit-learn that has not learnt


def _classifier(estimator: Estimator, classes: int) -> Form:
    def learn(rows: Plain, seed: int) -> Answer:
        known = np.unique(rows.truth)
        if len(known) < 2:
            return lambda asked: np.eye(classes)[np.full(len(asked.features), known[0])]
        fitted = estimator(rows, seed).fit(rows.features, rows.truth)

        def answer(asked: Plain) -> NDArray[np.float64]:
            found = np.zeros((len(asked.features), classes))
            found[:, fitted.classes_] = fitted.predict_proba(asked.features)
            return found

        return answer

    return learn


def _regression(estimator: Estimator) -> Form:
    def learn(rows: Plain, seed: int) -> Answer:
        scale = _scale(rows.truth)
        fitted = estimator(rows, seed).fit(rows.features, rows.truth / scale)
        return lambda asked: np.asarray(fitted.predict(asked.features), np.float64) * scale

    return learn


def _scale(truth: NDArray[np.float64]) -> float:
    """Return 1, or a power of two by which enormous numbers are divided without rounding."""
    largest = float(np.abs(truth).max())
    return 1.0 if largest <= LARGE else 2.0 ** math.frexp(largest)[1]


def _logistic(c: float) -> Estimator:
    from sklearn.linear_model import LogisticRegression

    return _linear(lambda: LogisticRegression(C=c, max_iter=MOST_ITERATIONS))


def _ridge(alpha: float) -> Estimator:
    from sklearn.linear_model import Ridge

    return _linear(lambda: Ridge(alpha))


def _quantile() -> Estimator:
    from sklearn.linear_model import QuantileRegressor

    return _linear(lambda: QuantileRegressor(alpha=1e-3))


def _linear(last: Callable[[], Any]) -> Estimator:
    """Return a linear model of standardised numbers and one-hot categories."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    def made(rows: Plain, seed: int) -> Any:
        numbers, categories = np.flatnonzero(~rows.is_category), np.flatnonzero(rows.is_category)
        filled = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
        one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        parts = [
            ("numbers", make_pipeline(filled, StandardScaler()), numbers),
            ("categories", one_hot, categories),
        ]
        return make_pipeline(ColumnTransformer(parts), last())

    return made


def _boosted_classes(leaves: int, rate: float, rounds: int) -> Estimator:
    from sklearn.ensemble import HistGradientBoostingClassifier

    def made(rows: Plain, seed: int) -> Any:
        return HistGradientBoostingClassifier(
            learning_rate=rate,
            max_iter=rounds,
            max_leaf_nodes=leaves,
            categorical_features=rows.is_category,
            early_stopping=False,
            random_state=seed,
        )

    return made


def _boosted(loss: str) -> Estimator:
    from sklearn.ensemble import HistGradientBoostingRegressor

    def made(rows: Plain, seed: int) -> Any:
        return HistGradientBoostingRegressor(
            loss=loss,
            categorical_features=rows.is_category,
            early_stopping=False,
            random_state=seed,
        )

    return made
