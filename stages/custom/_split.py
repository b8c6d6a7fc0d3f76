"""Finds the training and the test part in what `get_data()` returned."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from engine.stage import StageError

NAMES = ("x_train", "y_train", "x_test", "y_test")
FORMS = (
    "return (x_train, y_train), (x_test, y_test), or the four arrays of train_test_split, or a dict of "
    "x_train, y_train, x_test and y_test"
)


class Split(NamedTuple):
    """The user's arrays, frames or lists."""

    x_train: Any
    y_train: Any
    x_test: Any
    y_test: Any


def split(returned: Any) -> Split:
    """Return the parts; StageError: there are none, or it is not clear which is which."""
    if isinstance(returned, Mapping):
        return _of_dict(returned)
    if not isinstance(returned, tuple | list):
        raise _refused(f"a value of type {type(returned).__name__}")
    parts = list(returned)
    if len(parts) == 2 and all(isinstance(one, tuple | list) and len(one) == 2 for one in parts):
        return Split(*parts[0], *parts[1])
    if len(parts) == 4:
        return _of_four(parts)
    if len(parts) == 2:
        raise StageError(
            "get_data() returned two values, as it seems x and y, but no test part: divide them with "
            "train_test_split(x, y, test_size=0.2, random_state=0), and return all four arrays"
        )
    raise _refused(f"{len(parts)} values")


def _refused(what: str) -> StageError:
    return StageError(f"get_data() returned {what}: {FORMS}")


def _of_dict(returned: Mapping[str, Any]) -> Split:
    found = {str(key).lower(): value for key, value in returned.items()}
    for name in NAMES:
        if name not in found:
            near = get_close_matches(name, found, 1)
            meant = f"; is '{near[0]}' meant?" if near and near[0] not in NAMES else ""
            raise StageError(f"the dict that get_data() returned lacks '{name}'{meant}: {FORMS}")
    return Split(*(found[name] for name in NAMES))


def _of_four(parts: Sequence[Any]) -> Split:
    """Tell (x_train, y_train, x_test, y_test) from (x_train, x_test, y_train, y_test) by their shapes."""
    first, second, third, fourth = parts
    counts, ranks = [_count(one) for one in parts], [_rank(one) for one in parts]
    is_paired = counts[0] == counts[1] and counts[2] == counts[3]
    is_crossed = counts[0] == counts[2] and counts[1] == counts[3]
    if is_paired and is_crossed:  # as many examples in both parts: x has more dimensions than y
        is_paired = ranks[0] == ranks[2] > ranks[1] == ranks[3]
        is_crossed = ranks[0] == ranks[1] > ranks[2] == ranks[3]
    if is_paired == is_crossed:
        raise StageError(
            f"get_data() returned four arrays of {', '.join(map(str, counts))} examples, and it is not "
            "clear which are x and y: return (x_train, y_train), (x_test, y_test)"
        )
    return Split(first, second, third, fourth) if is_paired else Split(first, third, second, fourth)


def _count(values: Any) -> int:
    shape = getattr(values, "shape", None)
    if shape:
        return int(shape[0])
    try:
        return len(values)
    except TypeError:
        raise _refused(f"a value of type {type(values).__name__} as one of four") from None


def _rank(values: Any) -> int:
    shape = getattr(values, "shape", None)
    if shape is not None:
        return len(shape)
    first = next(iter(values), None)
    return 1 + (_rank(first) if isinstance(first, list | tuple) or hasattr(first, "shape") else 0)
