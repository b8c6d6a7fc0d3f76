"""The names of a pipeline's tasks. A stage such as `train@cnn-0` is no valid name in Kubernetes. Pure."""

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

METRICS = "stage-metrics"  # the output with the stage's metrics; "-" occurs in no output of a stage
# names by which KFP 1 found what its pages show; KFP 2 goes by the type of an output
OF_PAGES = {"mlpipeline-metrics": "metrics", "mlpipeline-ui-metadata": "a page"}
_REPORT = "stage-report"
_MOST = 45  # characters: Argo adds its own to the names of pods, which Kubernetes limits to 63
# nodes of Kubeflow Pipelines itself; each task also has one with the suffix -driver
_RESERVED = ("root", "executor", "importer", "system")
_DRIVER = "-driver"


@dataclass(frozen=True, slots=True)
class Names:
    """The tasks of a pipeline."""

    stages: Mapping[str, str]  # stage -> task
    gates: Mapping[str, str]  # stage -> the task that checks its gates
    imports: Mapping[str, str]  # asset, or STAGE.OUTPUT -> the task that imports it

    def stage_of(self, task: str) -> str | None:
        """Return the stage that the task runs; None for any other task."""
        return next((stage for stage, name in self.stages.items() if name == task), None)


def of_tasks(
    stages: Collection[str], gated: Collection[str] = (), imported: Collection[str] = ()
) -> Names:
    """Return a different, valid name for each task; gated: the stages with gates."""
    wanted = {("stage", stage): _valid(stage) for stage in stages}
    wanted |= {("gate", stage): f"{_valid(stage)}-gate" for stage in gated}
    wanted |= {("import", key): f"import-{_valid(key)}" for key in imported}
    counts = Counter(wanted.values())
    names = {
        key: name if counts[name] == 1 and _is_free(name) else _unlike(name, *key)
        for key, name in wanted.items()
    }
    return Names(*({one: names[kind, one] for kind, one in names if kind == which} for which in
                   ("stage", "gate", "import")))  # fmt: skip


def report_of(key: str) -> str:
    """Return the name of the output with a task's report; it is found by the task's cache key."""
    return f"{_REPORT}-{key[:16]}"


def of_page(output: str) -> str | None:
    """Return what an output of this name showed in KFP 1, also if it is written with other characters."""
    return OF_PAGES.get(re.sub("[^a-z0-9]+", "-", output.lower()))


def of_pipeline(usecase: str, target: str) -> str:
    """Return the pipeline's name: KFP finds cached tasks among the runs of one pipeline."""
    return f"{_valid(usecase)}-{_valid(target)}"


def _valid(name: str) -> str:
    return re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")


def _is_free(name: str) -> bool:
    return len(name) <= _MOST and name not in _RESERVED and not name.endswith(_DRIVER)


def _unlike(name: str, kind: str, one: str) -> str:
    """Return a name that no other task has."""
    digest = hashlib.sha256(f"{kind} {one}".encode()).hexdigest()
    return f"{name[:_MOST].strip('-')}-{digest[:8]}"
