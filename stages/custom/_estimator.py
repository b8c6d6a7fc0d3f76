"""Fits a scikit-learn estimator, and writes it as arrays that give the same answers."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.stage import StageError, note, progress
from stages.custom import _folder
from stages.custom._learnt import Learnt, Parts
from stages.custom.conversion import _convert
from stages.estimators import archive
from stages.tflite import roles

try:
    import sklearn
except ImportError:  # then the user's model.py cannot have made an estimator
    sklearn = None

_NAMED = 3  # warnings
_MARGINS = "margins"


def learn(estimator: Any, parts: Parts, model: Path, folder: Path, seed: int) -> Learnt:
    """Fit the estimator, and write arrays.npz; StageError: it has no exact form."""
    if parts.x.ndim != 2:
        raise StageError(
            f"an example has the shape {list(parts.x.shape[1:])}, but scikit-learn's estimators take rows "
            "of numbers: add x = x.reshape(len(x), -1) to get_data()"
        )
    x, rows = parts.x.astype(np.float64), parts.x_test.astype(np.float64)
    progress(0, 2, f"fitting {type(estimator).__name__}")
    _fit(estimator, x, _truth(parts), folder, seed)
    progress(1, 2, "converting")
    classes = len(parts.labels)
    converted = _convert.converted(estimator, classes)
    labels = parts.names() if classes else None
    _convert.check_exact(estimator, converted, np.concatenate([x, rows]), labels)
    model.mkdir()
    archive.write(model / roles.file_of("arrays"), converted.steps, x.shape[1], converted.outputs)
    version = getattr(sklearn, "__version__", "")
    note(
        f"{type(estimator).__name__} of scikit-learn {version} is stored as arrays, which give the same "
        f"answers for all {len(x) + len(rows):,} training and test examples"
    )
    if converted.form == _MARGINS:
        note("this model has no probabilities: `score` in answers only tells how sure it is")
    sizes = [array.size for step in converted.steps for array in step.arrays.values()]
    form = "probabilities" if converted.form == "probabilities" else ""
    return Learnt(converted.outputs, form, sum(sizes))


def _truth(parts: Parts) -> NDArray[Any]:
    return parts.names()[parts.y] if parts.labels else parts.y


def _fit(estimator: Any, x: NDArray[Any], y: NDArray[Any], folder: Path, seed: int) -> None:
    """Fit the estimator, with the user's own modules at hand; tell its warnings."""
    with warnings.catch_warnings(record=True) as told, _folder.inside(folder, seed):
        warnings.simplefilter("always")
        with _folder.explained(folder, f"fitting {type(estimator).__name__}"):
            estimator.fit(x, y)
    texts = dict.fromkeys(str(one.message).partition("\n")[0] for one in told)
    for text in list(texts)[:_NAMED]:
        note(f"{type(estimator).__name__}: {text:.200}")
