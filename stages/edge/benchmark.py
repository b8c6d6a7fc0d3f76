"""The stage that measures what a model costs: time, size and memory, on the machine that it runs on."""

from typing import TypedDict

from engine.stage import In, Out, StageError, note, progress

WARM_UP = 10


class BenchmarkMetrics(TypedDict):
    """Milliseconds of one inference, inferences a second, bytes of the model, megabytes of the process that ran it."""

    latency_median_ms: float
    latency_p95_ms: float
    throughput_per_s: float
    model_size_bytes: float
    peak_memory_mb: float


def benchmark(
    dataset: In, int8_model: In, report: Out, *, runtime: str = "litert", repeats: int = 300, threads: int = 1
) -> BenchmarkMetrics:
    """Run the int8 model on test examples, one at a time.

    report: JSON with the metrics, the runtime and the machine. Where the figures were taken stands beside them in the
    run; peak memory is that of a fresh process with the runtime and the model alone (VmHWM, proc(5)).

    StageError: nothing to measure with.
    """
    import json
    import platform
    import time

    import numpy as np

    from stages.edge._runtime import Model

    x = np.load(dataset / "x_test.npy")
    if not len(x):
        raise StageError("the test part is empty")
    model = Model(int8_model, runtime, threads)
    tensors = [model.quantised(x[i % len(x)][None]) for i in range(min(repeats, 50))]
    times = []
    for i in range(WARM_UP + repeats):
        start = time.perf_counter_ns()
        model.invoke(tensors[i % len(tensors)])
        if i >= WARM_UP:
            times.append((time.perf_counter_ns() - start) / 1e6)
        progress(i + 1, WARM_UP + repeats)
    median, p95 = (float(v) for v in np.percentile(times, [50, 95]))
    memory_mb = _peak_memory_mb(str(int8_model), runtime)
    metrics = BenchmarkMetrics(latency_median_ms=median, latency_p95_ms=p95, throughput_per_s=1000 / float(np.mean(times)),
                               model_size_bytes=float(int8_model.stat().st_size), peak_memory_mb=memory_mb)  # fmt: skip
    note(f"measured with {model.runtime}, {threads} thread{'s' if threads > 1 else ''}, {platform.machine()}")
    report.write_text(
        json.dumps({**metrics, "runtime": model.runtime, "machine": platform.machine(), "threads": threads}, indent=1), encoding="utf-8"
    )
    return metrics


def _peak_memory_mb(model: str, runtime: str) -> float:
    """Return the peak resident memory of a fresh process that opens the model and runs it once."""
    import re
    import subprocess
    import sys

    code = (
        "import sys; import numpy as np; from pathlib import Path; from stages.edge._runtime import Model; m = Model(Path(sys.argv[1]), sys.argv[2]);"
        "m.invoke(np.zeros(m.input['shape'], m.input['dtype'])); print(open('/proc/self/status').read())"
    )
    said = subprocess.run([sys.executable, "-c", code, model, runtime], capture_output=True, text=True, check=True).stdout
    peak = re.search(r"VmHWM:\s+(\d+) kB", said)
    return int(peak[1]) / 1024 if peak else 0.0
