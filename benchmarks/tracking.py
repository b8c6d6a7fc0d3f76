"""Measures the cost of tracking: `python benchmarks/tracking.py`.

Long curves and runs of many cached stages are journals written here, as the engine would write them; the runs
with nothing to do are real ones. All figures include the start of the processes and the import of MLflow.
"""

import argparse
import json
import resource
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from cost import Cost, measure

from engine import ROOT, Bench, chain, ten_in_a_row  # benchmarks/engine.py

Event = dict[str, Any]
REQUEST = """
import sys
from pathlib import Path
from engine.sinks.mlflow import Sink
Sink(Path(sys.argv[1]), Path(sys.argv[2]), {}).close()
"""
MEASURED = {"platform": "linux/amd64", "emulated": False, "measured_on": "x86_64"}


def started(run_id: str, stages: Iterable[str]) -> Event:
    """Return a run's first event."""
    fields = {"inputs": {}, "params": {}, "needs": [], "outputs": ["after"], "runs_on": "build"}
    jobs = [
        {
            "stage": stage,
            "uses": "bench.step",
            "doc": "A step.",
            "platform": "linux/amd64",
            **fields,
        }
        for stage in stages
    ]
    about = {"usecase": "bench", "target": "x86_64", "platform": "linux/amd64", "machine": "x86_64"}
    rest = {"command": [], "git_commit": None, "params": {}, "objective": None, "assets": []}
    return {"event": "run_started", "run_id": run_id, "jobs": jobs, **about, **rest}


def ran(stage: str, points: int) -> Iterator[Event]:
    """Yield the events of a stage that ran and reported this many points of a curve."""
    log = {"log": "", "attempt": 1, "fingerprint": fingerprint(stage)}
    yield {"event": "job_started", "stage": stage, **log, **MEASURED}
    for step in range(points):
        yield {
            "event": "metric",
            "stage": stage,
            "name": f"m{step % 5}",
            "value": 1 / (step + 1),
            "step": step,
        }
    done = {"seconds": 1.0, "outputs": {}, "metrics": {"loss": 0.5}}
    yield {"event": "job_finished", "stage": stage, "attempt": 1, **done}


def cached(stage: str) -> Event:
    """Return the event of a cached stage."""
    known = {
        "fingerprint": fingerprint(stage),
        "outputs": {},
        "metrics": {"loss": 0.5},
        "points": [],
    }
    rest = {"figures": [], "notes": [], "seconds": 1.0, **MEASURED}
    return {"event": "job_cached", "stage": stage, **known, **rest}


def fingerprint(stage: str) -> str:
    """Return a stand-in for the stage's fingerprint."""
    return stage.encode().hex().ljust(64, "0")


def write_run(outputs: Path, run_id: str, events: Iterable[Mapping[str, Any]]) -> Path:
    """Write a run's folder in the engine's form."""
    folder = outputs / "bench" / "x86_64" / run_id
    folder.mkdir(parents=True)
    done: Event = {"event": "run_finished", "status": "finished", "seconds": 1.0}
    with (folder / "journal.jsonl").open("w") as file:
        for seq, event in enumerate([*events, done]):
            stamp = {"v": 1, "seq": seq, "time": 1.8e9 + seq / 100}
            file.write(json.dumps({**stamp, **event}) + "\n")
    return folder


def sync(outputs: Path) -> Cost:
    """Return the cost of `sync`."""
    return measure([sys.executable, str(ROOT / "run.py"), "sync", f"outputs={outputs}"], ROOT)


def request(outputs: Path, run_dir: Path) -> Cost:
    """Return the cost of recording a finished run with a sender."""
    return measure([sys.executable, "-c", REQUEST, str(run_dir), str(outputs)], ROOT)


def tell(what: str, figure: float, unit: str = "s") -> None:
    """Print one line."""
    print(f"{what:68} {figure:8.2f} {unit}", flush=True)


def journals(folder: Path, points: int, stages: int) -> None:
    """Measure the delivery of a long curve, and of many cached stages."""
    outputs = folder / "journals"
    write_run(outputs, "20260101-000000-000-aaaa", [started("r0", ["s"]), *ran("s", 10)])
    sync(outputs)  # creates the database
    write_run(outputs, "20260101-000001-000-aaaa", [started("r1", ["long"]), *ran("long", points)])
    cost = sync(outputs)
    tell(f"sync of {points:,} points", cost.wall_s)
    tell("  processor seconds", cost.cpu_s)
    largest_kb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    tell("  largest memory of a process", largest_kb / 1024, "MB")
    names = [f"s{i}" for i in range(stages)]
    all_ran = [event for name in names for event in ran(name, 0)]
    write_run(outputs, "20260101-000002-000-aaaa", [started("r2", names), *all_ran])
    tell(f"sync of {stages:,} stages that ran", sync(outputs).wall_s)
    last = [started("r3", names), *map(cached, names)]
    run_dir = write_run(outputs, "20260101-000003-000-aaaa", last)
    cost = request(outputs, run_dir)
    tell(f"{stages:,} cached stages: until the sender has ended", cost.quiet_s)
    tell("  processor seconds", cost.cpu_s)


def runs(folder: Path) -> None:
    """Measure real runs of 30 stages with nothing to do."""
    bench = Bench(folder, 1)
    usecase = bench.write("chain", chain(30))
    bench.run(usecase)
    once = bench.run(usecase)
    tell("nothing to do: processor seconds of the run itself", once.foreground_cpu_s)
    tell("  of what it left running", once.cpu_s - once.foreground_cpu_s)
    ten = ten_in_a_row(bench, usecase)
    tell("ten in a row: processor seconds of the runs", ten.foreground_cpu_s)
    tell("  of what they left running", ten.cpu_s - ten.foreground_cpu_s)
    tell("  wall time until all have ended", ten.quiet_s)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=200_000)
    parser.add_argument("--stages", type=int, default=1_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        journals(Path(name), options.points, options.stages)
        runs(Path(name))


if __name__ == "__main__":
    main()
