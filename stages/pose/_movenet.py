"""MoveNet on LiteRT, or on tflite-runtime where LiteRT is not: from a picture to 17 keypoints in
the picture's pixels.

MoveNet finds one person. It sees a square crop that follows the person from frame to frame
(`_crop`).
"""

from pathlib import Path
from typing import Any

import numpy as np

from engine.stage import StageError
from stages.pose import _crop

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
]  # the joint that is this one in a mirror


class MoveNet:
    """A single-pose MoveNet (.tflite, Lightning or Thunder) with its crop tracking."""

    def __init__(self, model: Path, threads: int = 1) -> None:
        self._interpreter = load(model, threads)
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]
        if self._input["shape"][-1] != 3 or tuple(self._output["shape"]) != (1, 1, 17, 3):
            raise StageError(
                f"{model.name} is no MoveNet: it gives {tuple(self._output['shape'])}, not (1, 1, 17, 3)"
            )
        self._size = int(self._input["shape"][1])
        self._square: _crop.Square | None = None

    def of_picture(self, picture: np.ndarray) -> np.ndarray:
        """Return (17, 3) x, y, score of an RGB picture (h, w, 3): the median of looks from near and
        far, and mirrored.

        A picture has no frame before it to steady the model. On yoga poses of people not trained
        on, the median named 166 of 200 right, single looks 154, the best of three crops 157 (mean
        of two seeds).
        """
        height, width = picture.shape[:2]
        far = self._look(picture, _crop.whole(width, height))
        keypoints = np.median(far, axis=0)
        for _ in range(PICTURE_PASSES):
            square = _crop.around(keypoints, width, height)
            near = [
                look
                for scale in PICTURE_SCALES
                for look in self._look(picture, square.scaled(scale))
            ]
            keypoints = np.median([*far, *near], axis=0)
        return keypoints.astype(np.float32)

    def follow(self, frame: np.ndarray) -> np.ndarray:
        """Return (17, 3) x, y, score of the next RGB frame (h, w, 3), looking where the person was
        in the last.
        """
        height, width = frame.shape[:2]
        square = self._square or _crop.whole(width, height)
        keypoints = self._detect(frame, square)
        self._square = _crop.around(keypoints, width, height)
        return keypoints

    def forget(self) -> None:
        """Start a new clip: the next frame is looked at whole."""
        self._square = None

    def _look(self, picture: np.ndarray, square: _crop.Square) -> "list[np.ndarray]":
        """Return the keypoints of the square and of its mirror image, both in the picture's pixels."""
        width = picture.shape[1]
        mirrored = self._detect(picture[:, ::-1], square._replace(x=width - square.x - square.side))
        mirrored[:, 0] = width - mirrored[:, 0]
        return [self._detect(picture, square), mirrored[MIRROR]]

    def _detect(self, picture: np.ndarray, square: _crop.Square) -> np.ndarray:
        piece = _crop.cut(picture, square, self._size)
        self._interpreter.set_tensor(
            self._input["index"], piece[np.newaxis].astype(self._input["dtype"])
        )
        self._interpreter.invoke()
        y, x, score = self._interpreter.get_tensor(self._output["index"])[
            0, 0
        ].T  # each (17,), x and y in 0..1
        return np.stack(
            [square.x + x * square.side, square.y + y * square.side, score], axis=1
        ).astype(np.float32)


def load(model: Path, threads: int) -> Any:
    """Return an interpreter of a TFLite model, ready to run; StageError where the file is none."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        from tflite_runtime.interpreter import Interpreter
    try:
        interpreter = Interpreter(model_path=str(model), num_threads=threads)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise StageError(f"{model.name} cannot be loaded as a TFLite model: {error}") from None
    return interpreter
