"""The settings of the pipeline, with the defaults that a server has."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, field
from typing import Any, Dict

# The addresses of 32 bits have room for the slots of several sources with frames of 4K.
LARGEST = 16_000_000 if sys.maxsize > 2**32 else 8_300_000
PACKAGED = "stages.serving.pipeline.packaged"


@dataclass(frozen=True)
class Settings:
    """What a pipeline does, and how long it waits; the times are settings so that tests can be fast."""

    accelerator: str = "none"  # of the target: none, or the name of a file in stages/accelerators
    runtime: str = "litert"
    threads: int = 1  # of a model on the CPU
    watchdog_s: float = 5.0  # longest inference before the worker is restarted
    open_s: float = 60.0  # longest time to open the models
    reopen: int = 3  # attempts on the accelerator before the CPU takes over
    backoff_s: float = 0.5  # before the first restart; doubled at each further one
    probe_s: float = 10.0  # between looks for the accelerator after the CPU took over
    crashes: int = 5  # restarts within `crash_span_s` before the worker is given up
    crash_span_s: float = 60.0
    camera_s: float = 30.0  # longest silence of a camera process before it is restarted
    fps: float = 0.0  # most frames a second of a source to answer; 0: no limit
    motion: float = 0.0  # share of a picture that must change to be answered; 0: answer all
    quality: int = 80  # of JPEG pictures
    shown_side: int = (
        480  # pixels of the shorter side that pictures should have, if the source has them
    )
    frame_pixels: int = LARGEST  # larger frames are reduced
    answer_s: float = 2.0  # longest wait for an answer to draw; then the frame is shown without one
    state_s: float = 1.0  # between reports of a state
    source: Dict[str, Any] = field(default_factory=dict)  # ReadingOptions
    tasks: str = PACKAGED  # the module that opens a package; tests and benchmarks have their own
    readers: str = "stages.serving.pipeline.reading"  # the module that opens a source

    def as_json(self) -> Dict[str, Any]:
        """Return it as JSON data, from which `Settings(**data)` makes it again."""
        return asdict(self)
