"""What a driver and a sink are made from. Plain data."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from engine.interfaces import Emit, Executor

if TYPE_CHECKING:  # a sink that is imported needs neither
    from engine.plan import Plan
    from engine.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverContext:
    """One run of a plan, for engine/drivers/<name>.py: driver(context)."""

    plan: "Plan"
    store: "Store"
    executor: Executor
    work: Path  # a private folder on the store's file system, gone when the run is over
    run_dir: Path
    emit: Emit
    cpus: float | None  # processors that the jobs share; None: all
    fail_fast: bool  # end the run at the first failure


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkContext:
    """One run, for engine/sinks/<name>.py: sink(context)."""

    run_dir: Path
    outputs: Path
    tracking: Mapping[str, Any]  # conf/tracking/<name>.yaml
    stream: TextIO  # where the user reads
