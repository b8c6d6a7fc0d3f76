"""MoveNet on any TFLite runtime or accelerator: from a picture to 17 keypoints in its pixels.

MoveNet finds one person. Its input is a square crop that follows the person from frame to frame
(`crop`).
"""

from __future__ import annotations

import numpy as np

from engine.stage import StageError
from stages.tasks.keypoints import crop
from stages.tflite.model import Model

# MoveNet scales a crop to 192 pixels: this height suffices for a person of a quarter of it
PICTURE_SIDE = 720
PICTURE_PASSES = 2
PICTURE_SCALES = (1.0, 1.15, 1.3)
MIRROR = [
    0,
    2,
    1,
    4,
    3,
    6,
    5,
    8,
    7,
    10,
    9,
    12,
    11,
    14,
    13,
    16,
    15,
]  # the index of each joint in the mirror image


class MoveNet:
    """A single-pose MoveNet (.tflite, Lightning or Thunder) with its crop tracking."""

    def __init__(self, model: Model) -> None:
        (self._name, source), *_ = model.inputs.items()
        (self._result, result), *_ = model.outputs.items()
        if source.shape[-1] != 3 or tuple(result.shape) != (1, 1, 17, 3):
            raise StageError(
                f"the pose model is not MoveNet: it returns {tuple(result.shape)}, not (1, "
                "1, 17, 3)"
            )
        self._model, self._type = model, source.type
        self.called = model.called
        self._size = int(source.shape[1])
        self._square: crop.Square | None = None

    def of_picture(self, picture: np.ndarray) -> np.ndarray:
        """Return (17, 3) x, y, score of an RGB picture (h, w, 3): the median over several crops and their
        mirror images.

        A single picture has no previous frame to stabilise the model. On yoga poses of people not in the
        training data, the median gave 166 of 200 correct classes, a single crop 154, the best of three
        crops 157 (mean of two seeds).
        """
        height, width = picture.shape[:2]
        far = self._both(picture, crop.whole(width, height))
        keypoints = np.median(far, axis=0)
        for _ in range(PICTURE_PASSES):
            square = crop.around(keypoints, width, height)
            near = [
                look
                for scale in PICTURE_SCALES
                for look in self._both(picture, square.scaled(scale))
            ]
            keypoints = np.median([*far, *near], axis=0)
        return keypoints.astype(np.float32)

    def follow(self, frame: np.ndarray) -> np.ndarray:
        """Return (17, 3) x, y, score of the next RGB frame (h, w, 3), cropped around the last position."""
        keypoints, self._square = self.look(frame, self._square)
        return keypoints

    def look(
        self, frame: np.ndarray, square: "crop.Square | None"
    ) -> "tuple[np.ndarray, crop.Square]":
        """Return (17, 3) x, y, score for the square, and the square for the next frame.

        Without a square, use the whole frame.
        """
        height, width = frame.shape[:2]
        keypoints = self._detect(frame, square or crop.whole(width, height))
        return keypoints, crop.around(keypoints, width, height)

    def forget(self) -> None:
        """Start a new clip: the next frame is analysed as a whole."""
        self._square = None

    def _both(self, picture: np.ndarray, square: crop.Square) -> "list[np.ndarray]":
        """Return the keypoints of the square and of its mirror image, both in the picture's pixels."""
        width = picture.shape[1]
        mirrored = self._detect(picture[:, ::-1], square._replace(x=width - square.x - square.side))
        mirrored[:, 0] = width - mirrored[:, 0]
        return [self._detect(picture, square), mirrored[MIRROR]]

    def _detect(self, picture: np.ndarray, square: crop.Square) -> np.ndarray:
        piece = crop.cut(picture, square, self._size)
        raw = self._model.run({self._name: piece[np.newaxis].astype(self._type, copy=False)})
        y, x, score = raw[self._result][0, 0].T  # each (17,), x and y in 0..1
        return np.stack(
            [square.x + x * square.side, square.y + y * square.side, score], axis=1
        ).astype(np.float32)
