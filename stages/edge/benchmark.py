"""Measures the cost of models: time, size and memory, on the machine where they run."""

from typing import TYPE_CHECKING, Annotated, Any, NotRequired, TypedDict

from engine.stage import In, Out, StageError, measuring_on, note, progress
from engine.stage.bounds import Range
from engine.stage.suffix import Suffix

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from stages.tflite.model import Model
    from stages.tflite.part import Part

LOADS = {"accelerator": "stages.accelerators"}
WARM_UP = 10
WARM_UP_SHARE = 0.1  # of the seconds; a slow model warms up with fewer inferences
MIN_MEASURED = 20  # even if they take longer: percentiles of fewer mean little
MOST_EXAMPLES = 50  # used in turn


class BenchmarkMetrics(TypedDict):
    """For the role's model: milliseconds per inference, inferences per second, file size in bytes, memory of
    the process in megabytes, and whether it ran on the accelerator (1) or the CPU (0).

    latency_sum_ms: the sum of the medians of all roles, if there are several.
    """

    latency_median_ms: float
    latency_p95_ms: float
    throughput_per_s: float
    model_size_bytes: float
    peak_memory_mb: float
    on_accelerator: float
    latency_sum_ms: NotRequired[float]


def benchmark(
    test: In,
    models: In,
    report: Annotated[Out, Suffix(".json")],
    compiled: In | None = None,
    *,
    role: str = "model",
    runtime: str = "litert",
    accelerator: str = "none",
    repeats: Annotated[int, Range(ge=1)] = 300,
    seconds: Annotated[float, Range(gt=0)] = 30,
    threads: Annotated[int, Range(ge=1)] = 1,
) -> BenchmarkMetrics:
    """Run each role's model, one example at a time, and measure its latency.

    It runs on the accelerator if that is usable; otherwise its int8 or float form runs on the CPU.
    test:   the part with examples for the model of `role`; other roles run on noise
    models, compiled: ROLE/{int8,float}.tflite; `compiled`, which takes precedence, also has the form
                      of the accelerator
    report: JSON with the metrics, the number of measured inferences, the runtime, the accelerator, and
            where the figures were measured, without which a latency means nothing; under `models` the
            same for every role. Peak memory is that of a fresh process with only the runtime and the
            model (VmHWM, proc(5)).
    role:        the role of the model whose figures are the metrics
    runtime:     of the target: litert or tflite_runtime
    accelerator: of the target: none, or the name of a file in stages/accelerators
    repeats:     most measured inferences of a role, after up to ten to warm up
    seconds:     for a role: its measurement ends after this time, but not before 20 inferences
    threads:     CPU threads of the runtime

    StageError: no model has the role, or the part has no example for it.
    """
    import json

    from stages.accelerator import open_on
    from stages.tflite import part, roles

    if repeats < 1:
        raise StageError(f"repeats is {repeats}: measure at least one inference")
    chosen, data = roles.of_role(compiled or models, role), part.read(test)
    others = {n: f for n, f in roles.by_role(compiled or models).items() if n != role}
    rows: dict[str, dict[str, Any]] = {}
    for name, forms in {role: chosen, **others}.items():
        plain, twin = roles.runnable(forms, accelerator)
        # Another role without a twin does not try to use the accelerator.
        wanted = accelerator if twin or name == role else "none"
        model = open_on(wanted, plain, twin, runtime, threads)
        examples = _tensors(model, data if name == role else None)
        times = _times_ms(model, examples, repeats, seconds, name)
        ran = twin if twin and model.accelerator != "cpu" else plain
        rows[name] = {**_figures(model, times, plain, ran, runtime), **_how(model, threads)}
        _note_figures(f"{name}: " if others else "", rows[name], model)
        if len(times) < repeats:
            _note_early_end(f"{name}: " if others else "", len(times), repeats, seconds)
        model.close()  # an accelerator may serve only one process at a time
    metrics = _metrics(rows, role)
    whole = {**rows[role], **metrics, "models": rows}
    report.write_text(json.dumps(whole, indent=1), encoding="utf-8")
    return metrics


def _tensors(model: "Model", data: "Part | None") -> "list[dict[str, NDArray[Any]]]":
    """Return input tensors: examples of the part, or noise."""
    import numpy as np

    if data is None:
        return [{name: _noise(tensor.shape, tensor.type) for name, tensor in model.inputs.items()}]
    examples = data.for_inputs(model.inputs)
    return [
        model.quantised({name: np.asarray(x[at : at + 1]) for name, x in examples.items()})
        for at in range(min(data.examples, MOST_EXAMPLES))
    ]


