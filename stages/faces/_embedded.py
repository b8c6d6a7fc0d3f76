"""Computes the embeddings of the faces of a part."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine.stage import progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.tasks.faces import Gallery


def gallery(folder: Path, model: Path, people: "NDArray[np.int64]") -> "Gallery":
    """Return the embeddings of a part's faces; people (faces,): whose each is."""
    from stages.tasks.faces import Gallery, embedded
    from stages.tflite import part
    from stages.tflite.interpreters import ANY
    from stages.tflite.model import open_model

    opened, faces = open_model(model, ANY), part.read(folder).values("picture")
    rows = []
    for at in range(len(faces)):
        progress(at, len(faces), folder.name)
        rows.append(embedded(np.asarray(faces[at]), opened)[0])
    return Gallery(np.stack(rows), people)
