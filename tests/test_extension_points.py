"""Every shipped stage, use case and target is valid, and planning imports no heavy packages."""

import subprocess
import sys
from pathlib import Path

from engine.contract import REQUIRED
from engine.signature import Library

ROOT = Path(__file__).resolve().parent.parent
LIBRARY = Library(["stages"], [ROOT])
USECASES = sorted(path.stem for path in ROOT.glob("usecases/*.yaml"))
TARGETS = sorted(path.stem for path in ROOT.glob("conf/target/*.yaml"))
CHECKED = """
import sys
from engine import compose, planning, registration
for words in sys.argv[1:]:
    assert planning.plan(compose.single(registration.register([*words.split(), "tracking=none"]))).plan.jobs, words
heavy = sorted({"tensorflow", "mlflow", "keras", "cv2", "numpy", "pandas", "optuna"} & sys.modules.keys())
sys.exit(f"imported: {heavy}" if heavy else 0)
"""

# Required assets that only a user can provide.
NEEDED = {
    "baked_images": ("assets.image=docs", "assets.code=docs"),
    "export": ("model=docs", "examples=docs"),
    "imx500_package": ("package=docs",),
}

# Files without a test file of their own, and what tests them.
TESTED_BY = {
    "attempts.py": "drivers/test_contract.py",
    "cli.py": "../test_run.py",
    "context.py": "drivers/test_scheduler.py",
    "drive.py": "commands/test_run.py",
    "jsontypes.py": "test_eventschema.py",
    "mlflow.py": "sinks/test_contract.py",
    "finding.py": "commands/test_doctor.py",
    "interrupts.py": "../test_sweeps.py",
    "invocation.py": "commands/test_run.py",
    "request.py": "test_composed.py",
    "objective_check.py": "test_check.py",
    "start.py": "../test_run.py",
    "vocabulary.py": "test_events.py",
}
PACKAGES = {"containers": "executors", "processes": "executors"}  # tested through their users


def test_every_file_of_the_engine_has_its_tests():
    tests = ROOT / "tests" / "engine"
    untested = []
    for path in sorted((ROOT / "engine").rglob("[a-z]*.py")):
        own = path.relative_to(ROOT / "engine")
        is_ones_own = len(own.parts) == 1 or own.parts[0] in ("commands", "sinks")
        wanted = [own.with_name(f"test_{own.name}").as_posix(), TESTED_BY.get(own.name, "none")]
        if not is_ones_own:
            wanted = [f"{PACKAGES.get(own.parts[0], own.parts[0])}/test_*.py"]
        if not any(any(tests.glob(name)) for name in wanted):
            untested.append(own.as_posix())
    assert untested == []


def test_every_stage_is_read_by_its_signature():
    signatures = {name: LIBRARY.signature(name, name) for name in LIBRARY.names()}
    without = {name for name, one in signatures.items() if not (one.outputs and one.doc)}
    assert signatures and without == {"stages.edge.converse"}  # it answers through a socket
    assert signatures["stages.edge.converse"].doc


def test_every_parameter_accepts_its_default_and_every_count_has_a_bound():
    wrong = []
    for name in LIBRARY.names():
        for key, one in LIBRARY.signature(name, name).params.items():
            is_refused = one.default is not REQUIRED and one.refusal(one.default)
            if is_refused or one.annotation == "int":
                wrong.append(f"{name}: {key}")
    assert wrong == []


def test_every_use_case_composes_for_every_target_and_imports_nothing_heavy():
    words = [
        " ".join([f"usecase={usecase}", f"target={target}", *NEEDED.get(usecase, ())])
        for usecase in USECASES
        for target in TARGETS
    ]
    argv = [sys.executable, "-c", CHECKED, *words]
    result = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True)
    assert words and result.returncode == 0, result.stderr
