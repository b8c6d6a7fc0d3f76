"""Generates a sample of annotated pictures, so that a first run needs no camera and no download."""

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypedDict

from engine.stage import Out, progress
from engine.stage.bounds import Range

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

# corners (0: a circle) and colour of each kind of toy
TOYS = {"ball": (0, (205, 50, 45)), "brick": (4, (45, 95, 205)), "cone": (3, (240, 180, 40))}
MOST = 5  # toys in a picture
_HIDDEN = 0.35  # maximum share of a box that another one covers
_ATTEMPTS = 20  # to place a toy


class DetectionSampleMetrics(TypedDict):
    """Numbers of generated pictures and of the toys in them."""

    pictures: float
    boxes: float


class _Toy(NamedTuple):
    """A kind of toy, its outline (points, 2) as x and y, and the outline's box in pixels."""

    label: str
    outline: "NDArray[np.float64]"
    box: tuple[int, int, int, int]  # left, top, right, bottom


def detection_sample(
    pictures: Out,
    *,
    count: Annotated[int, Range(ge=3)] = 200,
    side: Annotated[int, Range(ge=64, le=1024)] = 160,
    seed: Annotated[int, Range(ge=0)] = 7,
) -> DetectionSampleMetrics:
    """Draw balls, bricks and cones of several sizes on noisy backgrounds; some overlap.

    pictures: images/ with `count` PNG files, a quarter wider than high, and annotations/ with a Pascal
              VOC file for each; a picture shows one to five toys

    count: number of pictures
    side: height of a picture, in pixels
    seed: determines the pictures

    The same seed gives the same bytes. Source: synthetic; only for trying out the pipeline.
    """
    import numpy as np

    for folder in ("images", "annotations"):
        (pictures / folder).mkdir(parents=True)
    boxes = 0
    for number in range(count):
        random, name = np.random.default_rng([seed, number]), f"{number:03}"
        toys = _placed(side, side * 5 // 4, random)
        image = _drawn(toys, side, side * 5 // 4, random)
        image.save(pictures / "images" / f"{name}.png")
        _annotate(pictures / "annotations" / f"{name}.xml", f"{name}.png", toys, image.size)
        boxes += len(toys)
        progress(number + 1, count, name)
    return DetectionSampleMetrics(pictures=float(count), boxes=float(boxes))


def _placed(height: int, width: int, random: "np.random.Generator") -> list[_Toy]:
    """Return toys at random places where they cover little of each other."""
    toys: list[_Toy] = []
    for _ in range(int(random.integers(1, MOST + 1))):
        for _ in range(_ATTEMPTS):
            toy = _toy(height, width, random)
            if all(_covered(toy.box, other.box) < _HIDDEN for other in toys):
                toys.append(toy)
                break
    return toys


def _toy(height: int, width: int, random: "np.random.Generator") -> _Toy:
    import numpy as np

    label = sorted(TOYS)[int(random.integers(len(TOYS)))]
    corners = TOYS[label][0] or 48
    radius = height * random.uniform(0.09, 0.26)
    x, y = random.uniform(radius, width - radius), random.uniform(radius, height - radius)
    angles = random.uniform(-0.2, 0.2) + 2 * np.pi * (np.arange(corners) + 0.5) / corners
    # angle 0 points down, so that a cone has its tip above
    outline = np.stack([x + radius * np.sin(angles), y + radius * np.cos(angles)], 1)
    left, top = np.floor(outline.min(0)).astype(int).tolist()
    right, bottom = np.ceil(outline.max(0)).astype(int).tolist()
    return _Toy(label, outline, (left, top, right, bottom))


def _covered(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> float:
    """Return the intersection of two boxes as a share of the smaller one."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return max(0, width) * max(0, height) / smaller


def _drawn(toys: list[_Toy], height: int, width: int, random: "np.random.Generator") -> Any:
    """Return a picture of the toys, each with a dark outline and its own brightness."""
    import numpy as np
    from PIL import Image, ImageDraw

    background = random.uniform(60, 200, 3) + random.normal(0, 12, (height, width, 3))
    image = Image.fromarray(np.clip(background, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for toy in toys:
        lit = np.array(TOYS[toy.label][1]) * random.uniform(0.65, 1.1)
        colour = tuple(np.clip(lit, 0, 255).astype(int).tolist())
        points = [(x, y) for x, y in toy.outline.tolist()]
        draw.polygon(points, colour, outline=(30, 30, 30))
    return image


def _annotate(path: "Path", name: str, toys: list[_Toy], size: tuple[int, int]) -> None:
    """Write a Pascal VOC annotation; size: width and height."""
    from xml.etree import ElementTree

    root = ElementTree.Element("annotation")
    ElementTree.SubElement(root, "filename").text = name
    frame = ElementTree.SubElement(root, "size")
    for key, value in zip(("width", "height", "depth"), (*size, 3), strict=True):
        ElementTree.SubElement(frame, key).text = str(value)
    for toy in toys:
        one = ElementTree.SubElement(root, "object")
        ElementTree.SubElement(one, "name").text = toy.label
        box = ElementTree.SubElement(one, "bndbox")
        for key, value in zip(("xmin", "ymin", "xmax", "ymax"), toy.box, strict=True):
            ElementTree.SubElement(box, key).text = str(value)
    ElementTree.indent(root)
    ElementTree.ElementTree(root).write(path, encoding="unicode")
