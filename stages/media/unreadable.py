"""The reason why a picture or video cannot be read, and the maximum size."""

MAX_PIXELS = 64_000_000  # the cameras of phones reach 50 million, some 64


class Unreadable(Exception):
    """Why a file cannot be read, in a few words."""


def refuse_bomb(width: int, height: int) -> None:
    """Raise Unreadable if a picture has more than MAX_PIXELS, before it is decoded."""
    if width * height > MAX_PIXELS:
        raise Unreadable(f"{width} x {height} pixels; {supported()}")


def supported() -> str:
    """Return how large a picture may be, in words."""
    return f"at most {MAX_PIXELS // 1000000} million are supported"
