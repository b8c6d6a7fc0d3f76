"""Packages without a wheel: downloaded and built by pip, checked by their sha256, and copied into a tree.

They are built with the setuptools that the image's own lock contains, so that the build depends on
nothing that is not locked. Only packages that consist of Python are built.
"""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from engine.stage import StageError
from stages.containers._image import Image
from stages.containers._platform import Platform
from stages.containers._tree import Tree
from stages.containers._wheels import download_wheels, lay, read_requirements


def install(tree: Tree, context: Path, image: Image, on: Platform, folder: Path) -> int:
    """Add the packages of sources-<arch>.lock to the tree, and return their number.

    folder: for temporary files, which must exist as long as the tree is read
    """
    lock = context / f"sources-{on.arch}.lock"
    if not lock.is_file():
        return 0
    wheels = _built(lock, _setuptools(context, on, folder / "setuptools"), folder / "wheels")
    for wheel in wheels:
        if not wheel.name.endswith("-none-any.whl"):
            raise StageError(f"{wheel.name} contains compiled code, which is not built here")
        lay(wheel, tree, image.leave_out)
    return len(wheels)


def _setuptools(context: Path, on: Platform, folder: Path) -> Path:
    """Unpack the setuptools of the lock of wheels, and return the folder."""
    lines = read_requirements(context / f"requirements-{on.arch}.lock")
    wanted = {sha256: line for sha256, line in lines.items() if line.startswith("setuptools==")}
    if not wanted:
        raise StageError("packages without a wheel are built with setuptools, which the lock lacks")
    for wheel in download_wheels(wanted, on):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
    return folder


def _built(lock: Path, setuptools: Path, folder: Path) -> list[Path]:
    argv = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--require-hashes"]
    argv += ["--no-binary", ":all:", "--no-build-isolation", "--no-cache-dir"]
    argv += ["--disable-pip-version-check", "-w", str(folder), "-r", str(lock)]
    env = {**os.environ, "PYTHONPATH": str(setuptools)}
    done = subprocess.run(argv, capture_output=True, text=True, env=env)
    if done.returncode:
        wrong = [line for line in done.stderr.splitlines() if "rror" in line]
        why = (wrong or done.stderr.splitlines()[-1:] or ["it gives no reason"])[0]
        raise StageError(f"pip cannot build the packages of {lock.name}: {why.strip()}")
    return sorted(folder.glob("*.whl"))
