"""Measures how much worse the int8 model becomes if a column's values are shuffled among the test rows."""

from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from engine.stage import In, Out, note, progress
from engine.stage.bounds import Range
from engine.stage.suffix import Suffix

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stages.tasks.columns.decision import Decision

MOST_RUNS = 100_000  # of the model: about ten seconds
FEWEST_ROWS = 50


class ImportanceMetrics(TypedDict):
    """The number of columns, and of the test rows that were used."""

    columns: float
    rows: float


def importance(
    test: In,
    models: In,
    decision: In,
    report: Annotated[Out, Suffix(".json")],
    *,
    role: str = "model",
    runtime: str = "litert",
    repeats: Annotated[int, Range(ge=2, le=100)] = 10,
    seed: Annotated[int, Range(ge=0, lt=4294967296)] = 0,
) -> ImportanceMetrics:
    """Shuffle one column at a time, and run the int8 model again.

    test:     the part that stages.tabular.dataset wrote
    models:   what `quantise` wrote: <role>/int8.tflite
    decision: what `train` wrote: what the model's output means
    report:   JSON: the figure that becomes worse, and for each column by how much: mean, low and high

    role:    of the model
    runtime: of the target: litert or tflite_runtime
    repeats: how often each column is shuffled
    seed:    of the order

    The figure is the area under the ROC of classes, and the mean absolute deviation of numbers; low and high
    are its range over the repeats. A column that repeats another one has a low importance,
    because the model still has the other. If the table has many columns, fewer rows and repeats are used, to
    bound the time. Sources: Breiman, "Random Forests", 2001; Fisher et al., JMLR 20(177), 2019.
    """
    import json

    import numpy as np

    from stages.tabular import _plain
    from stages.tasks.columns import schema
    from stages.tasks.columns.decision import Decision
    from stages.tflite import part, roles
    from stages.tflite.model import open_model

    spans = schema.read(test).spans()
    decided = Decision.of(json.loads(decision.read_text(encoding="utf-8")))
    rows, truth = part.read(test).tensors["row"], _plain.read(test).truth
    repeats, count = _budget(len(spans), repeats, len(rows))
    chance = np.random.default_rng(seed)
    chosen = np.sort(chance.permutation(len(rows))[:count])
    rows, truth = np.asarray(rows[chosen]), truth[chosen]
    int8, _ = roles.runnable(roles.of_role(models, role))
    model = open_model(int8, runtime)
    (name,) = model.inputs

    def figure(shown: "NDArray[np.uint8]") -> float:
        (output,) = model.dequantised(model.raw_outputs({name: shown})).values()
        return _cost(output, truth, decided)

    whole, found = figure(rows), []
    for at, (column, (start, stop)) in enumerate(spans.items()):
        progress(at, len(spans), column)
        worse = [
            figure(_shuffled(rows, start, stop, chance)) - whole if stop > start else 0.0
            for _ in range(repeats)
        ]
        mean = float(np.mean(worse))
        found.append({"column": column, "mean": mean, "low": min(worse), "high": max(worse)})
    model.close()
    what = "mad" if decided.task == "regress" else "auroc"
    about = {"figure": what, "rows": count, "repeats": repeats, "columns": found}
    text = json.dumps(about, indent=1, ensure_ascii=False) + "\n"
    report.write_text(text, encoding="utf-8")
    if count < len(part.read(test).tensors["row"]):
        note(f"measured with {count} of the test rows, {repeats} times for each column")
    return ImportanceMetrics(columns=float(len(found)), rows=float(count))


def _budget(columns: int, repeats: int, rows: int) -> tuple[int, int]:
    """Return the repeats and rows with which the model does not run too often."""
    repeats = min(repeats, max(2, MOST_RUNS // (columns * FEWEST_ROWS)))
    return repeats, min(rows, max(FEWEST_ROWS, MOST_RUNS // (columns * repeats)))


def _shuffled(
    rows: "NDArray[np.uint8]", start: int, stop: int, chance: "np.random.Generator"
) -> "NDArray[np.uint8]":
    """Return the rows with the values of one column (start to stop) in another order."""
    found = rows.copy()
    found[:, start:stop] = rows[chance.permutation(len(rows)), start:stop]
    return found


def _cost(output: "NDArray[np.float32]", truth: "NDArray[Any]", decision: "Decision") -> float:
    """Return a figure that is higher for a worse model: 1 - area under the ROC, or the mean deviation."""
    from stages.tabular._measures import Tested

    tested = Tested.of(output, truth, decision)
    if decision.task == "regress":
        return tested.mad
    area = tested.auroc()
    return 1 - (tested.accuracy if area is None else area)
