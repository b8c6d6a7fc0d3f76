"""The words for states, failures and verdicts, each with one meaning."""

import re
from collections.abc import Mapping
from typing import Any, Literal

SUFFIX = re.compile(r"(\.[A-Za-z0-9]{1,16}){1,3}")  # of a file name: .json, .tar.gz
StageStatus = Literal["waiting", "running", "finished", "failed", "skipped", "rejected"]
# pruned: the search that it was a part of ended it early
RunStatus = Literal["running", "finished", "failed", "rejected", "pruned", "interrupted"]
FailureKind = Literal[
    "failed",
    "timeout",
    "killed",
    "input_changed",
    "bad_output",
    "disk_full",
    "disk_error",
    # only with containers
    "out_of_memory",
    "daemon_lost",
    "device_lost",
    "no_device",
    "image_missing",
    "wrong_platform",
    "no_command",
    "bus_error",
]
Verdict = (
    bool | None
)  # the result of a gate; None: its metric was not measured, and the rule says "if measured"
Direction = Literal["maximise", "minimise"]  # of an objective
RunsOn = Literal["build", "target", "host"]

Event = Mapping[str, Any]
