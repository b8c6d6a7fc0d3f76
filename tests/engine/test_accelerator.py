"""The accelerators: found by file name, and not named in any other file of the engine."""

from pathlib import Path

import pytest

from engine import accelerator
from engine.accelerator import NO_ACCESS
from engine.accelerators import edgetpu

ENGINE = Path(accelerator.__file__).parent
OWN = {"accelerators/edgetpu.py", "commands/edgetpu.py", "stage/coral.py"}
OWN |= {"accelerators/imx500.py", "commands/imx500.py", "stage/imx500.py"}
OWN |= {"gpus.py", "containers/options.py"}  # there, "gpu" is a resource of stages


def test_each_file_is_an_accelerator_and_none_is_the_absence_of_any():
    files = {path.stem for path in (ENGINE / "accelerators").glob("[a-z]*.py")}
    assert (set(accelerator.NAMES), accelerator.of("none")) == (files | {"none"}, None)


def test_no_other_file_of_the_engine_asks_which_accelerator_it_is():
    files = {path.relative_to(ENGINE).as_posix(): path for path in ENGINE.rglob("*.py")}
    asking = [
        name
        for name, path in files.items()
        if any(f'"{one}"' in path.read_text(encoding="utf-8") for one in accelerator.installed())
    ]
    assert [name for name in asking if name not in OWN] == []


def test_what_a_fingerprint_counts_has_the_accelerators_name(monkeypatch):
    monkeypatch.setattr(edgetpu, "seen", lambda: "usb, with library")
    assert accelerator.counted("edgetpu") == {"edgetpu": "usb, with library"}


@pytest.mark.parametrize("name", ["none", "gpu", "imx500"])
def test_nothing_is_counted_of_what_no_stage_can_use(name):
    assert accelerator.counted(name) == {}


@pytest.mark.parametrize("is_usable", [True, False])
def test_a_container_of_this_machine_gets_the_accelerator_only_if_it_is_usable(
    monkeypatch, is_usable
):
    monkeypatch.setattr(edgetpu, "is_usable", lambda bus: is_usable)
    wanted = edgetpu.access("pcie") if is_usable else NO_ACCESS
    assert accelerator.access_here("edgetpu", "pcie") == wanted


def test_a_container_of_a_device_gets_it_whatever_this_machine_has(monkeypatch):
    monkeypatch.setattr(edgetpu, "is_usable", lambda bus: False)
    assert accelerator.access_to("edgetpu", "usb") == edgetpu.access("usb")
    assert accelerator.access_to("none", None) == NO_ACCESS


@pytest.mark.parametrize(
    ("name", "runtime"),
    [
        ("edgetpu", "tflite_runtime"),
        ("imx500", None),
        ("gpu", None),
        ("none", None),
        (["x"], None),
    ],
)
def test_the_runtime_is_what_the_accelerator_needs(name, runtime):
    assert accelerator.runtime(name) == runtime
