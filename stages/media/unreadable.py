"""The reason why a picture or video cannot be read, and the maximum size."""

MAX_PIXELS = 64_000_000  # phone cameras have up to 50 million, some 64 million


class Unreadable(Exception):
    """A short reason why a file cannot be read."""


def refuse_bomb(width: int, height: int) -> None:
    """Raise Unreadable if a picture has more than MAX_PIXELS, before it is decoded."""
    if width * height > MAX_PIXELS:
        raise Unreadable(f"{width} x {height} pixels; {supported()}")


def supported() -> str:
    """Return the maximum picture size as text."""
    return f"at most {MAX_PIXELS // 1000000} million are supported"
