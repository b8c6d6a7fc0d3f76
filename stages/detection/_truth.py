"""The ground truth of a part: the boxes in each picture, in files `truth*` that `dataset` writes."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.stage import StageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """The boxes of all pictures in the order of the pictures, and what is known of each picture."""

    boxes: NDArray[np.float32]  # (boxes, 4): top, left, bottom, right as shares of height and width
    classes: NDArray[np.int64]  # (boxes,)
    pictures: NDArray[np.int64]  # (boxes,) row of the picture in the part, ascending
    ignored: NDArray[np.bool_]  # (boxes,) neither trained on nor counted: `difficult`, `iscrowd`
    labels: list[str]  # sorted; a class is an index into them
    names: list[str]  # (pictures,) relative to the user's folder
    sizes: list[tuple[int, int]]  # (pictures,) height and width of the upright picture, in pixels

    def __len__(self) -> int:
        return len(self.names)

    def of(self, row: int) -> "Truth":
        """Return the ground truth of one picture, whose row is then 0."""
        first, last = np.searchsorted(self.pictures, [row, row + 1])
        return Truth(
            boxes=self.boxes[first:last],
            classes=self.classes[first:last],
            pictures=self.pictures[first:last] - row,
            ignored=self.ignored[first:last],
            labels=self.labels,
            names=self.names[row : row + 1],
            sizes=self.sizes[row : row + 1],
        )


def read(folder: Path) -> Truth:
    """Return the ground truth that stages.detection.dataset wrote; StageError: there is none."""
    try:
        about = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
        boxes, classes, pictures, ignored = (
            np.load(folder / f"truth_{name}.npy", allow_pickle=False)
            for name in ("boxes", "class", "picture", "ignored")
        )
        return Truth(
            boxes=boxes,
            classes=classes,
            pictures=pictures,
            ignored=ignored,
            labels=about["labels"],
            names=about["names"],
            sizes=[(height, width) for height, width in about["sizes"]],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StageError(
            f"{folder.name} has no boxes of stages.detection.dataset ({error}): build it with that "
            "stage"
        ) from None


def write(folder: Path, truth: Truth, digests: list[str]) -> None:
    """Write the ground truth into a part; digests: of each picture's pixels, (pictures,)."""
    np.save(folder / "truth_boxes.npy", truth.boxes.astype(np.float32).reshape(-1, 4))
    np.save(folder / "truth_class.npy", truth.classes.astype(np.int64))
    np.save(folder / "truth_picture.npy", truth.pictures.astype(np.int64))
    np.save(folder / "truth_ignored.npy", truth.ignored.astype(bool))
    about = {
        "labels": truth.labels,
        "names": truth.names,
        "sizes": [list(size) for size in truth.sizes],
        "digests": digests,
    }
    (folder / "truth.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
    (folder / "labels.txt").write_text("\n".join(truth.labels) + "\n", encoding="utf-8")
