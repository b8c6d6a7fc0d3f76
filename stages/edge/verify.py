"""Opens the package in the same way as a device, and answers raw test items through the task."""

from typing import TYPE_CHECKING, Any, TypedDict

from engine.stage import In, Out, StageError, measuring_on, note, progress

if TYPE_CHECKING:
    pass

LOADS = {"task": "stages.tasks", "accelerator": "stages.accelerators"}


class VerifyMetrics(TypedDict):
    """The number of raw items and of rows in their answers; the share of expected rows that agree, 0 to
    1, and the largest difference of a number in them.
    """

    items: float
    answers: float
    agreement: float
    max_difference: float


def verify(
    package: In,
    test: In,
    golden: Out,
    score: In | None = None,
    *,
    task: str,
    runtime: str = "litert",
    accelerator: str = "none",
) -> VerifyMetrics:
    """Answer the raw items of the test part, and compare the answers with those that `score` expects.

    package: a packaged model; test: a part with raw items; score: its report, with `answers`
    golden:  inputs/ (the raw items) and answers.json: the answers that a device must give before it
             serves this package, and where they were computed
    task:        the task of the packaged model: a module of stages/tasks
    runtime:     of the target: litert or tflite_runtime
    accelerator: of the target: none, or the name of a file in stages/accelerators
    Text must be equal; numbers are compared, and the largest difference is a metric. The task may decide
    which rows belong together: a detected object agrees with an expected one of its class that overlaps
    it. Without `score`, or if it expects nothing, agreement is 1. StageError: a damaged package, no raw
    items, or an unreadable item.
    """
    import json
    import shutil

    from stages.edge import _agreement, _items
    from stages.tasks.task import open_task
    from stages.tflite import part

    opened, items = open_task(package, accelerator, runtime), part.items(test)
    if not items:
        raise StageError(
            "the test part has no raw items: change `dataset` to write some to test/raw"
        )
    golden.mkdir()
    (golden / "inputs").mkdir()
    answers: dict[str, list[dict[str, Any]]] = {}
    for at, item in enumerate(items):
        progress(at, len(items), item.path.name)
        answers[item.path.name] = _items.answers(opened, item.path)
        copy = shutil.copytree if item.path.is_dir() else shutil.copyfile
        copy(item.path, golden / "inputs" / item.path.name)
    about = {
        "task": task,
        "ran_on": opened.ran_on,
        "measured_on": measuring_on(),
        "answers": answers,
    }
    (golden / "answers.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
    report = json.loads(score.read_text(encoding="utf-8")) if score else {}
    agreement, difference = _agreement.compare(opened, answers, report.get("answers", []))
    rows = sum(map(len, answers.values()))
    note(f"answered {len(items)} raw items with {opened.ran_on}: {agreement:.1%} as expected")
    return VerifyMetrics(
        items=float(len(items)),
        answers=float(rows),
        agreement=agreement,
        max_difference=difference,
    )
