"""Measures the engine's overhead, together with other tools for comparison: `python benchmarks/engine.py`.

Every figure is the median of several runs of the whole process, from `python run.py` to its exit. A run
starts only when everything that the previous one started has ended. doit, Snakemake and DVC are included if
benchmarks/.venv has them (`make bench` creates it). `--quick` is a short form for smoke tests.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from cost import Cost, measure

ROOT = Path(__file__).resolve().parent.parent
COLD, AGAIN = 0, 1
TOOLS = ROOT / "benchmarks" / ".venv" / "bin"
STAGE = '''"""A trivial stage."""

from engine.stage import In, Out


def step(before: In, after: Out, *, add: int = 1) -> None:
    """Add a number to the one in the file."""
    after.write_text(str(int(before.read_text()) + add))
'''
FIRST = '''"""A trivial first stage."""

from engine.stage import Out


def first(after: Out, *, number: int = 0) -> None:
    """Write a number."""
    after.write_text(str(number))
'''
BARE = "import sys; a, b = sys.argv[1:]; open(b, 'w').write(str(int(open(a).read()) + 1))"
HEAVY = '''"""A stage that imports TensorFlow."""

from engine.stage import Out


def heavy(out: Out) -> None:
    """Import TensorFlow, and write the time at which that was done."""
    import time

    import tensorflow

    out.write_text(f"{time.time()} {tensorflow.__version__}")
'''


def chain(n: int, changed: int | None = None, add: int = 1) -> str:
    """Return a use case of n stages, each reading the previous one; `changed` adds a different number."""
    lines = ["name: chain", "stages:", "  s0:", "    uses: bench.first"]
    for i in range(1, n):
        lines += [f"  s{i}:", "    uses: bench.step", f'    inputs: {{before: "s{i - 1}.after"}}']
        lines += [f"    params: {{add: {add}}}"] if i == changed else []
    return "\n".join(lines) + "\n"


def fan(n: int) -> str:
    """Return a use case of n stages that all read the same one."""
    lines = ["name: fan", "stages:", "  s0:", "    uses: bench.first"]
    for i in range(1, n):
        lines += [
            f"  s{i}:",
            "    uses: bench.step",
            '    inputs: {before: "s0.after"}',
            f"    params: {{add: {i}}}",
        ]
    return "\n".join(lines) + "\n"


class Bench:
    """A folder with the trivial stages, and the measurements."""

    def __init__(self, folder: Path, repeats: int) -> None:
        self.folder, self.repeats = folder, repeats
        (folder / "bench").mkdir()
        (folder / "bench" / "step.py").write_text(STAGE)
        (folder / "bench" / "first.py").write_text(FIRST)
        (folder / "bench" / "heavy.py").write_text(HEAVY)

    def run(self, usecase: Path, *words: str) -> Cost:
        """Return the cost of the whole command, until everything that it started has ended."""
        options = ["--config-dir", str(self.folder), f"usecase={usecase}", "target=x86_64"]
        options.append("stage_packages=[bench]")
        argv = [sys.executable, str(ROOT / "run.py"), *options, *words]
        env = {
            name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
        }
        return measure(argv, self.folder, env)  # with byte code, as users have it

    def write(self, name: str, text: str) -> Path:
        """Write a use case and return its path."""
        path = self.folder / f"{name}.yaml"
        path.write_text(text)
        return path

    def median(self, once: Callable[[], float]) -> float:
        """Return the median of several runs."""
        return statistics.median(once() for _ in range(self.repeats))

    def fresh(self, usecase: Path, *words: str) -> float:
        """Return the seconds of a run on an empty store; MLflow's database is created only once."""
        for path in (self.folder / "outputs").glob("*"):
            if path.is_dir() and path.name != "mlartifacts":
                shutil.rmtree(path)
        shutil.rmtree(self.folder / "outputs" / ".engine", ignore_errors=True)
        return self.again(usecase, *words)

    def again(self, usecase: Path, *words: str) -> float:
        """Return the seconds of a run on the existing store."""
        return self.run(usecase, *words).wall_s


