"""The task `detect`: finds objects of known classes in a picture, each with its box.

The network sees the whole picture, stretched to its input. Its outputs are box offsets and class
scores for each anchor, which are decoded here, or detections that a `TFLite_Detection_PostProcess`
operator inside the model has already decoded. In a clip, objects are followed: each has an id, and one
that was found stays in the answers while its score is a little too low. Raw inputs are pictures (h, w, 3).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Union

import numpy as np

from engine.stage import StageError
from stages.tasks import boxes
from stages.tasks.boxes import Detections
from stages.tasks.clock import Clock
from stages.tasks.followed_objects import followed
from stages.tasks.package import read_array
from stages.tasks.region import WHOLE, boxes_in
from stages.tasks.signature import Needs, check, check_seen
from stages.tasks.tracking import Tracker
from stages.tflite.scaled import Scaled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.tasks.package import Package
    from stages.tasks.region import Region
    from stages.tasks.task import Detection, Pair, Row, View
    from stages.tflite.tensor import Tensor

    Floor = Union[float, NDArray[Any]]

SEES = MODEL = "model"  # the role
ANCHORS = "anchors.npy"
TASK, TFLITE = "task", "tflite"  # what decodes the outputs: this file, or the model's last operator
BOXES, SCORES = "boxes", "scores"  # the outputs that this file decodes
DECODED = "TFLite_Detection_PostProcess"  # the operator, and its outputs:
DECODED_OUTPUTS = (DECODED, f"{DECODED}:1", f"{DECODED}:2", f"{DECODED}:3")
COLUMNS = "label", "score", "id"
SAME_BOX, SAME_SCORE = 0.9, 0.1  # overlap at least, and difference at most, of answers that agree
WEAK = 0.5  # share of its class's threshold that an object needs if it was found before
_COLOURS = ((240, 60, 60), (60, 120, 240), (40, 170, 70), (230, 150, 30), (160, 70, 200))  # RGB


class State(Clock):
    """The objects in a clip."""

    def __init__(self) -> None:
        super().__init__()
        self.tracker = Tracker()


class Looked(NamedTuple):
    """What the model says about one picture."""

    outputs: Mapping[str, NDArray[Any]]
    detections: Detections  # in the frame
    region: Region  # of the frame, which the model saw


class Detect:
    """A packed object detector."""

    takes = "pictures"
    follows = False
    picture_side = None  # answers are pixels of the picture, which is therefore read at full size

    def __init__(self, package: Package, accelerator: str, runtime: str) -> None:
        self._labels, self._constants = list(package.labels), package.constants
        self._model = package.open_role(MODEL, accelerator, runtime)
        self.ran_on = f"{self._model.runtime} on the {self._model.called}"
        self._anchors = _anchors(package)
        check_outputs(self._model.outputs, self._constants, len(self._labels), len(self._anchors))
        self._thresholds = thresholds(self._constants, self._labels)

    def new_state(self, still: bool = False) -> State | None:
        return None if still else State()

    def answer(self, raw: NDArray[np.uint8], state: State | None) -> dict[str, Any]:
        """Return the objects: label, score, box as top, left, bottom, right in pixels; in a clip, id."""
        return self.conclude(self.look(raw), raw.shape[:2], state)

    def look(self, raw: NDArray[np.uint8]) -> Looked:
        """Return the model's outputs for a picture, and the objects in it."""
        (name,) = self._model.inputs
        pixels = prepared(raw, self._constants)[None]
        return self._read(self._model.predict({name: values(pixels, self._constants)}), WHOLE)

    def answer_seen(
        self,
        outputs: Mapping[str, NDArray[Any]],
        size: tuple[int, ...],
        state: State | None,
        region: Region = WHOLE,
    ) -> dict[str, Any]:
        """Return the answer for a frame that the accelerator saw itself; see `Seer`.

        Such an accelerator returns boxes and scores even if the packed model decodes them itself.
        """
        _check_seen(outputs, self._constants, len(self._labels), len(self._anchors))
        return self.conclude(self._read(outputs, region), size, state)

    def _read(self, outputs: Mapping[str, NDArray[Any]], region: Region) -> Looked:
        """Return what the outputs (1, ...) say about the region of a frame."""
        one = {name: output[0] for name, output in outputs.items()}
        every = found(one, self._constants, self._anchors, self._thresholds)
        return Looked(one, placed(every, region), region)

    def conclude(
        self, looked: Looked, size: tuple[int, ...], state: State | None
    ) -> dict[str, Any]:
        """Return the answer for the objects in a picture."""
        detections = looked.detections
        if state is None:
            return {"objects": objects(detections, self._labels, size)}

        def weak() -> Detections:
            every = below(looked.outputs, self._constants, self._anchors, self._thresholds)
            return placed(every, looked.region)

        every, ids = followed(detections, weak, state.tracker, state.tick(), size)
        numbered = zip(objects(every, self._labels, size), ids)
        return {"objects": [{**each, "id": number} for each, number in numbered]}

    def finish(self, state: State | None) -> None:
        return None

    def rows(self, answer: dict[str, Any]) -> list[dict[str, Any]]:
        return rows(answer)

    def detections(self, answer: dict[str, Any]) -> list[Detection]:
        return [
            {"label": one["label"], "score": one["score"], "box": one["box"], "id": one.get("id")}
            for one in answer["objects"]
        ]

    def matched(self, rows: Sequence[Row], expected: Sequence[Row]) -> list[Pair]:
        return matched(rows, expected)

    def draw(self, picture: NDArray[np.uint8], answer: dict[str, Any]) -> NDArray[np.uint8]:
        from stages.media.drawing import canvas_of

        canvas = canvas_of(picture)
        for one in answer["objects"]:
            top, left, bottom, right = one["box"]
            colour = _COLOURS[self._labels.index(one["label"]) % len(_COLOURS)]
            canvas.box((left, top, right, bottom), colour)
            place = left + 2 * canvas.unit, max(top, 16 * canvas.unit) - 2 * canvas.unit
            number = f" #{one['id']}" if "id" in one else ""
            canvas.text(place, f"{one['label']} {one['score']:.0%}{number}")
        return canvas.picture

    def read(self, path: Path) -> Iterator[Any] | None:
        return None


