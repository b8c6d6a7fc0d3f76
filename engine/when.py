"""`when:` makes a stage conditional on the target, the task, parameters and assets: finds the stages that
are left out, and why. Pure.
"""

from collections.abc import Iterator, Mapping

from engine.errors import UserError, did_you_mean
from engine.spec import StageSpec
from engine.spelling import shown
from engine.target import Target, choices

PARAMETER = "params."  # prefix of keys that name a parameter of the use case
ASSET = "assets."  # prefix of keys that name an asset of the use case
TASK = "task"  # the key of the use case's task
Params = Mapping[str, object]
Assets = Mapping[str, object]  # None: the asset is not given
NO_ASSETS: Assets = {}


def left_out(
    stages: Mapping[str, StageSpec],
    target: Target,
    params: Params,
    assets: Assets = NO_ASSETS,
    task: str | None = None,
) -> dict[str, str]:
    """Return the stages that are not planned for this target, these parameters, these assets and this
    task, each with the reason as a sentence.

    An invalid parameter does not leave out stages, so that only the mistake itself is reported.
    """
    wrong = _unmatched(stages, params)
    found = {}
    for name, spec in stages.items():
        conditions = {key: value for key, value in spec.when.items() if key not in wrong}
        if reason := _reason(conditions, target, params, assets, task):
            found[name] = reason
    return found


def mistakes(
    stages: Mapping[str, StageSpec], params: Params, where: str, assets: Assets = NO_ASSETS
) -> Iterator[UserError]:
    """Yield a mistake for each unknown key, for each impossible value, and for each asset that nothing
    reads because another one is missing.
    """
    for name, spec in stages.items():
        for key, wanted in spec.when.items():
            location = f"{where}: stages.{name}.when.{key}"
            if key.startswith(ASSET):
                yield from _mistakes_of_asset(key, wanted, assets, location)
            elif key == TASK:
                continue  # its values are names of files that the engine does not know
            elif not key.startswith(PARAMETER):
                yield from _mistakes_of_target(key, wanted, location)
            elif key.removeprefix(PARAMETER) not in params:
                what = f"the use case has no parameter '{key.removeprefix(PARAMETER)}'"
                known = [f"{PARAMETER}{one}" for one in params]
                yield UserError(location, what, did_you_mean(key, known))
    for key, known in _unmatched(stages, params).items():
        value = params.get(key.removeprefix(PARAMETER))
        if key.removeprefix(PARAMETER) in params:
            what = f"no stage runs with {key}={value}"
            yield UserError(f"{where}: {key}", what, did_you_mean(str(value), known))
    yield from _useless(stages, assets, where)


def _reason(
    conditions: Mapping[str, object],
    target: Target,
    params: Params,
    assets: Assets,
    task: str | None,
) -> str:
    """Return the first condition that does not hold, as a sentence; empty if all hold."""
    for key, wanted in conditions.items():
        value: object
        if key.startswith(ASSET):
            value = assets.get(key.removeprefix(ASSET)) is not None
            reason = f"{key} is {'given' if value else 'not given'}"
        elif key.startswith(PARAMETER):
            value = params.get(key.removeprefix(PARAMETER))
            reason = f"{key} must be {_either(wanted)}, but it is {shown(value)}"
        elif key == TASK:
            value = task
            reason = f"the task must be {_either(wanted)}, but it is {task}"
        else:
            value = getattr(target, key, None)
            reason = f"{key} must be {_either(wanted)}, but {target.name}'s is {value}"
        if value not in _listed(wanted):
            return reason
    return ""


def _unmatched(stages: Mapping[str, StageSpec], params: Params) -> dict[str, list[str]]:
    """Return the parameters that the use case lacks, and those whose value selects none of the stages
    that depend on it, each with the values that would.
    """
    wanted: dict[str, list[object]] = {}
    for spec in stages.values():
        for key, values in spec.when.items():
            if key.startswith(PARAMETER):
                wanted.setdefault(key, []).extend(_listed(values))
    return {
        key: [str(value) for value in values]
        for key, values in wanted.items()
        if not _is_usable(key.removeprefix(PARAMETER), values, params)
    }


def _is_usable(name: str, wanted: list[object], params: Params) -> bool:
    """Return whether the parameter exists and, if it selects between stages, has one of their values.

    A single value, or true and false, is a switch, which may be off; so is a parameter that is null.
    """
    if name not in params:
        return False
    is_choice = len(set(map(str, wanted))) > 1 and not any(isinstance(one, bool) for one in wanted)
    return params[name] is None or params[name] in wanted or not is_choice


def _mistakes_of_asset(
    key: str, wanted: object, assets: Assets, location: str
) -> Iterator[UserError]:
    if key.removeprefix(ASSET) not in assets:
        what = f"the use case has no asset '{key.removeprefix(ASSET)}'"
        yield UserError(location, what, did_you_mean(key, [f"{ASSET}{one}" for one in assets]))
    elif not all(isinstance(value, bool) for value in _listed(wanted)):
        what = f"{shown(wanted)} is not true or false"
        yield UserError(location, what, "write true if the asset must be given, otherwise false")


def _useless(stages: Mapping[str, StageSpec], assets: Assets, where: str) -> Iterator[UserError]:
    """Yield a mistake for each given asset if all stages that read it need one that is not given."""
    for name in (one for one, value in assets.items() if value is not None):
        readers = [spec for spec in stages.values() if f"asset:{name}" in spec.references]
        missing = [_missing(spec, assets) for spec in readers]
        if missing and all(missing):
            what = f"it has no effect without {missing[0]}"
            fix = f"write {missing[0]}=NAME_OR_PATH, or {ASSET}{name}=null"
            yield UserError(f"{where}: {ASSET}{name}", what, fix)


def _missing(spec: StageSpec, assets: Assets) -> str:
    """Return the first asset that the stage's condition needs and that is not given; "" if none."""
    needed = (key for key, wanted in spec.when.items() if key.startswith(ASSET) and wanted is True)
    return next((key for key in needed if assets.get(key.removeprefix(ASSET)) is None), "")


def _mistakes_of_target(key: str, wanted: object, location: str) -> Iterator[UserError]:
    if key not in Target.model_fields:
        what = f"a target has no key '{key}'"
        yield UserError(location, what, did_you_mean(key, [*Target.model_fields, TASK]))
        return
    known = choices(key)
    for value in _listed(wanted):
        if known and value not in known:
            what = f"'{value}' is not a value of a target's '{key}'"
            yield UserError(location, what, did_you_mean(str(value), map(str, known)))


def _listed(wanted: object) -> list[object]:
    return list(wanted) if isinstance(wanted, list) else [wanted]


def _either(wanted: object) -> str:
    return " or ".join(map(str, _listed(wanted)))
