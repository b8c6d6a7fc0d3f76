"""What `doctor` prints about the Edge TPU, and whether one is usable, with simulated /sys and /dev folders and
stand-ins for Google's programs.
"""

import importlib.metadata
import shutil
import subprocess

import pytest

from engine.accelerators import edgetpu
from engine.stage import coral
from tests.machines import Machine


@pytest.fixture
def machine(tmp_path):
    """A machine without an Edge TPU."""
    return Machine(tmp_path)


def _devices(machine, kind="x86_64", page_bytes=4096):
    return edgetpu.devices(machine.sys, machine.dev, kind, page_bytes)


def _software(tmp_path, name, machine="x86_64"):
    (found,) = (
        one for one in edgetpu.software(tmp_path, [str(tmp_path)], machine) if name in one.what
    )
    return found


def test_without_a_coral_it_says_which_it_looked_for(machine):
    (found,) = _devices(machine)
    assert (found.is_there, found.what) == (
        False,
        "Edge TPU: no Coral on USB (1a6e:089a, 18d1:9302) or PCIe (1ac1:089a)",
    )


def test_a_machine_without_sys_is_no_mistake(tmp_path):
    assert not edgetpu.devices(tmp_path / "no", tmp_path / "dev", "arm64", 16384)[0].is_there


def test_a_coral_that_comes_back_under_another_id_is_followed(machine):
    before = machine.plug("2-1", "1a6e", "089a", 3)
    (first,) = _devices(machine)
    after = machine.plug("2-1", "18d1", "9302", 4)
    (second,) = _devices(machine)
    assert (
        first.is_there
        and first.what.startswith(f"Edge TPU on USB 1a6e:089a ({before}): not used yet")
        and "900 mA" in first.what
    )
    assert second.is_there and second.what == f"Edge TPU on USB 18d1:9302 ({after}): ready"


def test_a_slow_link_is_named(machine):
    machine.plug("2-1", "18d1", "9302", 4, speed="480")
    assert [(found.is_there, "480 Mbit/s" in found.what) for found in _devices(machine)] == [
        (True, False),
        (False, True),
    ]


def test_a_card_without_its_driver_says_where_to_have_it(machine):
    machine.slot("0000:01:00.0", "0x1ac1", "0x089a")
    (found,) = _devices(machine)
    assert (found.is_there, found.what) == (
        False,
        "Edge TPU on PCIe 1ac1:089a: driver missing",
    ) and "gasket-dkms" in found.fix


@pytest.mark.parametrize("bus", ["usb", "pcie"])
def test_a_missing_permission_comes_with_the_rules_for_udev(tmp_path, bus):
    """Run the printed command with a fake `sudo`, and check that the rule matches the kernel's names."""
    fix = edgetpu._fix(coral.Coral(bus, "", None, "no permission"))
    place = tmp_path / "rules"
    written = fix.replace(edgetpu._RULES[bus], str(place)).partition(" && ")[0].replace("sudo ", "")
    subprocess.run(["sh", "-c", written], check=True, capture_output=True)
    assert place.read_text() == coral.UDEV_RULES[bus]


def test_pages_of_16_kb_are_named_with_what_makes_them_4(machine):
    pages = _devices(machine, "aarch64", 16384)[0]
    assert not pages.is_there and pages.fix.startswith(
        "echo kernel=kernel8.img | sudo tee -a /boot/firmware/config.txt"
    )
    assert _devices(machine, "aarch64", 4096)[0].is_there


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A separate PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "sh").symlink_to(shutil.which("sh"))
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_the_compiler_says_its_version(tmp_path, path):
    (path / "edgetpu_compiler").write_text(
        "#!/bin/sh\necho Edge TPU Compiler version 16.0.384591198\n"
    )
    (path / "edgetpu_compiler").chmod(0o755)
    assert (
        _software(tmp_path, "edgetpu_compiler").what
        == "edgetpu_compiler: Edge TPU Compiler version 16.0.384591198"
    )


def test_there_is_no_compiler_for_a_raspberry_pi(tmp_path, path):
    assert "apt-get install edgetpu-compiler" in _software(tmp_path, "edgetpu_compiler").fix
    assert "compile on a PC" in _software(tmp_path, "edgetpu_compiler", "aarch64").fix


@pytest.mark.parametrize(
    "place",
    ["usr/lib/aarch64-linux-gnu", "usr/lib/arm-linux-gnueabihf", "usr/local/lib", "usr/lib"],
)
def test_the_library_is_found_where_the_loader_looks(tmp_path, place):
    (tmp_path / place).mkdir(parents=True)
    assert not _software(tmp_path, "libedgetpu").is_there
    (tmp_path / place / "libedgetpu.so.1").write_bytes(b"not to be loaded")
    assert str(tmp_path / place) in _software(tmp_path, "libedgetpu").what


def test_a_library_that_crashes_with_the_runtime_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("LD_LIBRARY_PATH", f"{tmp_path}")
    (tmp_path / "libedgetpu.so.1").touch()
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "2.14.0")
    assert "crashes with tflite-runtime 2.14.0" in _software(tmp_path, "libedgetpu").what
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "2.11.0")
    assert "tflite-runtime" not in _software(tmp_path, "libedgetpu").what


def test_the_reef_atlas_of_that_name_is_not_taken_for_pycoral(tmp_path):
    assert not _software(tmp_path, "PyCoral").is_there
    (tmp_path / "pycoral").mkdir()
    (tmp_path / "pycoral" / "__init__.py").write_text("raise SystemExit('it was imported')\n")
    assert _software(tmp_path, "PyCoral").fix == "python -m pip uninstall pycoral"
    (tmp_path / "pycoral" / "utils").mkdir()
    (tmp_path / "pycoral" / "utils" / "edgetpu.py").write_text(
        "raise SystemExit('it was imported')\n"
    )
    assert _software(tmp_path, "PyCoral").is_there


@pytest.mark.parametrize(("bus", "usable"), [("usb", True), ("pcie", False)])
def test_an_edge_tpu_is_usable_on_its_own_bus(machine, monkeypatch, bus, usable):
    machine.plug("2-1", "18d1", "9302", 7)
    found = coral.find(machine.sys, machine.dev)
    monkeypatch.setattr(coral, "find", lambda: found)
    assert edgetpu.is_usable(bus) is usable
