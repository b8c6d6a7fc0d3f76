"""What has changed since a run, before it is made again: sources, packages and data. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from engine import fingerprint as fingerprints
from engine.events import RunState
from engine.fingerprint import Parts
from engine.plan import Plan, Planned


def since(state: RunState, parts: Mapping[str, Parts], plan: Plan) -> Iterator[str]:
    """Yield a line for each asset that differs, and for each stage whose source or environment does.

    state, parts: of the run, the parts by stage
    """
    yield from _assets(state, plan)
    for name, planned in plan.jobs.items():
        if name in parts:
            yield from (f"{name}: {line}" for line in _of_stage(parts[name], planned))
    for name in state.stages.keys() - plan.jobs.keys():
        yield f"{name}: the plan has no such stage any more"


def _assets(state: RunState, plan: Plan) -> Iterator[str]:
    for asset in state.start.get("assets") or ():
        now = plan.assets.get(str(asset["key"]))
        if now and asset.get("digest") and now.digest != asset["digest"]:
            yield f"asset {asset['key']}: {_short(asset['digest'])} -> {_short(now.digest)}"


def _of_stage(before: Parts, planned: Planned) -> list[str]:
    """Return what differs apart from the inputs, which do not exist yet."""
    inputs = before.get("input", {})
    after = planned.job.parts({name: _text(value) for name, value in inputs.items()})
    return fingerprints.differences(before, after)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _short(digest: object) -> str:
    return str(digest).rpartition(":")[2][:12]
