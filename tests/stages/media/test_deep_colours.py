"""16-bit colours, and the tiles of older versions of Pillow. See also test_pictures.py."""

import numpy as np
import pytest

Image = pytest.importorskip("PIL.Image", reason="the extra 'runtime' is not installed")

from stages.media import deep_colours  # noqa: E402


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.jpg"
    Image.fromarray(np.full((8, 8, 3), 90, np.uint8)).save(path)
    return path


def test_eight_bits_have_no_lower_bytes(photo):
    with Image.open(photo) as image:
        assert deep_colours.lower_bytes(photo, image) is None


def test_tiles_may_be_plain_tuples(photo):
    """Debian 12's Pillow 9.4, which the image for arm/v7 contains, has no named ones."""
    with Image.open(photo) as image:
        image.tile = [tuple(tile) for tile in image.tile]
        assert deep_colours.lower_bytes(photo, image) is None
