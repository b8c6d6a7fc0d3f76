"""Measures a sweep of 20 jobs with each launcher: executions of each stage, time of everything it starts.

The jobs of pose_activity's sample vary two parameters of the training; the stages before it are shared.
Beside them stand the same jobs as single commands that share nothing; two are measured and scaled up.
Launchers that PYTHON does not have are named and left out; Slurm is measured if SLURM_CONF is set.
joblib and Ray have two workers, Slurm as many as its nodes have processors. The processor time of jobs in Ray
and Slurm is not counted, because their daemons start them.
Usage: benchmarks/sweeps.py [PYTHON [LAUNCHER...]]
"""

import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from cost import Cost, measure

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

RATES = ("1e-3", "2e-3", "3e-3", "4e-3", "5e-3")
EPOCHS = ("1", "2", "3", "4")
JOBS = len(RATES) * len(EPOCHS)
SINGLE = 2  # jobs that are measured as single commands
COMMON = (
    "usecase=pose_activity",
    "target=x86_64",
    "executor=local",
    "until=[score]",
    "stages.score.require.accuracy='>= 0'",  # few epochs reach little, and a rejected job is no error here
    "stages.score.require.accuracy_drop_beyond_one='<= 1'",
    "stages.score.require.baseline_margin='>= -1'",
)
DAEMONS = ("slurm", "ray")  # launchers whose jobs are no descendants of the command
LAUNCHERS: Mapping[str, tuple[str, Sequence[str]]] = {  # name -> module, words
    "basic": ("hydra", ()),
    "joblib": (
        "hydra_plugins.hydra_joblib_launcher",
        ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2"),
    ),
    "slurm": (
        "hydra_plugins.hydra_submitit_launcher",
        ("hydra/launcher=submitit_slurm", "hydra.launcher.timeout_min=60"),
    ),
    "ray": (
        "hydra_plugins.hydra_ray_launcher",
        ("hydra/launcher=ray", "+hydra.launcher.ray.init.num_cpus=2"),
    ),
}


def main(python: str, *names: str) -> None:
    """Print a line for each launcher, and the ratio to single commands."""
    single = _single(python)
    print(f"{JOBS} single commands that share nothing (from {SINGLE}): {_told(single)}", flush=True)
    for name in names or LAUNCHERS:
        module, words = LAUNCHERS[name]
        if name == "slurm" and "SLURM_CONF" not in os.environ:
            print("slurm: SLURM_CONF is not set")
        elif subprocess.run([python, "-c", f"import {module}"], capture_output=True).returncode:
            print(f"{name}: {module} is not installed for {python}")
        else:
            _sweep(python, name, words, single)


def _single(python: str) -> Cost:
    """Return the cost of all jobs as commands of their own, each with a new outputs folder."""
    costs = []
    for rate, epochs in ((RATES[0], EPOCHS[0]), (RATES[-1], EPOCHS[-1])):
        with tempfile.TemporaryDirectory() as folder:
            values = (f"params.learning_rate={rate}", f"params.epochs={epochs}")
            costs.append(_measured(python, folder, values))
    share = JOBS / len(costs)
    return Cost(*(share * sum(getattr(one, name) for one in costs) for name in Cost.__slots__))


def _sweep(python: str, name: str, words: Sequence[str], single: Cost) -> None:
    values = (f"params.learning_rate={','.join(RATES)}", f"params.epochs={','.join(EPOCHS)}")
    from engine import layout, run_files

    with tempfile.TemporaryDirectory() as folder:
        cost = _measured(python, folder, ("-m", *values, *words))
        ran = Counter(
            stage
            for run_dir in layout.runs(Path(folder))
            for stage, one in run_files.summary(run_dir).stages.items()
            if not one.cached
        )
    times = ", ".join(f"{stage} {count}" for stage, count in ran.items())
    wall = f"wall {cost.wall_s:.0f} s ({_share(cost, single, 'wall_s')} of single commands)"
    processor = f"processor {cost.cpu_s:.0f} s ({_share(cost, single, 'cpu_s')})"
    counted = "processor not counted" if name in DAEMONS else processor
    print(f"{name}: {wall}, {counted}; executions: {times}", flush=True)


def _measured(python: str, folder: str, words: Sequence[str]) -> Cost:
    return measure([python, "run.py", *COMMON, f"outputs={folder}", *words], ROOT)


def _told(cost: Cost) -> str:
    return f"wall {cost.wall_s:.0f} s, processor {cost.cpu_s:.0f} s"


def _share(cost: Cost, single: Cost, name: str) -> str:
    return f"{getattr(cost, name) / getattr(single, name):.2f}"


if __name__ == "__main__":
    main(*(sys.argv[1:] or [sys.executable]))
