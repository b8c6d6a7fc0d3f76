"""Converts linear models and multi-layer perceptrons."""

from typing import Any

import numpy as np

from stages.custom.conversion._written import Converted, refused
from stages.estimators.archive import Written

REGRESSORS = (
    "LinearRegression",
    "Ridge",
    "RidgeCV",
    "Lasso",
    "LassoCV",
    "ElasticNet",
    "ElasticNetCV",
    "BayesianRidge",
    "HuberRegressor",
    "LinearSVR",
    "SGDRegressor",
)
CLASSIFIERS = (
    "LogisticRegression",
    "LogisticRegressionCV",
    "LinearSVC",
    "SGDClassifier",
    "Perceptron",
    "RidgeClassifier",
    "RidgeClassifierCV",
)
NETWORKS = ("MLPClassifier", "MLPRegressor")


def linear(estimator: Any, classes: int) -> Converted:
    """Return x @ coef + intercept, for two classes with a score of 0 for the first one."""
    coefficients = np.atleast_2d(np.asarray(estimator.coef_, np.float64))  # (k, n)
    outputs = len(coefficients)
    intercept = np.broadcast_to(np.asarray(estimator.intercept_, np.float64), outputs)
    if not classes and outputs != 1:
        raise refused(estimator, f"it predicts {outputs} numbers", "Predict one number")
    return _scored([_layer(coefficients.T, intercept)], outputs, classes, _form(estimator, classes))


def network(estimator: Any, classes: int) -> Converted:
    """Return the layers; the last one without its activation, so that classes have logits."""
    hidden, last = len(estimator.coefs_) - 1, len(estimator.coefs_[-1].T)
    if not classes and last != 1:
        raise refused(estimator, f"it predicts {last} numbers", "Predict one number")
    if not classes and estimator.out_activation_ != "identity":
        raise refused(estimator, "its loss changes the output", "Use loss='squared_error'")
    layers = [
        _layer(weights, bias, estimator.activation if at < hidden else "identity")
        for at, (weights, bias) in enumerate(
            zip(estimator.coefs_, estimator.intercepts_, strict=True)
        )
    ]
    return _scored(layers, last, classes, "logits")


def _scored(steps: list[Written], outputs: int, classes: int, form: str) -> Converted:
    if classes == 2 and outputs == 1:
        return Converted([*steps, Written("against_zero", {}, {})], 2, form)
    return Converted(steps, outputs, form if classes else "value")


def _layer(weights: Any, bias: Any, activation: str = "identity") -> Written:
    """Return the layer x @ weights + bias: weights (n, k)."""
    arrays = {
        "weights": np.ascontiguousarray(weights, np.float64),
        "bias": np.array(bias, np.float64),
    }
    return Written("dense", {"activation": activation}, arrays)


def _form(estimator: Any, classes: int) -> str:
    """Return whether the scores are logits: only then is their softmax what the model calls probabilities."""
    name = type(estimator).__name__
    if name.startswith("LogisticRegression"):
        is_joint = classes == 2 or getattr(estimator, "solver", "") != "liblinear"
        return "logits" if is_joint else "margins"
    is_logistic = name == "SGDClassifier" and estimator.loss == "log_loss" and classes == 2
    return "logits" if is_logistic else "margins"
