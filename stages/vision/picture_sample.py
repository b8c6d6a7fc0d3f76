"""Generates a sample of pictures, so that a first run needs no camera and no download."""

from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from engine.stage import Out, progress
from engine.stage.bounds import Range

if TYPE_CHECKING:
    import numpy as np

# corners (0: a circle) and colour of each sign
SIGNS = {
    "go": (0, (40, 160, 70)),
    "parking": (4, (40, 90, 200)),
    "stop": (8, (200, 40, 45)),
    "yield": (3, (235, 190, 40)),
}


class PictureSampleMetrics(TypedDict):
    """Number of generated pictures."""

    pictures: float


def picture_sample(
    pictures: Out,
    *,
    each: Annotated[int, Range(ge=3)] = 120,
    side: Annotated[int, Range(ge=32, le=1024)] = 96,
    seed: Annotated[int, Range(ge=0)] = 7,
) -> PictureSampleMetrics:
    """Draw four kinds of signs at several sizes and brightnesses on noisy backgrounds.

    pictures: go/, parking/, stop/ and yield/, each with `each` PNG files of side x side pixels

    each: number of pictures per class
    side: side of a picture, in pixels
    seed: determines the pictures

    The same seed gives the same bytes. Source: synthetic; only for trying out the pipeline.
    """
    import numpy as np

    for kind, sign in enumerate(SIGNS):
        (pictures / sign).mkdir(parents=True)
        for number in range(each):
            image = _drawn(sign, side, np.random.default_rng([seed, kind, number]))
            image.save(pictures / sign / f"{number:03}.png")
        progress(kind + 1, len(SIGNS), sign)
    return PictureSampleMetrics(pictures=float(each * len(SIGNS)))


def _drawn(sign: str, side: int, random: "np.random.Generator") -> Any:
    """Return a picture with one slightly rotated sign at a random place."""
    import numpy as np
    from PIL import Image, ImageDraw

    corners, colour = SIGNS[sign]
    background = random.uniform(40, 220, 3) + random.normal(0, 15, (side, side, 3))
    image = Image.fromarray(np.clip(background, 0, 255).astype(np.uint8))
    radius = side * random.uniform(0.2, 0.4)
    x, y = random.uniform(radius, side - radius, 2)
    angles = random.uniform(-0.2, 0.2) + 2 * np.pi * (np.arange(corners or 48) + 0.5) / (
        corners or 48
    )
    draw = ImageDraw.Draw(image)
    for size, fill in ((1.0, (240, 240, 240)), (0.88, colour)):  # a white border
        lit = np.clip(np.array(fill) * random.uniform(0.7, 1.1), 0, 255).astype(int)
        points = [
            (x + size * radius * np.sin(angle), y + size * radius * np.cos(angle))
            for angle in angles
        ]
        draw.polygon(points, tuple(lit.tolist()))
    return image
