"""Converts decision trees, forests and gradient boosting."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stages.custom.conversion._written import Converted, refused
from stages.estimators.archive import Written

SINGLE = (
    "DecisionTreeClassifier",
    "DecisionTreeRegressor",
    "ExtraTreeClassifier",
    "ExtraTreeRegressor",
)
FORESTS = (
    "RandomForestClassifier",
    "RandomForestRegressor",
    "ExtraTreesClassifier",
    "ExtraTreesRegressor",
)
BOOSTED = ("GradientBoostingClassifier", "GradientBoostingRegressor")
HISTOGRAMS = ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor")
_IDENTITY_LOSSES = ("squared_error", "absolute_error", "quantile", "huber")


@dataclass(frozen=True)
class Tree:
    """The nodes of one tree; a leaf has the child -1."""

    feature: Any
    threshold: Any
    left: Any
    right: Any
    missing_left: Any
    values: Any  # (nodes, columns)


def forest(estimator: Any, classes: int) -> Converted:
    """Return a tree, or the mean of several."""
    trees = getattr(estimator, "estimators_", [estimator])
    if getattr(estimator, "n_outputs_", 1) != 1:
        raise refused(estimator, f"it has {estimator.n_outputs_} targets", "Predict one target")
    columns = classes or 1
    found = [_tree(one.tree_, one.tree_.value[:, 0, :columns]) for one in trees]
    step = _step(found, np.zeros(columns), float(len(trees)), estimator, columns, is_single=True)
    return Converted([step], columns, "probabilities" if classes else "value")


def boosted(estimator: Any, classes: int) -> Converted:
    """Return a start and the sum of all trees, scaled by the learning rate."""
    _refuse_other_losses(estimator, classes)
    if not (estimator.init_ == "zero" or type(estimator.init_).__name__.startswith("Dummy")):
        raise refused(estimator, "it starts from another model", "Leave out init=")
    start = estimator._raw_predict_init(np.zeros((1, estimator.n_features_in_), np.float32))[0]
    rate = estimator.learning_rate
    found = [
        _tree(one.tree_, rate * one.tree_.value[:, 0, :1]) for one in estimator.estimators_.flat
    ]
    doubled = 2.0 if getattr(estimator, "loss", "") == "exponential" else 1.0  # of log-odds
    return _boosted(found, start, 1 / doubled, estimator, classes, is_single=True)


def histogram_boosted(estimator: Any, classes: int) -> Converted:
    """Return a start and the sum of all trees."""
    _refuse_other_losses(estimator, classes)
    rounds = estimator._predictors
    nodes = [one.nodes for each in rounds for one in each]
    if np.any(estimator.is_categorical_):  # None: no feature is
        raise refused(
            estimator,
            "it has categorical features",
            "Encode them as numbers in get_data(), and leave out categorical_features=",
        )
    start = np.ravel(estimator._baseline_prediction)
    return _boosted([_of_histogram(one) for one in nodes], start, 1.0, estimator, classes)


def _refuse_other_losses(estimator: Any, classes: int) -> None:
    if not classes and estimator.loss not in _IDENTITY_LOSSES:
        why = f"the loss {estimator.loss!r} predicts the logarithm of a number"
        raise refused(estimator, why, "Use loss='squared_error' or 'absolute_error'")


def _boosted(
    trees: list[Tree],
    start: Any,
    divisor: float,
    estimator: Any,
    classes: int,
    is_single: bool = False,
) -> Converted:
    outputs = len(start)
    step = _step(trees, start, divisor, estimator, outputs, is_single=is_single)
    if not classes:
        return Converted([step], outputs, "value")
    if outputs == 1:
        return Converted([step, Written("against_zero", {}, {})], 2, "logits")
    return Converted([step], outputs, "logits")


def _tree(tree: Any, values: Any) -> Tree:
    """Return the nodes of a tree of sklearn.tree."""
    missing = getattr(tree, "missing_go_to_left", np.zeros(tree.node_count))
    return Tree(
        tree.feature, tree.threshold, tree.children_left, tree.children_right, missing, values
    )


def _of_histogram(nodes: Any) -> Tree:
    """Return the nodes of a tree of sklearn.ensemble._hist_gradient_boosting."""
    is_leaf = nodes["is_leaf"].astype(bool)
    left, right = (
        np.where(is_leaf, -1, nodes[side].astype(np.int64)) for side in ("left", "right")
    )
    values = nodes["value"][:, None]
    return Tree(
        nodes["feature_idx"],
        nodes["num_threshold"],
        left,
        right,
        nodes["missing_go_to_left"],
        values,
    )


def _step(
    trees: Sequence[Tree],
    start: Any,
    divisor: float,
    estimator: Any,
    outputs: int,
    *,
    is_single: bool,
) -> Written:
    """Return the nodes of all trees, one after the other."""
    counts = [len(tree.feature) for tree in trees]
    roots = np.cumsum([0, *counts[:-1]])
    is_leaf = _joined(tree.left < 0 for tree in trees)
    own = np.arange(len(is_leaf))
    children = [
        np.where(
            is_leaf,
            own,
            _joined(getattr(tree, side) + root for tree, root in zip(trees, roots, strict=True)),
        )
        for side in ("left", "right")
    ]
    arrays = {
        "roots": roots,
        "feature": np.where(is_leaf, 0, _joined(tree.feature for tree in trees)),
        "left": children[0],
        "right": children[1],
        "leaf": np.where(is_leaf, np.cumsum(is_leaf) - 1, 0),
    }
    written = {name: array.astype(np.int32) for name, array in arrays.items()}
    written["threshold"] = np.where(is_leaf, 0.0, _joined(tree.threshold for tree in trees))
    written["missing_left"] = _joined(tree.missing_left for tree in trees).astype(bool)
    written["values"] = _joined(tree.values for tree in trees)[is_leaf].astype(np.float64)
    written["start"] = np.array(start, np.float64)
    about = {
        "depth": max(map(_depth, trees)),
        "divisor": divisor,
        "outputs": outputs,
        "features": int(estimator.n_features_in_),
        "is_single": is_single,
    }
    return Written("trees", about, written)


def _joined(arrays: Iterable[Any]) -> Any:
    return np.concatenate(list(arrays))


def _depth(tree: Tree) -> int:
    """Return the number of steps from the root to the deepest leaf."""
    steps, nodes = 0, np.array([0])
    while len(nodes := nodes[tree.left[nodes] >= 0]):
        nodes = np.concatenate([tree.left[nodes], tree.right[nodes]]).astype(np.int64)
        steps += 1
    return steps