def _noise(shape: tuple[int, ...], type_: str) -> "NDArray[Any]":
    """Return numbers that any model accepts; large integer types get 0, as they may be table indexes."""
    import numpy as np

    kind, chance = np.dtype(type_), np.random.default_rng(0)
    if kind.kind == "f":
        return chance.uniform(0, 1, shape).astype(kind)
    if kind.itemsize > 1 or kind.kind not in "iu":
        return np.zeros(shape, kind)
    limits = np.iinfo(kind)
    return chance.integers(limits.min, limits.max, shape, kind, endpoint=True)


def _times_ms(
    model: "Model",
    tensors: "list[dict[str, NDArray[Any]]]",
    repeats: int,
    seconds: float,
    name: str,
) -> list[float]:
    """Return the milliseconds of single inferences, without the warm-up ones."""
    from itertools import cycle

    examples = cycle(tensors)
    for _ in _timed(model, examples, WARM_UP, 1, seconds * WARM_UP_SHARE):
        pass
    times: list[float] = []
    for took_ms in _timed(model, examples, repeats, MIN_MEASURED, seconds):
        times.append(took_ms)
        progress(len(times), repeats, name)
    return times


def _timed(
    model: "Model",
    examples: "Iterator[Mapping[str, NDArray[Any]]]",
    most: int,
    least: int,
    seconds: float,
) -> "Iterator[float]":
    """Yield the milliseconds of inferences; after `seconds`, end as soon as there are `least`."""
    import time

    end_s = time.monotonic() + seconds
    for at in range(most):
        if at >= least and time.monotonic() >= end_s:
            return
        yield model.time_ms(next(examples))


def _figures(
    model: "Model", times: list[float], plain: "Path", ran: "Path", runtime: str
) -> dict[str, float]:
    import numpy as np

    median, p95 = (float(v) for v in np.percentile(times, [50, 95]))
    return {
        "inferences": len(times),
        "latency_median_ms": median,
        "latency_p95_ms": p95,
        "throughput_per_s": 1000 / float(np.mean(times)),
        "model_size_bytes": float(ran.stat().st_size),
        "peak_memory_mb": model.peak_memory_mb() or _peak_memory_mb(str(plain), runtime),
        "on_accelerator": float(model.accelerator != "cpu"),
    }


def _how(model: "Model", threads: int) -> dict[str, Any]:
    """Return the conditions of the measurement, which belong to every figure."""
    return {
        "runtime": model.runtime,
        "accelerator": model.accelerator,
        "threads": threads,
        "measured_on": measuring_on(),
    }


def _metrics(rows: dict[str, dict[str, Any]], role: str) -> BenchmarkMetrics:
    own = rows[role]
    metrics = BenchmarkMetrics(
        latency_median_ms=own["latency_median_ms"],
        latency_p95_ms=own["latency_p95_ms"],
        throughput_per_s=own["throughput_per_s"],
        model_size_bytes=own["model_size_bytes"],
        peak_memory_mb=own["peak_memory_mb"],
        on_accelerator=own["on_accelerator"],
    )
    if len(rows) > 1:
        metrics["latency_sum_ms"] = sum(row["latency_median_ms"] for row in rows.values())
    return metrics


def _note_early_end(prefix: str, count: int, repeats: int, seconds: float) -> None:
    note(
        f"{prefix}stopped after {count} of {repeats} inferences, since the time limit of {seconds:g} s "
        "was reached; to measure more, raise the stage's parameter 'seconds'"
    )


def _note_figures(prefix: str, row: dict[str, Any], model: "Model") -> None:
    threads = row["threads"]
    note(
        f"{prefix}latency measured with {model.runtime} on the {model.called} ({threads} "
        f"thread{'s' if threads > 1 else ''}; {measuring_on()})"
    )


def _peak_memory_mb(model: str, runtime: str) -> float:
    """Return the peak resident memory of a fresh process that opens the model and runs it once."""
    import re
    import subprocess
    import sys

    code = (
        "import sys; import numpy as np; from pathlib import Path; from stages.tflite.model import "
        "open_model; m = open_model(Path(sys.argv[1]), sys.argv[2]);"
        "m.run({n: np.zeros(t.shape, t.type) for n, t in m.inputs.items()});"
        "print(open('/proc/self/status').read())"
    )
    status_text = subprocess.run(
        [sys.executable, "-c", code, model, runtime], capture_output=True, text=True, check=True
    ).stdout
    peak = re.search(r"VmHWM:\s+(\d+) kB", status_text)
    return int(peak[1]) / 1024 if peak else 0.0