def load(package: Package, accelerator: str, runtime: str) -> Detect:
    return Detect(package, accelerator, runtime)


def view(constants: Mapping[str, Any]) -> View:
    """Return which part of a frame the network must see."""
    return "whole"


def prepared(picture: NDArray[np.uint8], constants: Mapping[str, Any]) -> NDArray[np.uint8]:
    """Return an RGB picture (h, w, 3) in the network's form: (size, size, 3), uint8, stretched."""
    from stages.media.scaling import resized

    size = int(constants["size"])
    return resized(picture, size, size)


def values(pixels: NDArray[np.uint8], constants: Mapping[str, Any]) -> NDArray[Any] | Scaled:
    """Return pixels of 0 to 255 as the model's values: unchanged, or (pixel - mean) / deviation."""
    scaling = constants.get("picture")
    return Scaled(pixels, scaling["mean"], scaling["deviation"]) if scaling else pixels


def found(
    outputs: Mapping[str, NDArray[Any]],
    constants: Mapping[str, Any],
    anchors: NDArray[Any],
    floor: Floor,
) -> Detections:
    """Return the objects in one picture, in the picture's bounds, after non-maximum suppression.

    outputs: the model's values by name, without batch dimension: boxes (anchors, 4) and scores
             (anchors, columns), or the four outputs of TFLite_Detection_PostProcess
    floor:   the lowest score of a detection, or one for each class (classes,)
    """
    if DECODED in outputs:
        return boxes.clipped(_decoded(outputs, constants, floor))
    scores = outputs[SCORES]
    if "classes" in constants:
        scores = scores[:, constants["classes"]]
    rows, classes = np.nonzero(scores >= np.asarray(floor, np.float32))
    picked = scores[rows, classes]
    if len(picked) > boxes.MOST_CANDIDATES:
        best = np.argsort(-picked, kind="stable")[: boxes.MOST_CANDIDATES]
        rows, classes, picked = rows[best], classes[best], picked[best]
    corners = boxes.decode(outputs[BOXES][rows], anchors[rows], constants["box_scales"])
    every = Detections(corners, picked, classes)
    kept = boxes.suppress(every, float(constants["iou_threshold"]), int(constants["most"]))
    return boxes.clipped(
        kept
    )  # afterwards, as TFLite_Detection_PostProcess suppresses unclipped boxes


def placed(detections: Detections, region: Region) -> Detections:
    """Return detections in a region of a frame as detections in the frame, in its bounds."""
    if region == WHOLE:
        return detections
    moved = boxes_in(detections.boxes, region)
    return boxes.clipped(Detections(moved, detections.scores, detections.classes))


def below(
    outputs: Mapping[str, NDArray[Any]],
    constants: Mapping[str, Any],
    anchors: NDArray[Any],
    floor: NDArray[np.float32],
) -> Detections:
    """Return the objects whose scores are a little below the floor of their class (classes,)."""
    every = found(outputs, constants, anchors, WEAK * floor)
    return every.at(every.scores < floor[every.classes])


