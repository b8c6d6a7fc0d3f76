"""The cache keys of tasks: what a fingerprint contains, known before anything has run. Pure."""

import hashlib
import json
from collections.abc import Mapping

from engine import fingerprint as fingerprints
from engine.graph import Reference
from engine.plan import Plan


def of_stages(plan: Plan) -> dict[str, str]:
    """Return the key of each stage.

    It is the fingerprint with the name of each input's producer and its key in place of the input's
    digest. Two runs with the same key produce the same, as far as stages are reproducible.
    """
    keys: dict[str, str] = {}
    for name, planned in plan.jobs.items():
        inputs = {key: _of_input(ref, plan, keys) for key, ref in planned.job.inputs.items()}
        keys[name] = fingerprints.fingerprint(planned.job.parts(inputs))
    return keys


def of_gates(key: str, rules: Mapping[str, str]) -> str:
    """Return the key of the task that checks the gates of the stage with this key."""
    text = json.dumps([key, dict(rules)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _of_input(ref: Reference | None, plan: Plan, keys: Mapping[str, str]) -> str | None:
    if ref is None:
        return None
    if ref.each:
        return fingerprints.of_entries(
            {value: f"{keys[one]}.{ref.name}" for value, one in ref.members.items()}
        )
    return f"{keys[ref.stage]}.{ref.name}" if ref.stage else plan.assets[ref.name].digest
