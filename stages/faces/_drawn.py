"""Draws faces of people who do not exist, for the sample, for tests and for the raw items of `verify`."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def face(person: int, picture: int, side: int, seed: int) -> "NDArray[np.uint8]":
    """Return a picture (side, side, 3) that a face fills; the same arguments give the same pixels.

    person: determines colours and proportions; picture: light, place, expression and noise
    """
    from PIL import Image, ImageDraw

    of_person = np.random.default_rng([seed, person])
    of_picture = np.random.default_rng([seed, person, picture])
    skin, hair, eyes, shirt = _colours(of_person)
    width, height, apart, eye, nose, mouth, brow = of_person.uniform(
        (0.27, 0.34, 0.10, 0.022, 0.06, 0.06, 0.045), (0.38, 0.44, 0.17, 0.05, 0.14, 0.15, 0.10)
    )
    x, y = 0.5 + of_picture.normal(0, 0.012, 2)
    large = 4 * side  # drawn larger, to be smooth
    image = Image.new("RGB", (large, large), tuple(of_picture.integers(40, 220, 3).tolist()))
    draw = ImageDraw.Draw(image)

    def disc(cx: float, cy: float, rx: float, ry: float, colour: tuple[int, ...]) -> None:
        corners = (cx - rx) * large, (cy - ry) * large, (cx + rx) * large, (cy + ry) * large
        draw.ellipse(corners, colour)

    disc(x, y + 0.62, 0.45, 0.25, shirt)
    disc(x, y - 0.08, width + 0.05, height + 0.03, hair)
    disc(x, y + 0.04, width, height, skin)
    open_ = of_picture.uniform(0.7, 1.2)
    for sign in (-1, 1):
        disc(x + sign * apart, y - 0.06, eye * 1.5, eye * open_, (245, 245, 245))
        disc(x + sign * apart, y - 0.06, eye * 0.8, eye * 0.8 * open_, eyes)
        disc(x + sign * apart, y - 0.06 - brow, eye * 1.8, 0.012, hair)
    disc(x, y + nose, 0.03, nose / 2, tuple(int(one * 0.8) for one in skin))
    disc(x, y + 0.24, mouth, 0.012 + 0.02 * of_picture.uniform(), (170, 60, 70))
    turned = image.rotate(of_picture.normal(0, 3), Image.Resampling.BILINEAR)
    small = np.asarray(turned.resize((side, side), Image.Resampling.BOX), np.float32)
    lit = small * of_picture.uniform(0.75, 1.15) + of_picture.normal(0, 5, small.shape)
    return np.clip(lit, 0, 255).astype(np.uint8)


def _colours(random: np.random.Generator) -> "list[tuple[int, ...]]":
    """Return the colours of skin, hair, eyes and shirt."""
    light, red = random.uniform(0.35, 1.0), random.uniform(0.7, 0.9)
    skin = 245 * light, 245 * light * red, 245 * light * red * random.uniform(0.7, 0.9)
    others = random.integers(10, 200, (3, 3))
    return [tuple(int(one) for one in colour) for colour in (skin, *others)]
