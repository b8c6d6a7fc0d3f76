"""The program as on a device: a copy of the listed files, and nothing else of this project."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine import served
from tests.conftest import ROOT
from tests.stages.serving.servers import classifier, pictures


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the program, with a package and pictures."""
    folder = tmp_path_factory.mktemp("device")
    for path in served.program_files():
        target = folder / "program" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, target)
    classifier(folder / "package")
    pictures(folder / "pictures")
    return folder


def serve(python: str, folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run the copy in an empty folder."""
    command = [python, "-m", "stages.serving", str(folder / "package"), "port=0", *words]
    return subprocess.run(
        [*command, f"source={folder / 'pictures'}", f"state={folder / 'state'}"],
        cwd=folder / "state" if (folder / "state").exists() else folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(folder / "program")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


RULES = '{"rules": {"r": {"when": {"label": "any"}, "do": ["snapshot", {"clip": {"before": 1, "after": 1}}]}}}'


def check(python: str, folder: Path) -> None:
    """Serve with a rule that stores a picture and a clip."""
    (folder / "rules.json").write_text(RULES)
    words = (f"rules={folder / 'rules.json'}", "snapshots_mb=1", "clips_mb=1", "seconds=5")
    done = serve(python, folder, *words)
    assert done.returncode == 0, done.stderr
    stored = {path.suffix for path in (folder / "state" / "events").iterdir()}
    assert stored == {".jpg", ".mp4"}, done.stderr
    shutil.rmtree(folder / "state")


@pytest.mark.slow
def test_a_copy_of_the_program_serves(program: Path) -> None:
    check(sys.executable, program)


@pytest.fixture
def device_python(tmp_path: Path) -> str:
    """Python with numpy, tflite-runtime and OpenCV, and nothing else; 3.9 if uv can find it."""
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    for version in ("3.9", sys.executable):
        words = [uv, "venv", "-q", "-p", version, str(tmp_path / "venv")]
        if subprocess.run(words, capture_output=True, check=False).returncode == 0:
            break
    python = tmp_path / "venv" / "bin" / "python"
    packages = ["numpy<2", "tflite-runtime==2.14.0", "opencv-python-headless<4.11"]
    words = [uv, "pip", "install", "-q", "-p", str(python), *packages]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"the packages cannot be installed: {done.stderr.strip()[-300:]}")
    return str(python)


@pytest.mark.launchers  # installs packages, as the tests of launchers do
def test_three_packages_are_enough(program: Path, device_python: str) -> None:
    check(device_python, program)
