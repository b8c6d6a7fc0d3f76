"""Checks the gates of a stage in a pod of its own, so that a rejected run stops on the cluster too."""

import json
from pathlib import Path
from typing import Mapping, Optional

from engine.stage.rules import holds


def check(rules: Mapping[str, str], report: Path) -> int:
    """Print the verdict on each metric in the stage's report; return 1 if a gate rejects the run."""
    found = json.loads(report.read_text(encoding="utf-8"))
    metrics = found["result"].get("metrics", {})
    verdicts = {name: holds(metrics.get(name), rule) for name, rule in rules.items()}
    for name, verdict in verdicts.items():
        print("{} {} the gate ({})".format(name, _told(metrics.get(name), verdict), rules[name]))
    return int(any(verdict is False for verdict in verdicts.values()))


def _told(value: Optional[float], verdict: Optional[bool]) -> str:
    if value is None:
        return "has no value for" if verdict is None else "has no value, and fails"
    return "{} {}".format(value, "passes" if verdict else "fails")
