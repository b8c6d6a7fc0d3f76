"""Sony's real tools quantise, measure, convert and run a small network."""

import json
import os
import platform
import re
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from engine.target import platform_of
from engine.tools import definition

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def made(imx500_python, tmp_path_factory):
    """Return a function that runs the tools on a network of a kind, once, and returns what they made."""
    found = {}

    def make(kind):
        if kind not in found:
            found[kind] = _run(imx500_python, tmp_path_factory.mktemp(kind), kind)
        return found[kind]

    return make


def _run(python, folder, kind):
    done = subprocess.run(
        [python, Path(__file__).with_name("toolchain.py"), folder, kind],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PATH": f"{python.parent}:{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        timeout=1500,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return {**json.loads(done.stdout.splitlines()[-1]), "folder": folder}


@pytest.mark.timeout(1800)
def test_the_rebuilt_network_gives_the_float_models_outputs(made):
    found = made("whole")["quantise"]
    assert found["quantised"] == 1
    assert found["max_difference"] < 1e-5


def test_the_report_says_that_it_fits(made):
    found = made("whole")
    assert (found["memory"]["fits_in_chip"], found["report"]["fits"]) == (1, True)
    assert 0 < found["memory"]["memory_used_share"] < 0.2


def test_the_camera_gets_its_file_and_the_description_of_its_tensors(made):
    found = made("whole")
    assert found["compile"]["compiled"] == 1
    assert {"packerOut.zip", "dnnParams.xml", "imx500.json"} <= set(found["files"])
    (taken,), (given,) = found["tensors"]["inputs"], found["tensors"]["outputs"]
    assert (taken["shape"], taken["format"], taken["scale"]) == ([1, 32, 32, 3], "unsigned", 1)
    assert given["shape"] == [1, 4]
    assert found["log"]["models"]["model"]["by"].startswith("imxconv-tf 3.")


def test_the_simulated_outputs_are_near_the_float_models_and_labelled(made):
    found = made("whole")
    assert 0 < found["difference"] < 0.02
    assert found["infer"]["simulated"] == 1
    assert re.fullmatch(
        r"simulated on \w+ with the camera's network", found["about"]["measured_on"]
    )
    assert found["about"]["runtime"].startswith("Model Compression Toolkit 2.")


@pytest.mark.timeout(1800)
def test_an_operator_that_the_camera_lacks_is_named_with_its_layer(made):
    error = made("unsupported")["error"]
    assert "UnitNormalization in the layer 'unit'" in error


@pytest.mark.timeout(1800)
def test_a_network_that_is_too_large_is_the_gates_matter(made):
    found = made("large")
    assert found["error"] is None
    assert (found["memory"]["fits_in_chip"], found["report"]["fits"]) == (0, False)
    assert found["memory"]["memory_used_share"] > 1
    assert found["report"]["largest"][0]["operator"] == "Dense"
    assert found["report"]["advice"][0].startswith("reduce the weights")


# --- kill -9

CAMERA = """
    name: camera
    assets: {{models: {folder}/models, quantised: {folder}/quantised, report: {folder}/report.json}}
    stages:
      before: {{uses: mystages.make}}
      compile:
        uses: stages.imx500.compile
        inputs: {{models: "asset:models", quantised: "asset:quantised", memory: "asset:report"}}
        image: imx500-compiler
"""
WORDS = ("stage_packages=[stages,mystages]", "usecase=camera")


@pytest.fixture
def camera(project, imx500_python, made):
    """A use case that converts the network, with the environment in place."""
    project.usecase("camera", CAMERA.format(folder=made("whole")["folder"]))
    found = definition.find([ROOT], "imx500-compiler", platform_of(platform.machine()))
    folder = found.folder(project.outputs / ".engine")
    folder.parent.mkdir(parents=True)
    folder.symlink_to(imx500_python.parents[1])
    return project


def _with(project, word):
    """Return the id of a process with this word in its command line; None if there is none."""
    for pid in project.processes():
        with suppress(OSError):
            if word in Path(f"/proc/{pid}/cmdline").read_text().split("\0"):
                return pid
    return None


def _stage(project):
    """Return the process of the stage: the parent of the converter."""
    status = Path(f"/proc/{_with(project, '--report-size-unit')}/status").read_text()
    return int(re.search(r"^PPid:\s*(\d+)$", status, re.MULTILINE)[1])


def _java(project):
    return _with(project, "-Xss32m")


def _converting(project):
    """Start the use case, and return its process once the converter's Java is at work."""
    engine = project.start(*WORDS)
    project.until(lambda: engine.poll() is not None or _java(project))
    assert engine.poll() is None
    return engine


@pytest.mark.timeout(1800)
def test_a_conversion_that_was_killed_is_repeated_and_nothing_is_left_of_it(camera):
    engine = _converting(camera)
    engine.kill()
    engine.communicate()
    camera.until(lambda: not camera.processes())
    for victim, why in (
        (_stage, "it was ended by signal 9"),
        (_java, "imxconv-tf was killed by signal 9"),
    ):
        engine = _converting(camera)
        os.kill(victim(camera), signal.SIGKILL)
        engine.communicate(timeout=300)
        state = camera.state()
        assert engine.returncode == 1 and why in state.stages["compile"].failure["message"]
        assert state.stages["before"].cached
        camera.until(lambda: not camera.processes())
        assert not list((camera.store.root / "work").iterdir())
    state = camera.done(*WORDS)
    assert state.stages["before"].cached and state.stages["compile"].metrics["compiled"] == 1
