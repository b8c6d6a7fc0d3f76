"""Average precision of detections against the ground truth, computed by pycocotools, COCO's own program.

It adds what the library does not give: which detection matches which true box, and weights of pictures
for a bootstrap. Source: Lin et al., "Microsoft COCO: Common Objects in Context", 2014, and
https://cocodataset.org/#detection-eval.
"""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from stages.tasks.boxes import Detections

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.detection._truth import Truth

FLOOR = 0.01  # score from which a detection counts for the average precision
MOST = 100  # detections of a picture that count, as in COCO
SIZES = {"small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, 1e10)}  # square pixels
RECALLS = np.linspace(0, 1, 101)
_ALL = 0  # index of "all sizes"
_HALF = 0  # index of the intersection over union of 0.5


@dataclass(frozen=True)
class Found:
    """The detections of all pictures."""

    boxes: "NDArray[np.float32]"  # (n, 4)
    scores: "NDArray[np.float32]"  # (n,)
    classes: "NDArray[np.int64]"  # (n,)
    pictures: "NDArray[np.int64]"  # (n,) ascending


@dataclass(frozen=True)
class Evaluation:
    """Detections matched with the true boxes of their class at an intersection over union of 0.5."""

    truth: "Truth"
    found: Found
    precision: (
        "NDArray[np.float64]"  # (10 overlaps, 101 recalls, classes, all and 3 sizes); NaN: no truth
    )
    matched: "NDArray[np.int64]"  # (n,) row of the true box, -1: none
    ignored: "NDArray[np.bool_]"  # (n,) matches an ignored box, or is beyond MOST

    @property
    def map50(self) -> float:
        """Return the mean average precision at an overlap of 0.5; NaN without any true box."""
        return _mean(self.precision[_HALF, :, :, _ALL])

    @property
    def map(self) -> float:
        """Return the mean over the overlaps 0.5, 0.55 ... 0.95."""
        return _mean(self.precision[:, :, :, _ALL])

    def of_class(self, at: int) -> tuple[float, float]:
        """Return the class's average precision at 0.5, and over the ten overlaps; NaN: not tested."""
        own = self.precision[:, :, at, _ALL]
        return _mean(own[_HALF]), _mean(own)

    def of_size(self, name: str) -> tuple[float, float]:
        """Return the same of the true boxes of a size."""
        own = self.precision[:, :, :, 1 + list(SIZES).index(name)]
        return _mean(own[_HALF]), _mean(own)

    def curve(self, at: int) -> "NDArray[np.float64]":
        """Return the class's precision for each of RECALLS at an overlap of 0.5."""
        return self.precision[_HALF, :, at, _ALL]

    def hits(self, at: int) -> "tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.int64]]":
        """Return scores, whether they match, and pictures of the class's detections, best first."""
        rows = np.flatnonzero((self.found.classes == at) & ~self.ignored)
        rows = rows[np.argsort(-self.found.scores[rows], kind="mergesort")]
        return self.found.scores[rows], self.matched[rows] >= 0, self.found.pictures[rows]

    def wanted(self, at: int) -> "NDArray[np.int64]":
        """Return how many boxes of the class each picture has, without the ignored ones: (pictures,)."""
        rows = (self.truth.classes == at) & ~self.truth.ignored
        return np.bincount(self.truth.pictures[rows], minlength=len(self.truth.names))

    def weighted_map50(self, weights: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """Return map50 for weights of the pictures (draws, pictures): (draws,)."""
        tested = [at for at in range(len(self.truth.labels)) if self.wanted(at).any()]
        each = [_weighted(weights, *self.hits(at), self.wanted(at)) for at in tested]
        with np.errstate(invalid="ignore"):
            total, count = np.nansum(each, 0), np.isfinite(each).sum(0)
            return np.where(count, total / np.maximum(count, 1), 0.0)


def gather(each: Sequence[Detections]) -> Found:
    """Return the detections of all pictures in one."""
    empty = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))
    counts = [len(one.scores) for one in each]
    every = [empty, *each]
    return Found(
        np.concatenate([one.boxes for one in every]).astype(np.float32),
        np.concatenate([one.scores for one in every]).astype(np.float32),
        np.concatenate([one.classes for one in every]).astype(np.int64),
        np.repeat(np.arange(len(each)), counts),
    )


