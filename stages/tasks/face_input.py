"""The picture that an embedder is given: its size, where the face is in it, and the range of its values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Mapping

import numpy as np

from stages.tasks.alignment import TEMPLATE, aligned
from stages.tflite import scaled

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONSTANT = "face"  # the key of the package's constants


@dataclass(frozen=True)
class FaceInput:
    """What an embedder was trained with. Lengths are relative to the picture's height."""

    height: int  # in pixels
    width: int
    scale: float = 1.0  # of the face; 1: dlib's, whose eyes are 0.35 apart
    down: float = 0.0  # how much lower than dlib's the face is
    mean: float = 0.0  # the network reads (pixel - mean) / deviation
    deviation: float = 1.0

    @classmethod
    def of(cls, constants: Mapping[str, Any]) -> FaceInput:
        """Return the embedder's input from a package's constants."""
        return cls(**constants[CONSTANT])

    def constants(self) -> dict[str, Any]:
        """Return the constants to package."""
        return {CONSTANT: asdict(self)}

    @property
    def scaling(self) -> dict[str, float]:
        """Return mean and deviation as a part of a data set describes them; empty if pixels are values."""
        are_values = (self.mean, self.deviation) == (0.0, 1.0)
        return {} if are_values else {"mean": self.mean, "deviation": self.deviation}

    @property
    def points(self) -> NDArray[np.float64]:
        """Return where eyes, nose and mouth must be (4, 2), x and y in pixels."""
        centre = TEMPLATE.mean(0)
        points = (TEMPLATE - centre) * self.scale + centre + [0.0, self.down]
        # the middle of the width is that of a square picture
        return points * self.height - [(self.height - self.width) / 2, 0.0]  # type: ignore[no-any-return]

    def aligned(self, picture: NDArray[np.uint8], landmarks: NDArray[Any]) -> NDArray[np.uint8]:
        """Return the face (height, width, 3) with these eyes, nose and mouth (4, 2), or, if there are no
        landmarks, the whole picture stretched.
        """
        from stages.media.scaling import resized

        if len(landmarks):
            return aligned(picture, landmarks, self.points, (self.height, self.width))
        return resized(np.ascontiguousarray(picture), self.width, self.height)

    def values(self, pixels: NDArray[np.uint8]) -> NDArray[Any]:
        """Return what the network reads."""
        return scaled.values(pixels, **self.scaling) if self.scaling else pixels
