"""`usecase=imx500_package` with a stand-in for Raspberry Pi's imx500-package, which runs only there.

The stand-in takes the arguments of the real one, as raspberrypi/documentation (ai-camera/model-conversion.adoc) and
Sony's RPKPackager (modlib, aitrios-rpi-application-module-library) call it: -i FILE.zip, -o FOLDER, and optionally
-f FILE.json. It requires the files that the real one checks for in its log, and makes FOLDER/network.rpk.
"""

import json
import os
import zipfile
from pathlib import Path

import pytest

CONTENT = "sdpsA.bin sdpsC.bin cfgA.bin cfgC.bin dnnParams.xml l2staticData.bin manifest.json"
STAND_IN = f"""#!/usr/bin/env python3
import argparse, json, pathlib, sys, zipfile
parser = argparse.ArgumentParser(allow_abbrev=False)
parser.add_argument("-i", required=True)
parser.add_argument("-o", required=True, type=pathlib.Path)
parser.add_argument("-f")
given = parser.parse_args()
if not given.i.endswith(".zip"):
    sys.exit("input is not a zip file")
missing = set({CONTENT!r}.split()) - set(zipfile.ZipFile(given.i).namelist())
if missing:
    sys.exit("missing in packerOut: " + ", ".join(sorted(missing)))
given.o.mkdir(parents=True, exist_ok=True)
(given.o / "network.rpk").write_bytes(pathlib.Path(given.i).read_bytes())
"""


@pytest.fixture
def package(project) -> Path:
    """A package whose role `model` was converted for the AI Camera."""
    folder = project.path / "package" / "models" / "model"
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "packerOut.zip", "w") as archive:
        for name in CONTENT.split():
            archive.writestr(name, name)
    return project.path / "package"


@pytest.fixture
def packager(project):
    """The stand-in on PATH."""
    folder = project.path / "bin"
    folder.mkdir()
    (folder / "imx500-package").write_text(STAND_IN)
    (folder / "imx500-package").chmod(0o755)
    project.environment["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"


def _run(project, package, *words):
    given = [
        "usecase=imx500_package",
        "stage_packages=[stages]",
        "target=rpi5_ai_camera",
        f"package={package}",
        *words,
    ]
    return project.run(*given)


def _network(project) -> Path:
    return project.last / "artifacts" / "network" / "network" / "network.rpk"


def test_a_package_becomes_a_network_for_the_camera(project, package, packager):
    done = _run(project, package)
    assert done.returncode == 0, done.stderr
    assert _network(project).read_bytes() == (package / "models/model/packerOut.zip").read_bytes()


def test_another_role_is_chosen_by_its_name(project, package, packager):
    (package / "models" / "model").rename(package / "models" / "pose")
    assert _run(project, package).returncode == 1
    assert _run(project, package, "params.role=pose").returncode == 0
    assert _network(project).is_file()


def test_an_incomplete_file_of_the_converter_fails_in_the_packagers_words(
    project, package, packager
):
    with zipfile.ZipFile(package / "models/model/packerOut.zip", "w") as archive:
        archive.writestr("manifest.json", json.dumps({}))
    done = _run(project, package)
    assert done.returncode == 1 and "missing in packerOut: cfgA.bin" in done.stdout + done.stderr


def test_without_the_packager_the_failure_names_it_and_the_fix(project, package):
    project.environment["PATH"] = "/usr/bin:/bin"
    done = _run(project, package)
    said = done.stdout + done.stderr
    assert done.returncode == 1 and "imx500-package is not found on PATH" in said
    assert "sudo apt-get install imx500-tools" in said


def test_a_role_without_a_network_for_the_camera_is_refused_with_those_that_have_one(
    project, package, packager
):
    (package / "models" / "pose").mkdir()
    done = _run(project, package, "params.role=pose")
    said = done.stdout + done.stderr
    assert done.returncode == 1 and "no packerOut.zip for the role 'pose'" in said
    assert "it has one for: model. Set params.role=model" in said
    (package / "models/model/packerOut.zip").unlink()
    done = _run(project, package)
    assert done.returncode == 1 and "nor for another" in done.stdout + done.stderr


def test_a_packager_that_makes_no_network_is_a_failure(project, package, packager):
    path = project.path / "bin" / "imx500-package"
    path.write_text("#!/bin/sh\n")
    done = _run(project, package)
    assert done.returncode == 1 and "'network'" in done.stdout + done.stderr
