"""Reads annotated pictures, and splits them into training, validation and test parts."""

from typing import TYPE_CHECKING, Annotated, Any, TypedDict, cast

from engine.stage import In, Out, StageError
from engine.stage.bounds import Range

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from stages.detection._truth import Truth
    from stages.detection.annotations._findings import Findings
    from stages.detection.annotations._read import Example, Pictures

RAW_BYTES = 4_000_000  # raw items are sent to the device, so they must be small


class DatasetMetrics(TypedDict):
    """Numbers of pictures in each part, of pictures without an object among them, of their boxes and
    classes, and of everything that was wrong, by kind (stages.detection.annotations._findings).
    """

    train_pictures: float
    val_pictures: float
    test_pictures: float
    background_pictures: float
    boxes: float
    classes: float
    ignored_files: float
    orphaned: float
    broken_annotations: float
    unannotated: float
    unassigned: float
    unreadable: float
    mismatched: float
    unusable: float
    repeated_pictures: float
    broken_boxes: float
    unknown_classes: float
    empty_boxes: float
    outside_boxes: float
    repeated_boxes: float
    swapped_boxes: float
    clipped_boxes: float
    respelt_labels: float
    renamed: float
    unsized: float
    scaled: float
    rotated: float


def dataset(
    pictures: In,
    train: Out,
    test: Out,
    decision: In | None = None,
    *,
    size: Annotated[int, Range(ge=32, le=1024)] | None = None,
    accelerator_memory: Annotated[int, Range(ge=0)] = 0,
    test_share: Annotated[float, Range(gt=0, lt=1)] = 0.2,
    val_share: Annotated[float, Range(gt=0, lt=1)] = 0.15,
    seed: Annotated[int, Range(ge=0)] = 0,
) -> DatasetMetrics:
    """Read each annotated picture once, at the network's input size, and split the data set into three
    parts.

    pictures:    pictures annotated as Pascal VOC, COCO, YOLO or in a CSV; a folder, or the .csv or
                 .json file
    decision:    what stages.detection.coco writes, for a detector that is not trained: then all pictures
                 are test pictures, in the size and scaling of its input, and need no annotations
    train, test: parts with the tensor `picture`, uint8 (pictures, size, size, 3), each picture stretched
                 to the square; the boxes of stages.detection._truth; labels.txt and constants.json;
                 train contains the part validation/, test contains some pictures as raw items

    size: side of the network's square input, in pixels; null: 300, or less if the accelerator's memory is
        too small for that (stages.detection._input_size)
    accelerator_memory: bytes in the target's accelerator for a network; 0: not limited
    test_share: share of the pictures in the test part
    val_share: share of the pictures in the validation part
    seed: determines the split

    The split is stratified by the rarest class in a picture; near-duplicates stay in the same part
    (stages.media.duplicates). An existing split is kept. Faulty files, pictures and boxes are fixed or
    left out, and named. StageError: no annotated picture; no box; a class without a training picture;
    no test picture.
    """
    from stages.detection import _input_size, _ready
    from stages.detection.annotations import _labels, _repeated, _sources
    from stages.detection.annotations._findings import Findings
    from stages.detection.annotations._read import Pictures

    findings = Findings()
    ready = _ready.read(decision) if decision else None
    constants = ready.constants if ready else {"size": _input_size.chosen(size, accelerator_memory)}
    try:
        sources = _sources.find(pictures, findings, needs_annotations=ready is None)
        read = Pictures(sources, constants["size"], findings)
        examples = _repeated.merged(read.examples, findings)
        if ready:
            _ready.keep_classes(examples, ready.labels, findings)
        labels = ready.labels if ready else _labels.unify(examples, findings)
    finally:
        findings.tell()
    if ready:
        parts = {"train": [], "val": [], "test": examples}
    else:
        parts = _split(examples, labels, (test_share, val_share), seed)
    for name, folder in (("train", train), ("val", train / "validation"), ("test", test)):
        if parts[name] or name == "train":
            _write(folder, read, parts[name], labels, constants)
    _write_raw(test, parts["test"])
    return _counted(parts, labels, findings)


