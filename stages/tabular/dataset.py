"""Reads a table, finds out what its columns are, and splits its rows into training, validation and test."""

from typing import TYPE_CHECKING, Annotated, Literal, TypedDict, cast

from engine.stage import In, Out, StageError
from engine.stage.bounds import Range

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from stages.tabular._columns import Columns
    from stages.tabular._division import Parts
    from stages.tabular._target import Target
    from stages.tabular.formats._findings import Findings
    from stages.tasks.columns.schema import Schema


class DatasetMetrics(TypedDict):
    """Numbers of rows in each part, of feature columns, of values in the model's input, and of everything
    that was wrong or noteworthy, by kind (stages.tabular.formats._findings).
    """

    train_rows: float
    val_rows: float
    test_rows: float
    columns: float
    size: float
    classes: float
    suspected_leaks: float
    ignored_files: float
    recoded: float
    broken_rows: float
    stray_quotes: float
    repeated_names: float
    unlabelled: float
    untrained_classes: float
    words_in_numbers: float
    infinite: float
    respelt: float
    empty_columns: float
    constant_columns: float
    id_columns: float
    text_columns: float
    mixed_decimals: float
    copied_columns: float
    dropped_columns: float


def dataset(
    table: In,
    train: Out,
    test: Out,
    columns: Out,
    *,
    target: str | int | None = None,
    task: Literal["regress", "classify"] | None = None,
    test_share: Annotated[float, Range(gt=0, lt=1)] = 0.2,
    val_share: Annotated[float, Range(gt=0, lt=1)] = 0.15,
    date: str | int | None = None,
    group: str | int | None = None,
    drop: list[str | int] | None = None,
    keep: list[str | int] | None = None,
    header: bool | None = None,
    query: str | None = None,
    bins: Annotated[int, Range(ge=1, le=256)] | None = None,
    seed: Annotated[int, Range(ge=0)] = 0,
) -> DatasetMetrics:
    """Read the table, encode each row as the model's input, and split the rows into three parts.

    table:       a CSV, TSV, Parquet or SQLite file, JSON lines, or a folder of them
    train, test: parts with the tensor `row`, uint8 (rows, size); truth_target.npy (rows,), int64 numbers
                 of classes or float64 values; plain.npy, float64 (rows, features), for other learners,
                 with plain.json; columns.json, labels.txt, truth.json and constants.json; train contains
                 the part validation/, test contains rows.json and some rows as raw items
    columns:     what the package needs beside the model: columns.json

    target:     name of the column to learn, or its number from 1, or from the end: -1; null: the last one
    task:       regress: a number; classify: a class; null: found out from the values
    test_share: share of the rows in the test part
    val_share:  share of the rows in the validation part
    date:       a column of dates or numbers: the latest rows are the test; null: split at random
    group:      a column such as a person's or a machine's name: rows with the same value stay in one part
    drop:       columns that are not features
    keep:       columns that are features although they seem to name rows
    header:     whether the first line of a file has the names of the columns; null: found out
    query:      a SELECT statement for a SQLite file; null: its only table
    bins:       most bins of a number; null: 8 to 32, one for each 120 training rows, and
                fewer in a table of more than 128 columns
    seed:       determines the split

    An existing split is kept: a column `split`, or files named train and test. Equal rows stay in one part.
    What is wrong is left out, counted and named. StageError: a file that cannot be read; a column that does
    not exist; a target that does not suit the task; an empty part; no feature.
    """
    from stages.tabular import _columns, _division, _figures, _fit, _leaks
    from stages.tabular.formats import _find
    from stages.tabular.formats._findings import Findings

    if test_share + val_share >= 1:
        raise StageError("test_share and val_share leave no rows for training: lower one of them")
    findings = Findings()
    try:
        found = _find.read(table, query, header, findings)
        lists = tuple(drop or ()), tuple(keep or ())
        asked = _columns.Asked(target, task, date, group, *lists)
        known = _columns.columns(found, asked, findings)
        shares = (test_share, val_share)
        parts = _division.split(
            known.target, known.used, known.splits, known.moments, known.together, shares, seed
        )
        parts, goal = _division.trained(known.target, parts, found.place, findings)
        usual = _fit.usual_bins(len(parts["train"]), max(1, len(known.used)))
        schema = known.schema(parts["train"], bins or usual)
        leaks = _leaks.found(known.used, goal, parts)
        _leaks.tell(leaks)
        _say(schema, goal, parts)
    finally:
        findings.tell()
    _figures.draw(schema, known, goal, parts["train"], leaks)
    values = known.values(schema)
    for name, folder in (("train", train), ("val", train / "validation"), ("test", test)):
        _write(folder, values, parts[name], goal, schema, any(known.splits))
    _write_rows(test, parts["test"], known)
    schema.write(columns)
    return _counted(parts, goal, schema, len(leaks), findings)


