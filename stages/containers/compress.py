"""Compresses an image's layers, once for all images that are made from it."""

from typing import Annotated, TypedDict

from engine.stage import In, Out
from engine.stage.bounds import Range


class CompressMetrics(TypedDict):
    """The compressed size of the image, in bytes."""

    size_bytes: float


def compress(
    image: In, layout: Out, *, compression: Annotated[int, Range(ge=0, le=9)] = 4
) -> CompressMetrics:
    """Write the image as an OCI layout with compressed layers, for the stage `push`.

    image:  archive of one platform, as the stage `build` writes it
    layout: OCI layout of this image
    compression: of the layers: 0 is none, 9 the smallest and slowest
    StageError: the archive is damaged.
    """
    from stages.containers import _layout, _release

    release = _release.write(layout, "base", "base", [_layout.read(image)], compression)
    return CompressMetrics(size_bytes=float(sum(blob.size for blob in release.blobs)))
