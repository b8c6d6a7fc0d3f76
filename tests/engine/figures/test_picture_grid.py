"""Grids of pictures: PNG and JPEG within the page, and nothing else."""

import base64
import xml.etree.ElementTree as ElementTree

import pytest

from engine.figures import picture_grid

JPEG = base64.b64encode(b"\xff\xd8\xff rest").decode()


def _figure(*data: str, caption: str = "a"):
    return {"pictures": [{"caption": caption, "data": one} for one in data]}


def test_a_picture_is_in_the_page_itself_with_its_caption():
    tree = ElementTree.fromstring(picture_grid.draw(_figure(JPEG, caption="cat & dog")))
    [picture] = tree.iter("img")
    assert picture.get("src") == f"data:image/jpeg;base64,{JPEG}"
    assert picture.get("alt") == tree.find("div/span").text == "cat & dog"


def test_pictures_with_details_are_shown_larger():
    assert 'class="pictures large"' in picture_grid.draw({**_figure(JPEG), "large": True})
    assert 'class="pictures"' in picture_grid.draw(_figure(JPEG))


@pytest.mark.parametrize(
    "data", ["", "%%%", base64.b64encode(b"<svg onload='x'/>").decode(), '"/><script>', "ü"]
)
def test_what_is_no_picture_is_refused(data):
    with pytest.raises(ValueError, match=r"^'a' must be a PNG or JPEG file in base64"):
        picture_grid.check(_figure(data))


def test_pictures_that_are_too_large_together_are_refused():
    large = base64.b64encode(b"\xff\xd8\xff" + b"0" * 140_000).decode()
    picture_grid.check(_figure(*[large] * 10))
    with pytest.raises(ValueError, match=r"^the pictures must have at most 2,000,000 characters"):
        picture_grid.check(_figure(*[large] * 11))
