"""Generates a sample of drawn faces, so that a first run needs no pictures of people and no download."""

from typing import Annotated, TypedDict

from engine.stage import Out, progress
from engine.stage.bounds import Range


class FaceSampleMetrics(TypedDict):
    """Number of generated pictures and people."""

    pictures: float
    people: float


def face_sample(
    people: Out,
    *,
    count: Annotated[int, Range(ge=4)] = 36,
    each: Annotated[int, Range(ge=2)] = 6,
    side: Annotated[int, Range(ge=32, le=1024)] = 96,
    seed: Annotated[int, Range(ge=0)] = 7,
) -> FaceSampleMetrics:
    """Draw faces of people who do not exist, in several lights and expressions.

    people: person_00/ and so on, each with `each` PNG files of side x side pixels; a face fills each

    count: number of people
    each: number of pictures of each
    side: side of a picture, in pixels
    seed: determines the pictures

    The same seed gives the same bytes. Source: synthetic; only for trying out the pipeline.
    """
    from stages.faces import _drawn
    from stages.media.pictures import write_picture

    for person in range(count):
        for number in range(each):
            path = people / f"person_{person:02}" / f"{number:02}.png"
            write_picture(path, _drawn.face(person, number, side, seed))
        progress(person + 1, count, f"person_{person:02}")
    return FaceSampleMetrics(pictures=float(count * each), people=float(count))