def _say(schema: "Schema", goal: "Target", parts: "Parts") -> None:
    """Note the essentials."""
    from collections import Counter

    from engine.stage import note
    from stages.tabular import _division

    types = Counter(one.type for one in schema.used)
    several = {"number": "numbers", "category": "categories", "date": "dates"}
    named = [f"{count} {name if count == 1 else several[name]}" for name, count in types.items()]
    columns = f"{len(schema.used)} of {len(schema.columns) - 1} columns: {', '.join(named)}"
    what = f"{len(goal.labels)} classes" if goal.labels else "numbers"
    sizes = ", ".join(f"{len(parts[part])} for {name}" for part, name in _division.CALLED.items())
    note(f"learns '{goal.name}' ({what}) from {columns}; rows: {sizes}")


def _write(
    folder: "Path",
    values: "NDArray[np.float64]",
    rows: "NDArray[np.int64]",
    goal: "Target",
    schema: "Schema",
    own_split: bool,
) -> None:
    """Write a part with its ground truth, and with what the package and other learners need."""
    import json

    import numpy as np

    from stages.tflite import part

    part.write(folder, {"row": schema.encode(values[rows])})
    np.save(folder / "truth_target.npy", goal.truth[rows])
    np.save(folder / "plain.npy", values[rows])
    plain = [
        {"name": one.name, "column": column.name, "is_category": one.is_category}
        for column in schema.used
        for one in column.features
    ]
    about = {
        "target": goal.name,
        "task": goal.task,
        "labels": list(goal.labels),
        "own_split": own_split,
    }
    files = {
        "plain.json": {"features": plain},
        "truth.json": about,
        "constants.json": {"size": schema.size},
    }
    for name, data in files.items():
        text = json.dumps(data, ensure_ascii=False, indent=1)
        (folder / name).write_text(text + "\n", encoding="utf-8")
    schema.write(folder)
    if goal.labels:
        (folder / "labels.txt").write_text("\n".join(goal.labels) + "\n", encoding="utf-8")


def _write_rows(test: "Path", rows: "NDArray[np.int64]", known: "Columns") -> None:
    """Write the cells of the test rows, and some evenly spaced ones as files, without the target."""
    import csv
    import json

    import numpy as np

    from stages.tflite import part

    table = known.table
    cells = [[column[at] for column in table.columns] for at in rows.tolist()]
    places = [table.place(at) for at in rows.tolist()]
    about = {"names": table.names, "rows": cells, "places": places}
    text = json.dumps(about, ensure_ascii=False)
    (test / "rows.json").write_text(text + "\n", encoding="utf-8")
    others = [at for at, name in enumerate(table.names) if name != known.target.name]
    raw, spans = part.raw_folder(test), {}
    chosen = np.linspace(0, len(rows) - 1, min(part.MOST_ITEMS, len(rows))).round().astype(int)
    for number, at in enumerate(chosen.tolist()):
        name = f"{number:02}.csv"
        with (raw / name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            if table.has_header:
                writer.writerow([table.names[one] for one in others])
            writer.writerow([cells[at][one] for one in others])
        spans[name] = (at, at)
    part.write_items(test, spans)


def _counted(
    parts: "Parts", goal: "Target", schema: "Schema", leaks: int, findings: "Findings"
) -> DatasetMetrics:
    counts = {
        **{f"{name}_rows": float(len(part)) for name, part in parts.items()},
        "columns": float(len(schema.used)),
        "size": float(schema.size),
        "classes": float(len(goal.labels)),
        "suspected_leaks": float(leaks),
        **findings.counts(),
    }
    return cast(DatasetMetrics, counts)
