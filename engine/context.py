"""The arguments with which executors, drivers and sinks are created. Plain data."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from engine.images import Image
from engine.interfaces import Emit, Executor, Say
from engine.plan import Plan
from engine.settings import Kubeflow
from engine.store import Store
from engine.target import Target


@dataclass(frozen=True, slots=True)
class ExecutorContext:
    """One request, for engine/executors/<name>.py: Executor(context)."""

    target: Target
    roots: tuple[Path, ...]  # folders that contain the packages of stages
    packages: tuple[str, ...]  # the packages that `uses:` may name
    images: Callable[[], Sequence[Image]]  # read on the first call
    store: Path
    ssh_config: str | None = None  # a file to use instead of ~/.ssh/config
    options: Mapping[str, object] = field(
        default_factory=dict
    )  # the keys of conf/executor/<name>.yaml
    kubeflow: Kubeflow = field(default_factory=Kubeflow)
    # environments that cannot be provided, each with the reason: engine/tools/definition.py
    without: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverContext:
    """One run of a plan, for engine/drivers/<name>.py: driver(context)."""

    plan: Plan
    store: Store
    executor: Executor
    work: Path  # a private folder on the store's file system, removed at the end of the run
    run_dir: Path
    emit: Emit
    cpus: float | None  # CPUs that the jobs share; None: all
    fail_fast: bool  # end the run at the first failure
    kubeflow: Kubeflow = field(default_factory=Kubeflow)
    executors: ExecutorContext | None = None  # for a driver that makes executors of its own
    say: Say = lambda *_: None  # shows the progress of transfers


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkContext:
    """One run, for engine/sinks/<name>.py: sink(context)."""

    run_dir: Path
    outputs: Path
    tracking: Mapping[str, object]  # conf/tracking/<name>.yaml
    stream: TextIO  # the user's terminal or file
    is_temporary: bool = (
        False  # the run's folder is removed at its end, so that no path may be shown
    )
