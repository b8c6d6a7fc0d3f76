"""`when:` makes a stage conditional on the target: finds the stages that are left out, and why.
Pure.
"""

from collections.abc import Iterator, Mapping

from engine.errors import UserError, did_you_mean
from engine.spec import StageSpec
from engine.target import Target, choices


def left_out(stages: Mapping[str, StageSpec], target: Target) -> dict[str, str]:
    """Return the stages that this target does not have, each with the reason in a sentence."""
    found = {}
    for name, spec in stages.items():
        for key, wanted in spec.when.items():
            value = getattr(target, key, None)
            if value not in _listed(wanted):
                found[name] = (
                    f"it requires {key} to be {_said(wanted)}, but {target.name}'s is {value}"
                )
                break
    return found


def mistakes(stages: Mapping[str, StageSpec], where: str) -> Iterator[UserError]:
    """Yield each key that no target has, and each value that no target can have."""
    for name, spec in stages.items():
        for key, wanted in spec.when.items():
            location = f"{where}: stages.{name}.when.{key}"
            if key not in Target.model_fields:
                what = f"a target has no key '{key}'"
                yield UserError(location, what, did_you_mean(key, Target.model_fields))
                continue
            known = choices(key)
            for value in _listed(wanted):
                if known and value not in known:
                    what = f"'{value}' is not a value of a target's '{key}'"
                    yield UserError(location, what, did_you_mean(str(value), map(str, known)))


def _listed(wanted: object) -> list[object]:
    return list(wanted) if isinstance(wanted, list) else [wanted]


def _said(wanted: object) -> str:
    return " or ".join(map(str, _listed(wanted)))
