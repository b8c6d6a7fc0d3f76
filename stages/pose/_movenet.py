"""MoveNet on LiteRT, or on tflite-runtime where LiteRT is not: from a picture to 17 keypoints in the picture's pixels.

MoveNet finds one person. It sees a square crop that follows the person from frame to frame (`_crop`).
"""

from pathlib import Path
from typing import Any

import numpy as np

from engine.stage import StageError
from stages.pose import _crop

PICTURE_PASSES = 3


class MoveNet:
    """A single-pose MoveNet (.tflite, Lightning or Thunder) with its crop tracking."""

    def __init__(self, model: Path, threads: int = 1) -> None:
        self._interpreter = load(model, threads)
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]
        if self._input["shape"][-1] != 3 or tuple(self._output["shape"]) != (1, 1, 17, 3):
            raise StageError(f"{model.name} is no MoveNet: it gives {tuple(self._output['shape'])}, not (1, 1, 17, 3)")
        self._size = int(self._input["shape"][1])
        self._square: _crop.Square | None = None

    def of_picture(self, picture: np.ndarray) -> np.ndarray:
        """Return (17, 3) x, y, score of an RGB picture (h, w, 3): the whole of it first, then closer in.

        The pass with the highest mean score wins, so that a crop gone astray does no harm.
        """
        self.forget()
        passes = [self.follow(picture) for _ in range(PICTURE_PASSES)]
        self.forget()
        return max(passes, key=lambda keypoints: float(keypoints[:, 2].mean()))

    def follow(self, frame: np.ndarray) -> np.ndarray:
        """Return (17, 3) x, y, score of the next RGB frame (h, w, 3), looking where the person was in the last."""
        height, width = frame.shape[:2]
        square = self._square or _crop.whole(width, height)
        keypoints = self._detect(frame, square)
        self._square = _crop.around(keypoints, width, height)
        return keypoints

    def forget(self) -> None:
        """Start a new clip: the next frame is looked at whole."""
        self._square = None

    def _detect(self, picture: np.ndarray, square: _crop.Square) -> np.ndarray:
        piece = _crop.cut(picture, square, self._size)
        self._interpreter.set_tensor(self._input["index"], piece[np.newaxis].astype(self._input["dtype"]))
        self._interpreter.invoke()
        y, x, score = self._interpreter.get_tensor(self._output["index"])[0, 0].T  # each (17,), x and y in 0..1
        return np.stack([square.x + x * square.side, square.y + y * square.side, score], axis=1).astype(np.float32)


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
