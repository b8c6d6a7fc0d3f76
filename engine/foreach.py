"""Expands `foreach:`: one stage of a use case becomes a stage per value, or per combination. Pure.

The stages are named as in DVC's `matrix`: `build@arm64`, and `train@cnn-0` for several keys.
"""

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.errors import UserError, did_you_mean

MARK = "@"  # separates a stage's name from its values
ALL = f"{MARK}*"  # in a reference: the stages of all values
_VALUE = re.compile(r"[\w+-][\w.+-]*", re.ASCII)  # it becomes a part of file names
_LONGEST_NAME = 128
_EACH = re.compile(r"\$\{each\.([^}]*)\}")
_FORM = "write foreach: {key: [value, value]}"

Stages = Mapping[str, object]  # as in the YAML
Combination = dict[str, object]  # key of `foreach` -> value


def base_of(stage: str) -> str:
    """Return the stage's name in the use case: `build` of `build@arm64`."""
    return stage.partition(MARK)[0]


def value_of(stage: str) -> str:
    """Return the values in the stage's name: `arm64` of `build@arm64`; empty for an ordinary stage."""
    return stage.partition(MARK)[2]


def expand(stages: Stages, where: str) -> tuple[dict[str, object], list[UserError]]:
    """Return the stages, one per combination, in their order, and all mistakes found.

    `foreach` and `exclude` must already be resolved; everything else may contain `${...}`.
    """
    expansion = _Expansion()
    for name, stage in stages.items():
        expansion.add(name, stage, f"{where}: stages.{name}")
    return expansion.made, expansion.mistakes


@dataclass(slots=True)
class _Expansion:
    made: dict[str, object] = field(default_factory=dict)
    mistakes: list[UserError] = field(default_factory=list)

    def add(self, name: str, stage: object, where: str) -> None:
        """Add the stages that one stage expands to."""
        if MARK in str(name):
            what = f"'{name}' is not a valid name"
            self.mistakes.append(
                UserError(where, what, "use only letters, digits and _, and start with a letter")
            )
        elif not isinstance(stage, Mapping) or not {"foreach", "exclude"} & stage.keys():
            self.made[name] = self._filled(stage, {}, where)
        elif self._is_well_formed(stage, where):
            self._multiply(name, stage, where)

    def _multiply(self, name: str, stage: Mapping[str, Any], where: str) -> None:
        rest = {key: value for key, value in stage.items() if key not in ("foreach", "exclude")}
        left = list(_combinations(stage["foreach"], stage.get("exclude") or []))
        if not left:
            self.mistakes.append(
                UserError(f"{where}.exclude", "it removes every combination", "keep one")
            )
        for combination in left:
            full = name + MARK + "-".join(map(text, combination.values()))
            if full in self.made:
                what = f"two combinations are called '{full}'"
                self.mistakes.append(
                    UserError(f"{where}.foreach", what, "remove '-' from the values")
                )
            elif len(full) > _LONGEST_NAME:
                what = f"'{full:.40}...' is longer than {_LONGEST_NAME} characters"
                self.mistakes.append(UserError(f"{where}.foreach", what, "write shorter values"))
            else:
                self.made[full] = self._filled(rest, combination, where)

    def _is_well_formed(self, stage: Mapping[str, object], where: str) -> bool:
        foreach, exclude = stage.get("foreach"), stage.get("exclude") or []
        found = [*_faults(foreach, f"{where}.foreach")]
        if not found and isinstance(foreach, Mapping):
            found = [*_faults_of_exclude(exclude, foreach, f"{where}.exclude")]
        self.mistakes += found
        return not found

    def _filled(self, value: object, combination: Combination, where: str) -> object:
        """Return the value with each `${each.key}` replaced by the combination's value."""
        if isinstance(value, Mapping):
            return {
                key: self._filled(inner, combination, f"{where}.{key}")
                for key, inner in value.items()
            }
        if isinstance(value, list):
            return [self._filled(inner, combination, where) for inner in value]
        if not isinstance(value, str) or "${each." not in value:
            return value
        for key in _EACH.findall(value):
            if key not in combination:
                self._refuse(key, combination, where)
                return value
        whole = _EACH.fullmatch(value)
        return (
            combination[whole[1]]
            if whole
            else _EACH.sub(lambda one: text(combination[one[1]]), value)
        )

    def _refuse(self, key: str, combination: Combination, where: str) -> None:
        what = f"there is no '{key}' in this stage's foreach"
        fix = (
            did_you_mean(key, combination)
            if combination
            else "write ${each.key} in a stage with foreach"
        )
        mistake = UserError(where, what, fix)
        if str(mistake) not in map(str, self.mistakes):  # once for all combinations
            self.mistakes.append(mistake)


def text(value: object) -> str:
    """Return a value as it appears in stage names."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _combinations(
    foreach: Mapping[str, list[object]], exclude: list[Combination]
) -> Iterator[Combination]:
    for values in itertools.product(*foreach.values()):
        combination = dict(zip(foreach, values, strict=True))
        if not any(one.items() <= combination.items() for one in exclude):
            yield combination


def _faults(foreach: object, where: str) -> Iterator[UserError]:
    if not isinstance(foreach, Mapping) or not foreach:
        yield UserError(where, "a key with its values is expected here", _FORM)
        return
    for key, values in foreach.items():
        if not isinstance(values, list) or not values:
            yield UserError(f"{where}.{key}", "a list of values is expected here", _FORM)
            continue
        names = [text(value) for value in values]
        for value, name in zip(values, names, strict=True):
            if not isinstance(value, str | int | float) or not _VALUE.fullmatch(name):
                what = f"'{name:.80}' cannot be part of a file name"
                yield UserError(
                    f"{where}.{key}", what, "use only letters, digits, '_', '.', '+' and '-'"
                )
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield UserError(
                f"{where}.{key}", f"the value '{name}' is listed twice", "keep one of the two"
            )


def _faults_of_exclude(
    exclude: object, foreach: Mapping[str, Any], where: str
) -> Iterator[UserError]:
    if not isinstance(exclude, list) or not all(
        isinstance(one, Mapping) and one for one in exclude
    ):
        yield UserError(
            where, "a list of combinations is expected here", "write exclude: [{key: value}]"
        )
        return
    for key, value in (pair for one in exclude for pair in one.items()):
        if key not in foreach:
            what = f"there is no '{key}' in this stage's foreach"
            yield UserError(where, what, did_you_mean(str(key), foreach))
        elif value not in foreach[key]:
            what, known = f"'{text(value)}' is not a value of '{key}'", map(text, foreach[key])
            yield UserError(where, what, did_you_mean(text(value), known))
