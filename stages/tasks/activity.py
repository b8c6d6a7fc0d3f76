"""The task `activity`: recognises what the person in front of the camera is doing, window by window.

The answer for a window that shows nobody is `nothing`, without a probability.

Raw inputs are frames (h, w, 3), or keypoints (joints, 3) if the recordings were tables.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.stage import StageError
from stages.tasks.keypoints import encoding, presence, seen
from stages.tasks.keypoints.crop import Square
from stages.tasks.keypoints.movenet import PICTURE_SIDE, MoveNet
from stages.tasks.package import Package
from stages.tasks.region import WHOLE
from stages.tasks.signature import ANY, Needs

if TYPE_CHECKING:
    from stages.tasks.region import Region
    from stages.tasks.task import Detection, View

CLASSIFIER, POSE = "model", "pose"  # roles
SEES = POSE


@dataclass
class State:
    """The last frames of a clip, and where the person was."""

    still: bool
    frames: "deque[NDArray[np.float32]]"
    count: int = 0
    square: "Square | None" = None
    last_answer: "dict[str, Any]" = field(default_factory=dict)


class Activity:
    """A packaged activity classifier with its pose model, if it has one."""

    takes = "pictures"
    picture_side = PICTURE_SIDE

    def __init__(self, package: Package, accelerator: str, runtime: str) -> None:
        self._labels, self._constants = package.labels, package.constants
        self._span, self._stride = (max(int(package.number(n)), 1) for n in ("span", "stride"))
        self.follows = package.number("window") > 1
        # The pose model is opened first: it is larger, and an accelerator may have no room for both.
        self._movenet: MoveNet | None = None
        if POSE in package.models:
            self._movenet = MoveNet(package.open_role(POSE, accelerator, runtime))
        self._model = package.open_role(CLASSIFIER, accelerator, runtime)
        self.ran_on = f"{self._model.runtime} on the {self._model.called}"
        if self._movenet:
            self.ran_on += f", pose model on the {self._movenet.called}"
        classes = int(next(iter(self._model.outputs.values())).shape[-1])
        if classes != len(self._labels):
            raise StageError(
                f"the model has {classes} classes, but labels.txt has {len(self._labels)}: package the "
                "model with the labels of its training"
            )

    def new_state(self, still: bool = False) -> State:
        return State(still, deque(maxlen=self._span))

    def answer(self, raw: "NDArray[Any]", state: State) -> "dict[str, Any]":
        """Return the frame's keypoints, and the activity of the last complete window."""
        return self._answer(self._keypoints(raw, state), state)

    def answer_seen(
        self,
        outputs: "Mapping[str, NDArray[Any]]",
        size: "tuple[int, ...]",
        state: State,
        region: "Region" = WHOLE,
    ) -> "dict[str, Any]":
        """Return the answer for a frame that the accelerator saw itself; see `Seer`.

        The pose model saw the whole region: unlike on the CPU, no crop follows the person.
        """
        keypoints = seen.keypoints(outputs, size, region)
        return self._answer(keypoints, state)

    def _answer(self, keypoints: "NDArray[np.float32]", state: State) -> "dict[str, Any]":
        """Return the answer for the next frame's keypoints (joints, 3)."""
        state.frames.append(keypoints)
        state.count += 1
        after = state.count - self._span
        decides = after >= 0 and after % self._stride == 0
        if decides:
            state.last_answer = self._decide(state)
        shown = np.round(keypoints.astype(np.float64), 3).tolist()
        return {
            "frame": state.count - 1,
            "keypoints": shown,
            "decided": decides,
            **(state.last_answer or {"activity": None}),
        }

    def finish(self, state: State) -> "dict[str, Any] | None":
        """Return the window that ends with the clip, unless one already did; short clips are one window."""
        after = state.count - self._span
        if not state.count or (after >= 0 and after % self._stride == 0):
            return None
        return {"frame": state.count - 1, "decided": True, **self._decide(state)}

    def rows(self, answer: "dict[str, Any]") -> "list[dict[str, Any]]":
        names = ("first_frame", "last_frame", "activity", "probability", "mean_score")
        return [{name: answer[name] for name in names}] if answer["decided"] else []

    def detections(self, answer: "dict[str, Any]") -> "list[Detection]":
        """Return the activity with the box of the visible joints; none if there is none yet."""
        if answer["activity"] in (None, presence.NOTHING):
            return []
        box = presence.box(np.asarray(answer.get("keypoints", []), np.float64))
        score = answer["probability"]
        return [{"label": answer["activity"], "score": score, "box": box, "id": None}]

    def draw(self, picture: "NDArray[np.uint8]", answer: "dict[str, Any]") -> "NDArray[np.uint8]":
        from stages.tasks.keypoints import drawing

        caption = ""
        if answer["activity"] is not None:
            caption = str(answer["activity"])
        if answer.get("probability") is not None:
            caption += f" {answer['probability']:.0%}"
        return drawing.drawn(picture, np.asarray(answer["keypoints"], np.float32), caption)

    def read(self, path: Path) -> "Iterator[NDArray[np.float32]] | None":
        """Return the frames of a keypoint CSV."""
        return self._frames_of(path) if path.suffix.lower() == ".csv" else None

    def _frames_of(self, path: Path) -> Iterator[NDArray[np.float32]]:
        from stages.tasks.keypoints import table

        skeleton, keypoints = table.read_clip(path)
        expected = self._constants["skeleton"]
        if skeleton != expected:
            raise StageError(
                f"{path.name} has the joints of {skeleton}, but the model needs {expected}"
            )
        yield from keypoints

    def _keypoints(self, raw: "NDArray[Any]", state: State) -> "NDArray[np.float32]":
        if raw.ndim == 2:
            return np.asarray(raw, np.float32)
        if self._movenet is None:
            raise StageError(
                "the package has no pose model: it was trained on keypoints, and accepts "
                "only keypoint CSVs"
            )
        if state.still and not self.follows:
            return self._movenet.of_picture(raw)
        keypoints, state.square = self._movenet.look(raw, state.square)
        return keypoints

    def _decide(self, state: State) -> "dict[str, Any]":
        frames = np.stack(state.frames)  # (span or less, joints, 3)
        activity, probability = self._named(frames)
        return {
            "first_frame": state.count - len(frames),
            "last_frame": state.count - 1,
            "activity": activity,
            "probability": probability,
            "mean_score": round(float(frames[:, :, 2].mean()), 4),
        }

    def _named(self, frames: "NDArray[np.float32]") -> "tuple[str, float | None]":
        """Return the activity of a span, and its probability."""
        windows = encoding.windows(frames, self._constants)  # (1, window, joints, 3)
        if presence.shows_nobody(windows, self._constants)[0]:
            return presence.NOTHING, None
        probabilities = classify(self._model, encoding.window_features(windows, self._constants))[0]
        best = int(probabilities.argmax())
        return self._labels[best], round(float(probabilities[best]), 4)


def load(package: Package, accelerator: str, runtime: str) -> Activity:
    return Activity(package, accelerator, runtime)


def needs(constants: "Mapping[str, Any]") -> "dict[str, Needs]":
    """Return the outputs that the models must have, by role."""
    return {
        CLASSIFIER: Needs("an activity classifier", {ANY: (1, "labels")}),
        POSE: seen.MOVENET,
    }


def view(constants: "Mapping[str, Any]") -> "View":
    """Return which part of a frame the pose model must see: people keep their proportions in it."""
    return "middle"


def classify(model: Any, windows: "NDArray[np.float32]") -> "NDArray[np.float32]":
    """Return (windows, classes) probabilities of (windows, rows, 1, channels) features."""
    (name, tensor), *_ = model.inputs.items()
    shape: tuple[int, ...] = tuple(tensor.shape)
    if windows[0].size != int(np.prod(shape)):
        raise StageError(
            f"the model needs {shape}, but the preprocessing returns {windows[0].shape}: package the "
            "model with the constants of its training"
        )
    answers = [model.predict({name: window.reshape(shape)}) for window in windows]
    return np.stack([next(iter(answer.values()))[0] for answer in answers])