def bare(n: int) -> float:
    """Return the seconds of n bare subprocesses, one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "0").write_text("0")
        start = time.perf_counter()
        for i in range(n):
            subprocess.run(
                [sys.executable, "-c", BARE, f"{folder}/{i}", f"{folder}/{i + 1}"], check=True
            )
        return time.perf_counter() - start


def other_tools(folder: Path, n: int, repeats: int) -> dict[str, tuple[float, float]]:
    """Return the cold and nothing-to-do seconds of the installed tools, each the median of several runs."""
    step = f'{sys.executable} -c "{BARE}"'
    recipes = {
        "doit": ("dodo.py", _dodo(n), ["run"]),
        "snakemake": ("Snakefile", _snakefile(n, step), ["-j1", "-q"]),
        "dvc": ("dvc.yaml", _dvc(n, step), ["repro", "-q"]),
    }
    found = {}
    for tool, (file, text, words) in recipes.items():
        program = shutil.which(tool, path=f"{TOOLS}{os.pathsep}{os.environ['PATH']}")
        if program is None:
            continue
        times = []
        for attempt in range(repeats):
            place = folder / f"{tool}{attempt}"
            place.mkdir()
            (place / file).write_text(text)
            (place / "f0").write_text("0")
            if tool == "dvc":
                subprocess.run([program, "init", "--no-scm", "-q"], cwd=place, check=True)
            times.append([measure([program, *words], place).wall_s for _ in ("cold", "again")])
        found[tool] = (
            statistics.median(t[COLD] for t in times),
            statistics.median(t[AGAIN] for t in times),
        )
    return found


def _dodo(n: int) -> str:
    return (
        f"import sys\nB = {BARE!r}\n\ndef task_s():\n    for i in range({n}):\n"
        "        yield {'name': str(i), 'file_dep': [f'f{i}'], 'targets': [f'f{i+1}'], 'actions': "
        "[[sys.executable, '-c', B, f'f{i}', f'f{i+1}']]}\n"
    )


def _snakefile(n: int, step: str) -> str:
    rules = "".join(
        f"rule s{i}:\n    input: 'f{i}'\n    output: 'f{i + 1}'\n    shell: '''{step} {{input}} "
        f"{{output}}'''\n"
        for i in range(n)
    )
    return f"rule all:\n    input: 'f{n}'\n{rules}"


def _dvc(n: int, step: str) -> str:
    return "stages:\n" + "".join(
        f"  s{i}:\n    cmd: {json.dumps(f'{step} f{i} f{i + 1}')}\n    deps: [f{i}]\n    outs: [f{i + 1}]\n"
        for i in range(n)
    )


def tensorflow_start(bench: Bench) -> tuple[float, float]:
    """Return the seconds to the end of a TensorFlow import, in a fresh process and in a fork of the warm
    server.
    """
    argv = [sys.executable, "-c", "import tensorflow"]
    env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
    subprocess.run(argv, env=env, check=True, capture_output=True)
    start = time.perf_counter()
    subprocess.run(argv, env=env, check=True, capture_output=True)
    fresh = time.perf_counter() - start
    lines = ["name: heavy", "stages:"] + [
        f"  s{i}:\n    uses: bench.heavy\n    env: {{N: '{i}'}}" for i in range(3)
    ]
    path = bench.write("heavy", "\n".join(lines) + "\n")
    bench.fresh(path, "tracking=none", "executor.cpus=1")
    run_dir = (bench.folder / "outputs" / "heavy" / "x86_64" / "latest").resolve()
    state = json.loads((run_dir / "run.json").read_text())
    return fresh, statistics.median(stage["seconds"] for stage in state["stages"].values())


def digests(folder: Path) -> list[tuple[str, float]]:
    """Return the seconds of digesting many small files and a large one, uncached and cached."""
    sys.path.insert(0, str(ROOT))
    from engine.digest import DigestCache

    small, large = folder / "small", folder / "large"
    small.mkdir()
    for i in range(10_000):
        (small / f"{i}.txt").write_text(str(i) * 50)
    with large.open("wb") as file:
        for _ in range(200):
            file.write(os.urandom(10_000_000))
    time.sleep(0.2)
    found = []
    for name, path in (
        (f"{len(os.listdir(small)):,} small files", small),
        (f"one file of {large.stat().st_size / 1e9:.1f} GB", large),
    ):
        for when in ("first", "again"):
            start = time.perf_counter()
            DigestCache(folder / "digests.sqlite").of(path)
            found.append((f"{name}, {when}", time.perf_counter() - start))
    large.unlink()
    return found


class Table:
    """Prints seconds, and their ratios to the alternatives."""

    def __init__(self, tools: Mapping[str, tuple[float, float]]) -> None:
        self._tools = tools
        heads = "".join(f"{name:>12}" for name in tools)
        print(f"{'':62} seconds  ratio to the same with {heads}" if tools else f"{'':62} seconds")

    def tell(self, what: str, seconds: float, which: int | None = None) -> None:
        """Print one line; which: the figure of the other tools to compare with, 0 cold, 1 nothing to do."""
        ratios = (
            ""
            if which is None
            else "".join(f"{seconds / own[which]:12.2f}" for own in self._tools.values())
        )
        print(f"{what:62} {seconds:7.2f} {ratios:>36}", flush=True)


def engine_figures(bench: Bench, table: Table) -> None:
    """Measure runs of trivial stages: cold, again, and with one parameter changed."""
    c30, f30 = bench.write("chain", chain(30)), bench.write("fan", fan(30))
    c1000 = bench.write("chain1000", chain(1000))
    adds = iter(range(2, 100))  # a different value each time, or the run would be cached
    bench.fresh(c30)  # creates MLflow's database
    table.tell("chain of 30, cold, tracked", bench.median(lambda: bench.fresh(c30)), COLD)
    table.tell(
        "  the same without MLflow", bench.median(lambda: bench.fresh(c30, "tracking=none")), COLD
    )
    table.tell("chain of 30, nothing to do", bench.median(lambda: bench.again(c30)), AGAIN)
    changed = bench.median(
        lambda: bench.again(bench.write("changed", chain(30, changed=15, add=next(adds))))
    )
    table.tell("chain of 30, one parameter in the middle changed", changed)
    table.tell(
        "fan of 30, two workers, cold", bench.median(lambda: bench.fresh(f30, "executor.cpus=2"))
    )
    background_figures(bench, table, c30)
    table.tell("chain of 1000, cold", bench.fresh(c1000))
    thousand = bench.run(c1000)
    table.tell("chain of 1000, nothing to do", thousand.wall_s)
    table.tell("  until its sender has ended", thousand.quiet_s)
    largest_kb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(f"{'largest memory of a process (1000 stages)':62} {largest_kb / 1024:4.0f} MB")


def background_figures(bench: Bench, table: Table, usecase: Path) -> None:
    """Measure the processor seconds of everything that runs start, even after they have ended."""
    once = bench.run(usecase)
    table.tell("nothing to do: processor seconds of the run itself", once.foreground_cpu_s)
    table.tell("  of everything that it started", once.cpu_s)
    ten = ten_in_a_row(bench, usecase)
    table.tell("ten in a row: processor seconds of the runs", ten.foreground_cpu_s)
    table.tell("  of what they left running", ten.cpu_s - ten.foreground_cpu_s)
    table.tell("  wall time until all have ended", ten.quiet_s)


def ten_in_a_row(bench: Bench, usecase: Path) -> Cost:
    """Return the cost of ten runs, each started when the previous one exits, whatever that left running."""
    options = ["--config-dir", str(bench.folder), f"usecase={usecase}", "target=x86_64"]
    options.append("stage_packages=[bench]")
    argv = [sys.executable, str(ROOT / "run.py"), *options]
    loop = "import subprocess, sys\nfor _ in range(10): subprocess.run(sys.argv[1:], check=True)"
    return measure([sys.executable, "-c", loop, *argv], bench.folder)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="one repeat of the engine's figures only"
    )
    quick = parser.parse_args().quick
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bench = Bench(folder, 1 if quick else 5)
        tools = other_tools(folder, 30, bench.repeats)
        table = Table(tools)
        for tool, (cold, again) in tools.items():
            table.tell(f"{tool}: chain of 30, cold", cold, COLD)
            table.tell(f"{tool}: nothing to do", again, AGAIN)
        table.tell(
            "30 bare Python processes, one after the other", bench.median(lambda: bare(30)), COLD
        )
        engine_figures(bench, table)
        if quick:
            return
        fresh, warm = tensorflow_start(bench)
        table.tell("a stage that imports TensorFlow, fresh process", fresh)
        table.tell("  from the warm server", warm)
        for what, seconds in digests(folder):
            table.tell(f"digest of {what}", seconds)


if __name__ == "__main__":
    main()
