"""The command that runs a rejected run again with gates that its metrics pass."""

import math
import shlex
from collections.abc import Callable, Iterator

from engine import override
from engine.events import RunState
from engine.foreach import base_of
from engine.stage.rules import holds
from engine.wording import command_line

_DIGITS = 3  # significant digits of a rounded bound


def command(state: RunState) -> str:
    """Return the command with a looser rule for each gate that failed; empty if none did.

    A gate whose metric was not returned is removed.
    """
    rules = dict(_rules(state))
    if not rules:
        return ""
    words = [word for word in shlex.split(command_line(state)) if _key(word) not in rules]
    return " ".join([shlex.join(words), *(_word(key, rule) for key, rule in rules.items())])


def rule(failed: str, value: float) -> str:
    """Return the rule, with a rounded bound that the value just passes."""
    operator, *rest = failed.split()
    if operator == "==":
        operator = ">=" if value > float(rest[0]) else "<="
    is_least = operator in (">=", ">")
    bound = _rounded(value, math.floor if is_least else math.ceil)
    return " ".join([">=" if is_least else "<=", f"{bound:.12g}", *rest[1:]])


def _rules(state: RunState) -> Iterator[tuple[str, str | None]]:
    """Yield the key and the looser rule of each failed gate; the stages of a foreach share a key."""
    loosest: dict[str, str | None] = {}
    for stage in state.stages.values():
        for gate in stage.gates:
            key = f"stages.{base_of(stage.name)}.require.{gate['metric']}"
            before, value = loosest.get(key, gate["rule"]), gate["value"]
            if gate["passed"] is not False or before is None:
                continue
            if value is None or not math.isfinite(value):
                loosest[key] = None
            elif key not in loosest or not holds(value, before):
                loosest[key] = rule(before, value)
    yield from loosest.items()


def _rounded(value: float, towards: Callable[[float], int]) -> float:
    if value == 0:
        return 0.0
    decimals = _DIGITS - 1 - math.floor(math.log10(abs(value)))
    scale = 10.0 ** min(decimals, 300)
    return towards(value * scale) / scale


def _key(word: str) -> str:
    return word.partition("=")[0].lstrip("+~")


def _word(key: str, loosened: str | None) -> str:
    return shlex.quote(f"~{key}") if loosened is None else override.as_text(key, loosened)
