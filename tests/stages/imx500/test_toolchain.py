"""Sony's real tools quantise, measure, convert and run a small network."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

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
    return json.loads(done.stdout.splitlines()[-1])


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
