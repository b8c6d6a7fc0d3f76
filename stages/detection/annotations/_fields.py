"""Reads the fields of annotations, which people and many tools have written."""

import math


class Broken(Exception):
    """A short reason why an annotation, or a box in it, cannot be read."""


def number(text: object, name: str) -> float:
    """Return a coordinate; Broken: it is missing, not a number, or infinite."""
    if text is None or text == "":
        raise Broken(f"{name} is missing")
    try:
        value = float(text)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise Broken(f"{name} is {text!r:.40}") from None
    if not math.isfinite(value):
        raise Broken(f"{name} is {text}")
    return value


def label(text: object) -> str:
    """Return a class name on one line; Broken: it is missing, or has characters that cannot be shown."""
    if text is not None and not isinstance(text, str | int | float):
        raise Broken(f"its class is a {type(text).__name__}")
    name = "" if text is None else " ".join(str(text).split())
    if not name:
        raise Broken("it has no class")
    if not name.isprintable():
        raise Broken(f"its class is {name!r}")
    return name


def side(text: object) -> int | None:
    """Return the width or height of a picture in pixels, or None if it is unknown."""
    try:
        value = float(text)  # type: ignore[arg-type]
        return round(value) if value >= 1 else None
    except (TypeError, ValueError, OverflowError):
        return None


def flag(text: object) -> bool:
    """Return whether a flag such as `difficult` is set."""
    return str(text).strip().lower() in ("1", "true", "yes", "1.0")
