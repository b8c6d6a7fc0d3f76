"""The program as on a device: a copy of the listed files, and nothing else of this project."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine import served
from tests.conftest import ROOT
from tests.stages.serving.servers import classifier, pictures

LONGEST_S = 120.0  # on a loaded machine


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


def serve(python: str, folder: Path, *words: str) -> "subprocess.Popen[str]":
    """Start the copy in a folder that contains no project."""
    command = [python, "-m", "stages.serving", str(folder / "package"), "port=0", *words]
    with (folder / "log.txt").open("w", encoding="utf-8") as log:
        return subprocess.Popen(
            [*command, f"source={folder / 'pictures'}", f"state={folder / 'state'}"],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(folder / "program")},
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
        )


def stored(folder: Path) -> "set[str]":
    """Return the suffixes of the pictures and clips that the server has stored."""
    return {path.suffix for path in (folder / "state" / "events").glob("*")}


RULES = '{"rules": {"r": {"when": {"label": "any"}, "do": ["snapshot", {"clip": {"before": 1, "after": 1}}]}}}'


def check(python: str, folder: Path) -> None:
    """Serve with a rule that stores a picture and a clip."""
    (folder / "rules.json").write_text(RULES)
    words = (f"rules={folder / 'rules.json'}", "snapshots_mb=1", "clips_mb=1")
    server = serve(python, folder, *words)
    end_s = time.monotonic() + LONGEST_S
    while not stored(folder) >= {".jpg", ".mp4"} and time.monotonic() < end_s:
        assert server.poll() is None, (folder / "log.txt").read_text(encoding="utf-8")
        time.sleep(0.2)
    server.terminate()
    assert server.wait(LONGEST_S) == 0, (folder / "log.txt").read_text(encoding="utf-8")
    assert stored(folder) == {".jpg", ".mp4"}, (folder / "log.txt").read_text(encoding="utf-8")
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