def _counted(
    parts: "dict[str, list[Example]]", labels: list[str], findings: "Findings"
) -> DatasetMetrics:
    used = [example for part in parts.values() for example in part]
    counts = {
        **findings.counts(),
        **{f"{name}_pictures": float(len(part)) for name, part in parts.items()},
        "background_pictures": float(sum(not one.boxes for one in used)),
        "boxes": float(sum(len(one.boxes) for one in used)),
        "classes": float(len(labels)),
    }
    return cast(DatasetMetrics, counts)


def _split(
    examples: "list[Example]", labels: list[str], shares: tuple[float, float], seed: int
) -> "dict[str, list[Example]]":
    import numpy as np

    from stages.detection.annotations import _labels
    from stages.media import duplicates
    from stages.training.parts import divide

    if not labels:
        raise StageError("the annotations contain no box: annotate the objects to be found")
    strata = _labels.rarest(examples)
    splits = [example.source.split for example in examples]
    group = duplicates.groups(np.stack([example.thumbnail for example in examples]))
    rows = divide(strata, splits, group, range(len(examples)), shares, seed)
    parts = {name: [examples[at] for at in found] for name, found in rows.items()}
    learnt = {box.label for one in parts["train"] for box in one.boxes if not box.is_ignored}
    if missing := sorted(set(labels) - learnt):
        raise StageError(
            f"there are no training pictures of {', '.join(missing)}: add some, or remove the class"
        )
    if not parts["test"]:
        raise StageError("there are no test pictures: annotate at least three pictures")
    return parts


def _write(
    folder: "Path",
    read: "Pictures",
    examples: "list[Example]",
    labels: list[str],
    constants: "Mapping[str, Any]",
) -> None:
    """Write a part with its ground truth, and with the labels and constants for the package."""
    import json

    from stages.detection import _truth
    from stages.tflite import part

    described = {"picture": (read.pixels.shape[1:], "uint8")}
    scaling = {name: one for name, one in constants.items() if name == "picture"}
    target = part.create(folder, len(examples), described, scaling)["picture"]
    for at, example in enumerate(examples):
        target[at] = read.pixels[example.row]
    _truth.write(folder, _truth_of(examples, labels), [one.digest for one in examples])
    text = json.dumps(constants, indent=1)
    (folder / "constants.json").write_text(text, encoding="utf-8")


def _truth_of(examples: "list[Example]", labels: list[str]) -> "Truth":
    import numpy as np

    from stages.detection._truth import Truth

    rows = [(at, box) for at, one in enumerate(examples) for box in one.boxes]
    corners = [(box.top, box.left, box.bottom, box.right) for _, box in rows]
    return Truth(
        boxes=np.array(corners, np.float32).reshape(-1, 4),
        classes=np.array([labels.index(box.label) for _, box in rows], np.int64),
        pictures=np.array([at for at, _ in rows], np.int64),
        ignored=np.array([box.is_ignored for _, box in rows], bool),
        labels=labels,
        names=[one.source.name for one in examples],
        sizes=[one.size for one in examples],
    )


def _write_raw(test: "Path", examples: "list[Example]") -> None:
    """Copy some evenly spaced test pictures unchanged."""
    import shutil

    import numpy as np

    from stages.media.kinds import is_picture
    from stages.tflite import part

    raw, spans = part.raw_folder(test), {}
    paths = [example.source.path for example in examples]
    small = [
        at for at, path in enumerate(paths) if is_picture(path) and path.stat().st_size <= RAW_BYTES
    ]
    chosen = np.linspace(0, len(small) - 1, min(part.MOST_ITEMS, len(small))).round().astype(int)
    for number, at in enumerate(small[one] for one in chosen):
        name = f"{number:02}{paths[at].suffix.lower()}"
        shutil.copyfile(paths[at], raw / name)
        spans[name] = (at, at)
    part.write_items(test, spans)
