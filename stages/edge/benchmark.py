"""The stage that measures what a model costs: time, size and memory, on the machine that it runs
on.
"""

from typing import TYPE_CHECKING, TypedDict

from engine.stage import In, Out, StageError, note, progress, taken

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stages.edge._runtime import Model

WARM_UP = 10


class BenchmarkMetrics(TypedDict):
    """Milliseconds of one inference, inferences a second, bytes of the model, megabytes of the
    process that ran it, and whether that was the Edge TPU (1) or the CPU (0).
    """

    latency_median_ms: float
    latency_p95_ms: float
    throughput_per_s: float
    model_size_bytes: float
    peak_memory_mb: float
    on_edgetpu: float


def benchmark(
    dataset: In,
    int8_model: In,
    report: Out,
    compiled_model: In | None = None,
    *,
    runtime: str = "litert",
    accelerator: str = "none",
    repeats: int = 300,
    threads: int = 1,
) -> BenchmarkMetrics:
    """Run the model on test examples, one at a time, and measure its latency.

    It is the compiled model if the accelerator can be used, else the int8 one on the CPU.

    report: JSON with the metrics, the runtime, the accelerator, and where the figures were taken, without
            which a latency means nothing; peak memory is that of a fresh process with the runtime and the
            model alone (VmHWM, proc(5)).

    StageError: nothing to measure with.
    """
    import json

    import numpy as np

    from stages.edge._runtime import open_on

    x = np.load(dataset / "x_test.npy")
    if not len(x):
        raise StageError("the test part is empty")
    model = open_on(accelerator, int8_model, compiled_model, runtime, threads)
    ran = compiled_model if compiled_model and model.accelerator == "edgetpu" else int8_model
    times = _times_ms(model, x, repeats)
    median, p95 = (float(v) for v in np.percentile(times, [50, 95]))
    memory_mb = model.peak_memory_mb() or _peak_memory_mb(str(int8_model), runtime)
    metrics = BenchmarkMetrics(
        latency_median_ms=median,
        latency_p95_ms=p95,
        throughput_per_s=1000 / float(np.mean(times)),
        model_size_bytes=float(ran.stat().st_size),
        peak_memory_mb=memory_mb,
        on_edgetpu=float(model.accelerator == "edgetpu"),
    )
    note(
        f"measured with {model.runtime} on the {model.called}, {threads} "
        f"thread{'s' if threads > 1 else ''}: {taken()}"
    )
    about = {
        **metrics,
        "runtime": model.runtime,
        "accelerator": model.accelerator,
        "threads": threads,
        "taken": taken(),
    }
    report.write_text(json.dumps(about, indent=1), encoding="utf-8")
    return metrics


def _times_ms(model: "Model", examples: "NDArray[np.float32]", repeats: int) -> list[float]:
    """Return the milliseconds of single inferences, without the first ones, which warm the caches."""
    tensors = [model.quantised(examples[i % len(examples)][None]) for i in range(min(repeats, 50))]
    times = []
    for i in range(WARM_UP + repeats):
        took_ms = model.time_ms(tensors[i % len(tensors)])
        if i >= WARM_UP:
            times.append(took_ms)
        progress(i + 1, WARM_UP + repeats)
    return times


def _peak_memory_mb(model: str, runtime: str) -> float:
    """Return the peak resident memory of a fresh process that opens the model and runs it once."""
    import re
    import subprocess
    import sys

    code = (
        "import sys; import numpy as np; from pathlib import Path; from stages.edge._runtime import "
        "open_model; m = open_model(Path(sys.argv[1]), sys.argv[2]);"
        "m.invoke(np.zeros(m.input['shape'], m.input['dtype'])); print(open('/proc/self/status').read())"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, model, runtime], capture_output=True, text=True, check=True
    ).stdout
    peak = re.search(r"VmHWM:\s+(\d+) kB", said)
    return int(peak[1]) / 1024 if peak else 0.0
