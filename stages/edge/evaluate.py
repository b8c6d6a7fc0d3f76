"""The stage that measures the float and the int8 model on the test part, with the target's runtime."""

from typing import TYPE_CHECKING, Any, TypedDict

from engine.stage import In, Out, StageError, confusion_matrix, note, progress

if TYPE_CHECKING:
    from numpy.typing import NDArray


class EvaluateMetrics(TypedDict):
    """accuracy, f1_macro (of the classes that the test part has) and correct are the int8 model's; accuracy_drop is
    float minus int8; shares are 0 to 1."""

    accuracy: float
    float_accuracy: float
    accuracy_drop: float
    f1_macro: float
    correct: float
    test_examples: float
    majority_baseline: float


def evaluate(dataset: In, int8_model: In, float_model: In, report: Out, *, runtime: str = "litert") -> EvaluateMetrics:
    """Compare both models with the truth, clip by clip where examples belong to clips.

    dataset: x_test.npy float32 (examples, ...), y_test.npy int64 (examples,), dataset.json with labels, and, where
             several examples are windows of one clip, clip_test.npy int64 (examples,): their scores are averaged
    report:  JSON: accuracy and F1 of each class, confusion matrix, runtime

    StageError: nothing to test with.
    """
    import json

    import numpy as np

    from stages.edge._runtime import Model

    labels = json.loads((dataset / "dataset.json").read_text(encoding="utf-8"))["labels"]
    x, truth = np.load(dataset / "x_test.npy"), np.load(dataset / "y_test.npy")
    if not len(x):
        raise StageError("the test part is empty")
    int8, floating = Model(int8_model, runtime), Model(float_model, runtime)
    note(f"evaluated with {int8.runtime}")
    scores = {}
    for name, model in (("int8", int8), ("float", floating)):
        progress(len(scores), 2, f"{name} model")
        scores[name] = model.scores(x)
    path = dataset / "clip_test.npy"
    groups = np.load(path) if path.exists() else np.arange(len(x))
    truth = truth[np.unique(groups, return_index=True)[1]]
    guesses = {name: _by_group(score, groups).argmax(1) for name, score in scores.items()}
    matrix = _confusion(truth, guesses["int8"], len(labels))
    f1 = _f1(matrix)
    accuracy, float_accuracy = (float((guesses[name] == truth).mean()) for name in ("int8", "float"))
    confusion_matrix("int8", labels, matrix.tolist())
    classes = {label: {"f1": f1[i], "examples": int(matrix[i].sum())} for i, label in enumerate(labels)}
    about = {
        "runtime": int8.runtime,
        "accuracy": accuracy,
        "float_accuracy": float_accuracy,
        "labels": labels,
        "confusion_matrix": matrix.tolist(),
        "classes": classes,
    }
    report.write_text(json.dumps(about, indent=1), encoding="utf-8")
    tested = matrix.sum(1)  # (classes,)
    return EvaluateMetrics(
        accuracy=accuracy,
        float_accuracy=float_accuracy,
        accuracy_drop=float_accuracy - accuracy,
        f1_macro=float(np.mean([value for value, count in zip(f1, tested, strict=True) if count])),
        correct=float(matrix.trace()),
        test_examples=float(len(truth)),
        majority_baseline=float(tested.max() / len(truth)),
    )


def _by_group(scores: "NDArray[Any]", groups: "NDArray[Any]") -> "NDArray[Any]":
    """Return the mean scores (groups, classes), in the groups' order."""
    import numpy as np

    return np.stack([scores[groups == group].mean(0) for group in np.unique(groups)])


def _confusion(truth: "NDArray[Any]", guess: "NDArray[Any]", classes: int) -> "NDArray[Any]":
    """Return (classes, classes) counts, rows true and columns guessed."""
    import numpy as np

    matrix = np.zeros((classes, classes), int)
    np.add.at(matrix, (truth, guess), 1)
    return matrix


def _f1(matrix: "NDArray[Any]") -> list[float]:
    """Return each class's F1, 2 tp / (2 tp + fp + fn); 0 for a class that is neither there nor guessed."""
    hits = matrix.diagonal()
    wrong = matrix.sum(0) + matrix.sum(1)
    return [float(2 * hit / all_) if all_ else 0.0 for hit, all_ in zip(hits, wrong, strict=True)]
