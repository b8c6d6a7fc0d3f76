"""Plain values: those that a YAML file or the command line may contain.

Programs, JSON and databases can represent all of them.
"""

import math
from collections.abc import Iterator, Mapping

BITS = 64  # of an integer, as in databases, numpy and many JSON readers


def fault(value: object, written: str = "") -> tuple[str, str] | None:
    """Return what is wrong with a single value and what to write instead, or None.

    written: the value as spelled in the file, if known
    """
    if isinstance(value, float) and math.isinf(value) and any(map(str.isdigit, written)):
        return (
            f"{written:.80} is too large for a number",
            f'write a smaller number, or text in quotes: "{written:.80}"',
        )
    if isinstance(value, float) and not math.isfinite(value):
        return (
            f"{value} is not a finite number",
            f'write a finite number, or text in quotes: "{value}"',
        )
    if isinstance(value, int) and value.bit_length() > BITS:
        return f"this number has more than {BITS} bits", "write a smaller number, or text in quotes"
    if isinstance(value, str) and not _is_writable(value):
        return (
            f"{value[:80]!r} contains a character that is not allowed",
            "remove NUL and lone surrogates",
        )
    if value is None or isinstance(value, bool | int | float | str):
        return None
    return (
        f"a value of type {type(value).__name__} is not allowed",
        "write text (in quotes), a number, true, false or null",
    )


def faults(data: object, keys: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Yield each fault in nested mappings and lists: where, what, and what to write instead."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            if not isinstance(key, str):
                yield (
                    keys,
                    f"a key of type {type(key).__name__} is not allowed",
                    "write the key as text, in quotes",
                )
            elif found := fault(key):
                yield (keys, *found)
            else:
                yield from faults(value, (*keys, key))
    elif isinstance(data, list | tuple):
        for at, value in enumerate(data):
            yield from faults(value, (*keys, str(at)))
    elif found := fault(data):
        yield (keys, *found)


def _is_writable(text: str) -> bool:
    """Return whether a file, an argument and an environment variable can contain the text."""
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)
