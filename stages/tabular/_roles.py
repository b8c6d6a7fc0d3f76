"""Decides which columns are features: not the target, and none that names rows or says nothing."""

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from difflib import get_close_matches

import numpy as np

from engine.stage import StageError
from stages.media import splits
from stages.tabular._profile import Profile
from stages.tabular.formats._findings import Findings
from stages.tasks.columns.cells import key
from stages.tasks.columns.column import CATEGORY, LEFT_OUT, NUMBER, Column
from stages.training.findings import listed

NAMED = 12  # maximum number of columns named in one sentence
SPLIT_NAMES = ("split", "set", "subset", "partition", "part")
DISTINCT = 0.99  # share of different values of a number that names rows
DISTINCT_TEXT = 0.9
NAMES_ROWS = "it identifies rows"
FEW = 20  # rows from which a column of different values may only name rows
_ID = re.compile(
    r"(?i:(?:^|[\W_])(?:id|uuid|guid|key|index|idx|uid|nr|no|number)$|^unnamed: )|[a-z]I[Dd]$"
)


def index_of(names: Sequence[str], wanted: str | int, parameter: str) -> int:
    """Return the place of a column by its name, or by its number from 1, or from the end if negative."""
    if isinstance(wanted, str):
        keys = [key(name) for name in names]
        if key(wanted) in keys:
            return keys.index(key(wanted))
        if re.fullmatch(r"-?\d+", wanted):
            return index_of(names, int(wanted), parameter)
        near = get_close_matches(wanted, names, 1, 0.5)
        hint = f"did you mean '{near[0]}'?" if near else f"write one of {listed(names, NAMED)}"
        raise StageError(f"params.{parameter}: there is no column '{wanted}'; {hint}")
    if wanted == 0 or abs(wanted) > len(names):
        raise StageError(
            f"params.{parameter}: there is no column {wanted}: the table has {len(names)}; write 1 for the "
            "first one, or -1 for the last one"
        )
    return wanted - 1 if wanted > 0 else len(names) + wanted


def split_column(found: Sequence[Profile]) -> int | None:
    """Return the place of the column that says to which part a row belongs, or None."""
    for at, one in enumerate(found):
        if key(one.column.name) in SPLIT_NAMES and one.column.type == CATEGORY:
            named = [splits.named(word) for word in one.keys]
            if "train" in named and None not in named and len(set(named)) > 1:
                return at
    return None


def left_out(
    found: Sequence[Profile], given: Collection[int], kept: Collection[int], findings: Findings
) -> list[Column]:
    """Return the columns; those that cannot be features have the reason.

    given: places of the target, the split and the dropped columns, which are not examined
    kept:  places of columns that the user wants as features
    """
    columns: list[Column] = []
    seen: dict[bytes, str] = {}
    for at, one in enumerate(found):
        why, kind = ("", "") if at in given else _reason(one, seen)
        if at in kept and one.distinct > 1:
            why = ""
        if why:
            findings.add(kind, one.column.name, "" if kind != "copied_columns" else why)
            columns.append(replace(one.column, role=LEFT_OUT, why=why))
        else:
            columns.append(one.column)
    return columns


def _reason(one: Profile, seen: dict[bytes, str]) -> tuple[str, str]:
    """Return why a column is no feature, and the kind of finding; both empty if it is one."""
    if not one.distinct:
        return "it is empty", "empty_columns"
    if one.distinct == 1 and one.present.all():
        return "it has the same value in every row", "constant_columns"
    if one.column.type == NUMBER and names_rows(one):
        return NAMES_ROWS, "id_columns"
    if one.mixes_decimals:
        return "it mixes decimal points and decimal commas", "mixed_decimals"
    if one.column.type == CATEGORY and _is_text(one):
        if any(" " in word for word in one.keys[:FEW]):
            return "it is free text", "text_columns"
        return NAMES_ROWS, "id_columns"
    content = _content(one)
    if content in seen:
        return f"it equals {seen[content]}", "copied_columns"
    seen[content] = one.column.name
    return "", ""


def names_rows(one: Profile) -> bool:
    """Return whether a column of whole numbers only names rows: they differ, and are counted up or sorted."""
    present = one.numbers[one.present] if one.numbers is not None else np.zeros(0)
    is_whole = bool((present == np.rint(present)).all())
    if len(present) < FEW or not is_whole or one.distinct < DISTINCT * len(present):
        return False
    steps = np.diff(present)
    is_sorted = bool((steps > 0).all() or (steps < 0).all())
    is_dense = present.max() - present.min() < 1.1 * len(present)
    return is_sorted or bool(is_dense) or bool(_ID.search(one.column.name))


def _is_text(one: Profile) -> bool:
    """Return whether the texts of a column hardly ever repeat."""
    rows = int(one.present.sum())
    return rows >= FEW and one.distinct >= DISTINCT_TEXT * rows


def _content(one: Profile) -> bytes:
    if one.numbers is not None:
        return one.numbers.tobytes()
    return repr(one.keys).encode() + one.codes.tobytes()
