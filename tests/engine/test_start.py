"""The start of the command line, before any package is imported."""

import subprocess
import sys

from tests.conftest import ROOT


def test_a_python_without_the_packages_names_the_environment():
    program = [sys.executable, "-I", "-S", "-c"]
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from engine.start import main; main()"
    done = subprocess.run([*program, f"{code}"], capture_output=True, text=True, check=False)
    where, what, fix = done.stderr.splitlines()
    assert where == "rpi-mlops"
    assert "is not installed" in what and sys.executable in what
    assert "source .venv/bin/activate" in fix


def test_the_exit_status_says_that_nothing_started():
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from engine.start import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, check=False
    )
    assert done.returncode == 2
