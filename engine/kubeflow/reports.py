"""Finds the reports that the steps of a pipeline left below the data root, and reads them.

A report is found by its task's cache key, whichever run wrote it: a task that the cluster took from
its cache wrote none in its own run. What is read comes from a shared store, so it is checked.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.kubeflow import names
from engine.kubeflow.data import DataRoot
from engine.kubeflow.pipeline import ROOT
from engine.kubeflow.tasks import RESULTS

MOST_BYTES = 80_000_000  # of a report: its events are at most 64 MB
LOG_MOST_BYTES = 20_000_000
_Text = Annotated[str, Field(max_length=1 << 20)]


class Output(BaseModel):
    """One output of a stage, below the data root."""

    model_config = ConfigDict(frozen=True)

    digest: str
    uri: str


class Report(BaseModel):
    """What a step says about its stage: engine/stage/kubeflow/."""

    model_config = ConfigDict(frozen=True)

    version: int = Field(ge=1, le=1)
    key: str
    status: int
    seconds: float = Field(0.0, ge=0, allow_inf_nan=False)
    measured_on: _Text = ""
    result: dict[str, Any] = {}
    events: list[str] = []
    log: str = ""
    inputs: dict[str, str] = {}  # name, or name/value -> digest as received
    outputs: dict[str, Output] = {}

    @property
    def is_success(self) -> bool:
        """Return whether the stage ended well."""
        return self.status == 0


@dataclass(frozen=True, slots=True)
class Reports:
    """The reports of one plan's tasks."""

    root: DataRoot
    pipeline: str  # its name
    keys: Mapping[str, str]  # stage -> cache key
    is_folder: bool  # the data root is a folder, to which steps copy their results

    def find(self, stage: str, run_id: str | None = None) -> Report | None:
        """Return the report on a stage, of this run of the cluster or else of any; None if there is none.

        run_id: only of this run, if reports are kept by run.
        """
        key = self.keys[stage]
        if self.is_folder:
            return self._kept(key)
        pattern = self._pattern(run_id or "*", "*", names.report_of(key))
        found = [report for uri in self.root.glob(pattern) if (report := self._read(uri, key))]
        return next((one for one in found if one.is_success), found[0] if found else None)

    def log(self, task: str, run_id: str) -> str | None:
        """Return the log that the cluster stored for a task; None if it stores none."""
        if self.is_folder:
            return None
        for uri in self.root.glob(self._pattern(run_id, task, "executor-logs")):
            data = self.root.read(uri, LOG_MOST_BYTES)
            return data.decode(errors="replace") if data else None
        return None

    def _pattern(self, run_id: str, task: str, output: str) -> str:
        return f"{ROOT}/{self.pipeline}/{run_id}/{task}/*/{output}"

    def _kept(self, key: str) -> Report | None:
        """Return the report in a folder that the cluster's pods see, with the paths of its outputs."""
        folder = f"{RESULTS}/{key}"
        for uri in self.root.glob(f"{folder}/report.json"):
            if report := self._read(uri, key):
                base = uri.rpartition("/")[0]
                outputs = {
                    name: Output(digest=one.digest, uri=f"{base}/{name}")
                    for name, one in report.outputs.items()
                }
                return report.model_copy(update={"outputs": outputs})
        return None

    def _read(self, uri: str, key: str) -> Report | None:
        """Return the report; None if it is not one, or of another task."""
        try:
            report = Report.model_validate(json.loads(self.root.read(uri, MOST_BYTES) or b""))
        except (ValidationError, ValueError, RecursionError):
            return None
        return report if report.key == key else None
