"""Converts a fitted scikit-learn estimator or pipeline to arrays, and checks that the answers are equal."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.stage import StageError
from stages.custom.conversion import _linear, _preprocessing, _trees
from stages.custom.conversion._written import Converted, refused
from stages.estimators.archive import assembled

_SEARCHES = ("GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV")
_RELATIVE = 1e-9  # sums in another order differ by about 1e-15 of the largest term
_KINDS = (
    (_linear.REGRESSORS, _linear.linear),
    (_linear.CLASSIFIERS, _linear.linear),
    (_linear.NETWORKS, _linear.network),
    (_trees.SINGLE, _trees.forest),
    (_trees.FORESTS, _trees.forest),
    (_trees.BOOSTED, _trees.boosted),
    (_trees.HISTOGRAMS, _trees.histogram_boosted),
)
_INSTEAD = {  # what to use for popular estimators without an exact form
    "KNeighborsClassifier": "RandomForestClassifier or MLPClassifier",
    "KNeighborsRegressor": "RandomForestRegressor or MLPRegressor",
    "SVC": "LinearSVC, or MLPClassifier",
    "NuSVC": "LinearSVC, or MLPClassifier",
    "SVR": "LinearSVR, or MLPRegressor",
    "GaussianNB": "LogisticRegression",
    "AdaBoostClassifier": "GradientBoostingClassifier",
    "AdaBoostRegressor": "GradientBoostingRegressor",
    "BaggingClassifier": "RandomForestClassifier",
    "BaggingRegressor": "RandomForestRegressor",
    "GaussianProcessRegressor": "MLPRegressor",
}


def converted(estimator: Any, classes: int) -> Converted:
    """Return the steps of a fitted estimator or pipeline; classes: their number, 0 for a number.

    StageError: it has no exact form.
    """
    *before, last = _unfolded(estimator)
    steps = [_preprocessing.converted(step) for step in before]
    found = _model(last, classes)
    return Converted([*steps, *found.steps], found.outputs, found.form)


def check_exact(
    estimator: Any, found: Converted, rows: NDArray[np.float64], labels: NDArray[Any] | None
) -> None:
    """Raise StageError unless the arrays answer every row as the estimator does.

    Classes must be equal. Numbers may differ by 1e-9 of the largest one: sums of float64 in another order
    differ by less.
    """
    made = assembled(found.steps, rows.shape[1], found.outputs).predict(rows)
    expected = estimator.predict(rows)
    if labels is not None:
        wrong = labels[made.argmax(1)] != expected
    else:
        expected = np.asarray(expected, np.float64).reshape(len(rows))
        largest = np.abs(expected).max(initial=0.0)
        wrong = ~(np.abs(made[:, 0] - expected) <= _RELATIVE * max(largest, 1e-300))
    if wrong.any():
        raise refused(
            estimator,
            f"its answers as arrays differ for {int(wrong.sum())} of {len(rows)} rows from those of "
            "scikit-learn",
        )


def _unfolded(estimator: Any) -> list[Any]:
    """Return the steps of a pipeline, also of one that a search has chosen."""
    name = type(estimator).__name__
    if name in _SEARCHES:
        if not hasattr(estimator, "best_estimator_"):
            raise refused(
                estimator, "it has not fitted its best estimator", "Leave out refit=False"
            )
        return _unfolded(estimator.best_estimator_)
    if name != "Pipeline":
        return [estimator]
    steps = [step for _, step in estimator.steps if step is not None and step != "passthrough"]
    return [inner for step in steps for inner in _unfolded(step)]


def _model(estimator: Any, classes: int) -> Converted:
    name, module = type(estimator).__name__, type(estimator).__module__
    if module.partition(".")[0] != "sklearn":
        raise refused(estimator, f"its class comes from {module}, not from scikit-learn")
    convert = next((function for names, function in _KINDS if name in names), None)
    if convert is None:
        fix = f"Use {_INSTEAD[name]} instead" if name in _INSTEAD else ""
        raise refused(estimator, "it has no exact form as arrays", fix)
    try:
        return convert(estimator, classes)
    except AttributeError as error:
        raise StageError(
            f"{name} cannot be packed: this version of scikit-learn stores it in another way ({error})"
        ) from error
