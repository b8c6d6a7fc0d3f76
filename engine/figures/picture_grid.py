"""Small pictures side by side with their captions, such as the pictures that a model got wrong."""

import base64
import binascii
from html import escape
from typing import Annotated, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from engine.jsontypes import Label

HEADING = "Pictures"
STYLE = """
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(112px, 1fr)); gap: 12px; }
.pictures div { min-width: 0; break-inside: avoid; }
.pictures img { display: block; width: 100%; height: 112px; object-fit: contain;
  background: var(--ground); border: 1px solid var(--line); border-radius: 4px; }
.pictures span { display: block; font-size: 12px; line-height: 1.35; margin-top: 3px;
  overflow-wrap: anywhere; }
.pictures.large { grid-template-columns: repeat(auto-fill, minmax(min(280px, 100%), 1fr)); }
.pictures.large img { height: 280px; }
""".strip()
MOST_CHARACTERS = 2_000_000  # of base64, for all pictures: 1.5 MB
_TYPES = {
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
}  # the first bytes of the files


class Picture(TypedDict):
    """A PNG or JPEG file as base64, and its caption."""

    caption: Label
    data: Annotated[str, Field(max_length=200_000)]


class Fields(TypedDict):
    """The pictures, in the order in which they are shown; large: they have details, such as drawn boxes."""

    pictures: Annotated[list[Picture], Field(max_length=100)]
    large: NotRequired[bool]


EXAMPLE: Fields = {
    "large": False,
    "pictures": [
        {
            "caption": "cat, predicted as dog",
            "data": "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElF"
            "TkSuQmCC",
        }
    ],
}


def check(figure: Fields) -> None:
    """Raise ValueError if a picture is not a PNG or JPEG file, or if all together are too large."""
    if sum(len(picture["data"]) for picture in figure["pictures"]) > MOST_CHARACTERS:
        raise ValueError(f"the pictures must have at most {MOST_CHARACTERS:,} characters of base64")
    for picture in figure["pictures"]:
        if not _type(picture["data"]):
            raise ValueError(f"{picture['caption']!r} must be a PNG or JPEG file in base64")


def draw(figure: Fields) -> str:
    """Return the pictures in as many columns as the page has room for."""
    names = "pictures large" if figure.get("large") else "pictures"
    return f'<div class="{names}">{"".join(map(_shown, figure["pictures"]))}</div>'


def _shown(picture: Picture) -> str:
    caption = escape(picture["caption"])
    source = f"data:{_type(picture['data'])};base64,{picture['data']}"
    return f'<div><img src="{source}" alt="{caption}"/><span>{caption}</span></div>'


def _type(data: str) -> str | None:
    """Return the media type of a file in base64, or None if it is not a picture."""
    try:
        content = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return None
    return next((kind for kind, begin in _TYPES.items() if content.startswith(begin)), None)
