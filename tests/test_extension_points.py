"""Every stage, use case and target that ships is well formed, and planning imports nothing heavy."""

import subprocess
import sys
from pathlib import Path

import pytest

from engine.signature import Library

ROOT = Path(__file__).resolve().parent.parent
LIBRARY = Library(["stages"], [ROOT])
USECASES = sorted(path.stem for path in ROOT.glob("usecases/*.yaml"))
TARGETS = sorted(path.stem for path in ROOT.glob("conf/target/*.yaml"))
CHECKED = """
import sys
from engine import compose
from engine.commands import _planning
planning = _planning.plan(compose.single(compose.register(sys.argv[1:])))
assert planning.plan.jobs
heavy = sorted({"tensorflow", "mlflow", "keras", "cv2", "numpy", "pandas"} & sys.modules.keys())
sys.exit(f"imported: {heavy}" if heavy else 0)
"""

ENGINE = sorted(path.relative_to(ROOT / "engine") for path in (ROOT / "engine").rglob("[a-z]*.py"))


@pytest.mark.parametrize("path", ENGINE, ids=str)
def test_every_file_of_the_engine_has_its_tests(path):
    assert (ROOT / "tests" / "engine" / path.parent / f"test_{path.name}").is_file()


@pytest.mark.parametrize("name", LIBRARY.names())
def test_a_stage_is_read_by_its_signature(name):
    signature = LIBRARY.signature(name, name)
    assert signature.outputs and signature.doc


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("usecase", USECASES)
def test_a_use_case_composes_for_a_target_and_imports_nothing_heavy(usecase, target):
    argv = [sys.executable, "-c", CHECKED, f"usecase={usecase}", f"target={target}", "tracking=none"]
    result = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
