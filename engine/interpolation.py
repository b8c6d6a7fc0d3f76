"""Turns a composed configuration into plain data: expands `foreach`, resolves every ${...}, and refuses
values that are not plain.
"""

import re
from collections.abc import Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from engine import foreach, override, plain, spelling
from engine.errors import UserError, did_you_mean, raise_all


def resolved(config: DictConfig, key: str) -> object:
    value = config[key]
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def expand(config: DictConfig, written: Any, where: str, mistakes: list[UserError]) -> None:
    """Replace each stage with `foreach` by one stage per value, before `${...}` is resolved.

    Mistakes in a foreach are raised at once, because nothing else can be checked then.
    """
    stages = written.get("stages")
    words = ("${each.", "'foreach'", "'exclude'")
    if not isinstance(stages, dict) or not any(word in repr(stages) for word in words):
        return
    for name, key in [(name, key) for name in stages for key in ("foreach", "exclude")]:
        if isinstance(stages[name], dict) and key in stages[name]:
            try:
                stages[name][key] = resolved(config.stages[name], key)
            except OmegaConfBaseException as error:
                location = f"{where}: stages.{name}.{key}"
                mistakes.append(_unresolved(config, location, str(error).splitlines()[0]))
    made, found = foreach.expand(stages, where)
    if found:
        raise ExceptionGroup("the use case is invalid", [*mistakes, *found])
    config.stages = made


def plain_data(config: DictConfig, where: str, mistakes: list[UserError]) -> dict[str, Any]:
    """Resolve every ${...}; report and remove an invalid one, so that the others are checked too."""
    removed: set[str] = set()
    while True:
        try:
            data = OmegaConf.to_container(config, resolve=True)
        except OmegaConfBaseException as error:
            key = getattr(error, "full_key", "") or ""
            mistakes.append(_unresolved(config, f"{where}: {key}", str(error).splitlines()[0]))
            if not key or key in removed:
                raise ExceptionGroup("the use case is invalid", mistakes) from None
            removed.add(key)
            OmegaConf.update(config, key, None)
            continue
        assert isinstance(data, dict)
        return {str(key): value for key, value in data.items()}


def _unresolved(config: DictConfig, location: str, message: str) -> UserError:
    missing = re.search(r"Interpolation key '([^']+)' not found", message)
    if not missing:
        return UserError(location, message, "write ${params.<name>} or ${target.<key>}")
    return UserError(
        location,
        message,
        did_you_mean(missing[1], _keys(OmegaConf.to_container(config, resolve=False))),
    )


def refuse_odd_values(
    data: object, where: str, overrides: Sequence[str], mistakes: Sequence[UserError] = ()
) -> None:
    """Raise a mistake for every value that is not plain, together with the mistakes so far: later
    checks cannot handle such values.
    """
    found = []
    for keys, what, fix in plain.faults(data):
        key = ".".join(keys)
        word = override.of(key, overrides)
        if word and (large := spelling.too_large(word.partition("=")[2])):
            what, fix = plain.fault(float(large), large) or (what, fix)
        found.append(override.located(UserError(f"{where}: {key}", what, fix), overrides))
    raise_all([*mistakes, *found] if found else [])


def _keys(data: object, prefix: str = "") -> list[str]:
    if not isinstance(data, dict):
        return [prefix.rstrip(".")]
    return [
        key
        for name, value in data.items()
        if name != "stages"
        for key in _keys(value, f"{prefix}{name}.")
    ]
