"""A target by its form. What is refused is in test_messages.py."""

from pathlib import Path

import pytest

from engine import target, yamlfile

ROOT = Path(__file__).resolve().parents[2]
TARGETS = sorted(ROOT.glob("conf/target/*.yaml"))
PI = {"name": "pi", "platform": "linux/arm64", "runtime": "litert"}


def test_a_target_has_these_defaults():
    found = target.parse(PI, "pi.yaml")
    assert (found.accelerator, found.cpus, found.memory, found.device, found.description) == ("none", 4, 0, None, "")


@pytest.mark.parametrize(("platform", "accelerator", "runtime"), [
    ("linux/amd64", "none", "litert"), ("linux/arm64", "none", "litert"), ("linux/arm64", "gpu", "litert"),
    ("linux/arm/v7", "none", "tflite_runtime"),  # LiteRT has no armv7 build
    ("linux/arm64", "edgetpu", "tflite_runtime"), ("linux/amd64", "edgetpu", "tflite_runtime"),
])  # fmt: skip
def test_a_target_that_names_no_runtime_has_the_one_that_fits_it(platform, accelerator, runtime):
    assert target.parse({"name": "pi", "platform": platform, "accelerator": accelerator}, "pi.yaml").runtime == runtime


def test_a_target_keeps_the_runtime_that_it_names():
    assert target.parse({**PI, "accelerator": "edgetpu"}, "pi.yaml").runtime == "litert"


def test_memory_is_read_in_bytes():
    assert target.parse({**PI, "memory": "4G"}, "pi.yaml").memory == 4 * 10**9


@pytest.mark.parametrize("path", TARGETS, ids=lambda path: path.stem)
def test_a_shipped_target_is_named_as_its_file_and_says_what_it_is(path):
    found = target.parse(yamlfile.load(path), path.name)
    assert (found.name, bool(found.description)) == (path.stem, True)


@pytest.mark.parametrize("path", TARGETS, ids=lambda path: path.stem)
def test_a_shipped_target_has_a_runtime_that_is_built_for_it(path):
    found = target.parse(yamlfile.load(path), path.name)
    assert found.platform != "linux/arm/v7" or found.runtime == "tflite_runtime"  # LiteRT has no armv7 build
