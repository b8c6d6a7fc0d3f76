"""The verdict on each stage of a run that was made again: equal, or what differs and why."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from engine import fingerprint as fingerprints
from engine import layout
from engine.events import RunState, StageState
from engine.fingerprint import Parts
from engine.numerals import number
from engine.reproduction import files
from engine.reproduction.files import Change
from engine.wording import listed

EQUAL, MEASURED, DIFFERS = "equal", "measured", "differs"
NOT_DETERMINISTIC = (
    "the same source, parameters, inputs and environment gave another result: the stage depends on "
    "something else, such as threads, time or chance"
)


@dataclass(frozen=True, slots=True)
class Version:
    """A run: the original, or the one that was made again."""

    run_dir: Path
    state: RunState
    parts: Mapping[str, Parts]  # by stage


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on one stage: equal, measured (only measurements differ), or differs."""

    stage: str
    kind: str
    what: list[str]  # what differs
    why: list[str]


def verdicts(before: Version, after: Version) -> list[Verdict]:
    """Return the verdict on each stage, in the order of the plan."""
    found: dict[str, Verdict] = {}
    for name, stage in before.state.stages.items():
        again = after.state.stages.get(name)
        found[name] = _verdict(stage, again, before, after, found)
    for name in after.state.stages.keys() - before.state.stages.keys():
        found[name] = Verdict(name, DIFFERS, ["the run had no such stage"], [])
    return list(found.values())


def _verdict(
    stage: StageState,
    again: StageState | None,
    before: Version,
    after: Version,
    earlier: Mapping[str, Verdict],
) -> Verdict:
    if again is None or again.state != stage.state:
        state = again.state if again else "not planned"
        failure = [str(again.failure["message"])] if again and again.failure else []
        return Verdict(stage.name, DIFFERS, [f"{stage.state} then, {state} now"], failure)
    changed = _outputs(stage, again, before, after)
    what = [f"{name}: {files.described(found)}" for name, found in changed.items()]
    metrics = dict(_metrics(stage, again))
    what += metrics.values()
    if not what:
        return Verdict(stage.name, EQUAL, [], [])
    why, follows = _why(stage, before, after, earlier)
    is_of_inputs = bool(follows) and not why
    if is_of_inputs and all(earlier[one].kind == MEASURED for one in follows):
        return Verdict(stage.name, MEASURED, what, [f"it reads {listed(follows)}"])
    if not why and not follows and _is_measured(changed, metrics):
        return Verdict(stage.name, MEASURED, what, ["it measures time or memory"])
    if follows:
        why.append(
            f"it reads {listed(follows)}, which differs" + ("" if len(follows) == 1 else " too")
        )
    return Verdict(stage.name, DIFFERS, what, why or [NOT_DETERMINISTIC])


def _is_measured(changed: Mapping[str, list[Change]], metrics: Mapping[str, str]) -> bool:
    """Return whether only times, speeds and memory differ."""
    every = [change for found in changed.values() for change in found]
    return all(change.is_measured for change in every) and all(map(files.is_measured, metrics))


def _outputs(
    stage: StageState, again: StageState, before: Version, after: Version
) -> dict[str, list[Change]]:
    """Return the files that differ, by output."""
    return {
        name: files.changes(
            layout.artifact(before.run_dir, stage.name, name),
            layout.artifact(after.run_dir, stage.name, name),
        )
        for name in dict.fromkeys([*stage.outputs, *again.outputs])
        if stage.outputs.get(name) != again.outputs.get(name)
    }


def _metrics(stage: StageState, again: StageState) -> Iterator[tuple[str, str]]:
    """Yield each metric that differs, and how."""
    for name in dict.fromkeys([*stage.metrics, *again.metrics]):
        old, new = stage.metrics.get(name), again.metrics.get(name)
        if old != new:
            delta = "" if old is None or new is None else f" ({new - old:+.3g})"
            yield name, f"metric {name}: {number(old)} -> {number(new)}{delta}"


def _why(
    stage: StageState, before: Version, after: Version, earlier: Mapping[str, Verdict]
) -> tuple[list[str], list[str]]:
    """Return why this stage itself differs, and the stages with other outputs that it reads."""
    needs = [name for name in stage.job.get("needs") or () if name in earlier]
    follows = [name for name in needs if earlier[name].kind != EQUAL]
    old, new = before.parts.get(stage.name), after.parts.get(stage.name)
    if old is None or new is None:
        is_other = stage.fingerprint != after.state.stages[stage.name].fingerprint
        lost = ["its record is not in the store any more, so the cause is unknown"]
        return (lost if is_other and not follows else []), follows
    if follows:  # inputs that stages made are explained by those stages
        made = {key for key, ref in (stage.job.get("inputs") or {}).items() if not _is_asset(ref)}
        old, new = _without_inputs(old, made), _without_inputs(new, made)
    return fingerprints.differences(old, new), follows


def _is_asset(reference: object) -> bool:
    return str(reference).startswith("asset:")


def _without_inputs(parts: Parts, names: set[str]) -> Parts:
    inputs = {key: value for key, value in parts.get("input", {}).items() if key not in names}
    return {**parts, "input": inputs}