def evaluate(truth: "Truth", each: Sequence[Detections]) -> Evaluation:
    """Compare the detections of each picture with the ground truth.

    Boxes of the truth that are ignored, such as crowds, neither have to be found nor make a detection
    inside them wrong.
    """
    found = gather(each)
    with contextlib.redirect_stdout(io.StringIO()):  # the library prints its progress
        done = _run(_dataset(truth, found), len(truth.labels))
    matched, ignored = np.full(len(found.scores), -1, np.int64), np.ones(len(found.scores), bool)
    pictures = len(truth.names)
    for at in range(len(truth.labels)):
        first = at * (1 + len(SIZES)) * pictures  # by class, then size, then picture
        for one in filter(None, done.evalImgs[first : first + pictures]):
            rows = np.array(one["dtIds"], np.int64) - 1
            matched[rows] = np.array(one["dtMatches"][_HALF], np.int64) - 1
            ignored[rows] = one["dtIgnore"][_HALF]
    precision = done.eval["precision"][..., 0].round(12)  # the library adds 2e-16 to a divisor
    return Evaluation(truth, found, np.where(precision < 0, np.nan, precision), matched, ignored)


def _run(parts: "tuple[dict[str, Any], dict[str, Any]]", classes: int) -> Any:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    sides = []
    for part in parts:
        side = COCO()
        side.dataset = part
        side.createIndex()
        sides.append(side)
    done = COCOeval(*sides, iouType="bbox")
    done.params.catIds = list(range(classes))
    done.params.maxDets = [MOST]
    done.params.areaRng = [[0, 1e10], *map(list, SIZES.values())]
    done.params.areaRngLbl = ["all", *SIZES]
    done.evaluate()
    done.accumulate()
    return done


def _dataset(truth: "Truth", found: Found) -> "tuple[dict[str, Any], dict[str, Any]]":
    """Return truth and detections in COCO's form; identifiers of boxes start at 1."""
    shared = {
        "images": [{"id": at} for at in range(len(truth.names))],
        "categories": [{"id": at, "name": label} for at, label in enumerate(truth.labels)],
    }
    true = _annotations(truth.boxes, truth.classes, truth.pictures, truth.sizes)
    for one, is_ignored in zip(true, truth.ignored, strict=True):
        one["iscrowd"] = int(is_ignored)
    guessed = _annotations(found.boxes, found.classes, found.pictures, truth.sizes)
    for one, score in zip(guessed, found.scores, strict=True):
        one["score"] = float(score)
    return {**shared, "annotations": true}, {**shared, "annotations": guessed}


def _annotations(
    boxes: "NDArray[np.float32]",
    classes: "NDArray[np.int64]",
    pictures: "NDArray[np.int64]",
    sizes: Any,
) -> list[dict[str, Any]]:
    sides = np.asarray(sizes, np.float64).reshape(-1, 2)[pictures]  # (n, 2): height and width
    top_left, bottom_right = boxes[:, :2] * sides, boxes[:, 2:] * sides
    extents = bottom_right - top_left
    return [
        {
            "id": at + 1,
            "image_id": int(pictures[at]),
            "category_id": int(classes[at]),
            "bbox": [*top_left[at, ::-1].tolist(), *extents[at, ::-1].tolist()],
            "area": float(extents[at].prod()),
        }
        for at in range(len(boxes))
    ]


def _mean(precision: "NDArray[np.float64]") -> float:
    return float(np.nanmean(precision)) if np.isfinite(precision).any() else float("nan")


def _weighted(
    weights: "NDArray[np.float64]",
    scores: "NDArray[np.float32]",
    is_hit: "NDArray[np.bool_]",
    pictures: "NDArray[np.int64]",
    wanted: "NDArray[np.int64]",
) -> "NDArray[np.float64]":
    """Return the class's average precision at 0.5 for each draw; NaN: no box in its pictures."""
    totals = weights @ wanted
    found = np.full(len(weights), np.nan)
    for at in np.flatnonzero(totals):
        weight = weights[at, pictures]
        right, every = np.cumsum(weight * is_hit), np.cumsum(weight)
        precision = np.maximum.accumulate((right / np.maximum(every, 1e-9))[::-1])[::-1]
        first = np.searchsorted(right / totals[at], RECALLS - 1e-12)
        found[at] = np.append(precision, 0.0)[first].mean()
    return found