def _decoded(
    outputs: Mapping[str, NDArray[Any]], constants: Mapping[str, Any], floor: Floor
) -> Detections:
    """Return the detections of the model's own operator; classes that are not wanted are dropped."""
    corners, columns, scores, count = (outputs[name] for name in DECODED_OUTPUTS)
    valid = min(int(np.ravel(count)[0]), len(scores))
    corners, columns, scores = corners[:valid], columns[:valid].astype(np.int64), scores[:valid]
    every = np.size(floor) if np.ndim(floor) else int(columns.max(initial=0)) + 1
    wanted = np.asarray(constants.get("classes", range(every)))
    is_same = columns[:, None] == wanted[None]  # (valid, classes)
    rows, classes = np.nonzero(is_same)
    lowest = np.broadcast_to(np.asarray(floor, np.float32), wanted.shape)
    good = scores[rows] >= lowest[classes]
    return Detections(corners[rows[good]], scores[rows[good]], classes[good])


def objects(
    detections: Detections, labels: list[str], size: tuple[int, ...]
) -> list[dict[str, Any]]:
    """Return detections as JSON data; size: height and width of the picture in pixels."""
    sides = np.array([*size, *size], np.float32)
    return [
        {
            "label": labels[int(kind)],
            "score": round(float(score), 4),
            "box": [round(float(one), 1) for one in box * sides],
        }
        for box, score, kind in zip(detections.boxes, detections.scores, detections.classes)
    ]


def rows(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one row for each object: label, score, id in a clip, top, left, bottom, right."""
    return [
        {**{key: one[key] for key in COLUMNS if key in one}, **dict(zip(boxes.SIDES, one["box"]))}
        for one in answer["objects"]
    ]


def matched(rows: Sequence[Row], expected: Sequence[Row]) -> list[Pair]:
    """Return the pairs of rows with the same label, about the same box and about the same score.

    Objects of almost equal scores may be in another order on another machine.
    """

    def are_alike(row: Row, wanted: Row) -> bool:
        is_near = abs(row["score"] - wanted["score"]) <= SAME_SCORE
        return is_near and row["label"] == wanted["label"]

    return boxes.matched(rows, expected, SAME_BOX, are_alike)


def thresholds(constants: Mapping[str, Any], labels: list[str]) -> NDArray[np.float32]:
    """Return the lowest score of an answer for each class (classes,)."""
    given = constants.get("thresholds", {})
    if missing := [label for label in labels if label not in given]:
        raise StageError(
            f"the package has no threshold for '{missing[0]}': package the model again"
        )
    return np.array([given[label] for label in labels], np.float32)


def needs(constants: Mapping[str, Any]) -> dict[str, Needs]:
    """Return the outputs that the model must have, by role."""
    if constants.get("postprocess") == TFLITE:
        shapes = ((1, "detections", 4), (1, "detections"), (1, "detections"), (1,))
        return {MODEL: Needs("a detector", dict(zip(DECODED_OUTPUTS, shapes)))}
    columns = "columns" if "classes" in constants else "labels"
    return {MODEL: Needs("a detector", {BOXES: (1, "anchors", 4), SCORES: (1, "anchors", columns)})}


def raw(constants: Mapping[str, Any]) -> dict[str, Any]:
    """Return the constants for boxes and scores: an accelerator that sees the frame itself returns them
    even if the packed model decodes them itself.
    """
    return {**constants, "postprocess": TASK}


def check_outputs(
    outputs: Mapping[str, Tensor], constants: Mapping[str, Any], classes: int, anchors: int
) -> None:
    """Refuse a model whose outputs are not those of a detector, such as a classifier.

    outputs: of the model by name; classes, anchors: how many labels and anchors are packed with it
    """
    check("detect", needs(constants)[MODEL], outputs, {"labels": classes, "anchors": anchors})
    chosen = constants.get("classes")
    if chosen is None:
        return
    columns = outputs[SCORES].shape[-1] if SCORES in outputs else max(chosen, default=0) + 1
    if len(chosen) != classes or max(chosen, default=0) >= columns:
        raise StageError(
            f"the package chooses {len(chosen)} of the model's {columns} classes, but labels.txt has "
            f"{classes}: package the model with the labels of its classes"
        )


def _check_seen(
    outputs: Mapping[str, NDArray[Any]], constants: Mapping[str, Any], classes: int, anchors: int
) -> None:
    """Refuse values that are not the boxes and scores (1, ...) of the detector in an accelerator."""
    if not anchors:
        raise StageError(
            f"the package has no {ANCHORS}, without which boxes that its model has not decoded are of no "
            "use: package a detector that was trained here"
        )
    wanted = needs(raw(constants))[MODEL]
    check_seen("detect", wanted, outputs, {"labels": classes, "anchors": anchors})


def _anchors(package: Package) -> NDArray[np.float32]:
    """Return the packed anchors (anchors, 4); none if only the model has them, which uses them itself."""
    decodes_itself = package.constants.get("postprocess") == TFLITE
    if decodes_itself and f"data/{ANCHORS}" not in package.named:
        return np.zeros((0, 4), np.float32)
    return read_array(package.data(ANCHORS) / ANCHORS)
