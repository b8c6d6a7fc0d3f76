"""What `doctor` prints about the AI Camera, with simulated /sys and /dev folders and stand-ins for programs."""

import pytest

from engine.accelerator import NO_ACCESS
from engine.accelerators import imx500
from engine.stage import imx500 as hardware
from tests.machines import Machine


@pytest.fixture
def machine(tmp_path):
    """A machine without an AI Camera."""
    return Machine(tmp_path)


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A separate PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def _program(path, name, line):
    (path / name).write_text(f"#!/bin/sh\necho '{line}'\n")
    (path / name).chmod(0o755)


def _devices(machine):
    return imx500.devices(machine.sys, machine.dev, machine.sys.parent)


def test_without_a_camera_it_says_what_to_check(machine):
    (found,) = _devices(machine)
    assert (found.is_there, found.what) == (False, "AI Camera: no IMX500 on a CSI connector")
    assert "camera_auto_detect=1" in found.fix and "dtoverlay=imx500,cam0" in found.fix


def test_a_camera_is_shown_with_its_bus_and_its_node(machine):
    node = machine.camera("10-001a", "imx500", driver=True, subdevice="v4l-subdev2")
    found = _devices(machine)[0]
    assert (found.is_there, found.what) == (True, f"AI Camera (I2C 10-001a, {node}): ready")


@pytest.mark.parametrize(
    ("driver", "what", "fix"),
    [(False, "the sensor did not answer", "cable"), (True, "no /dev/v4l-subdevN", "rp1-cfe")],
)
def test_what_prevents_its_use_comes_with_what_to_do(machine, driver, what, fix):
    machine.camera("10-001a", "imx500", driver=driver)
    found = _devices(machine)[0]
    assert not found.is_there and what in found.what and fix in found.fix


def test_a_camera_without_firmware_names_the_files_and_the_package(machine):
    machine.camera("10-001a", "imx500", driver=True, subdevice="v4l-subdev2")
    missing = _devices(machine)[1]
    assert not missing.is_there and "imx500-all" in missing.fix
    assert all(name in missing.what for name in hardware.FIRMWARE)
    for name in hardware.FIRMWARE:
        file = machine.sys.parent / "lib/firmware" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    assert _devices(machine)[1].is_there


def test_the_packager_is_found_on_path(path):
    assert "imx500-tools" in imx500.software("aarch64")[0].fix
    _program(path, "imx500-package", "")
    (found,) = imx500.software("aarch64")
    assert found.is_there and str(path) in found.what


def test_java_is_checked_where_the_converter_runs(path):
    assert len(imx500.software("aarch64")) == 1
    missing = imx500.software("x86_64")[1]
    assert (missing.is_there, missing.fix) == (
        False,
        "sudo apt-get install openjdk-17-jre-headless",
    )


@pytest.mark.parametrize(
    ("line", "is_there", "what"),
    [
        ('openjdk version "17.0.15" 2025-04-15', True, "Java 17 for"),
        ('openjdk version "11.0.27" 2025-04-15', False, "is version 11"),
        ("no Java here", False, "prints no version"),
    ],
)
def test_java_is_shown_with_its_version(path, line, is_there, what):
    _program(path, "java", line)
    found = imx500.software("x86_64")[1]
    assert found.is_there is is_there and what in found.what


def test_no_container_gets_access_to_a_camera_and_no_fingerprint_counts_it(machine, monkeypatch):
    machine.camera("10-001a", "imx500", driver=True, subdevice="v4l-subdev2")
    cameras = hardware.find(machine.sys, machine.dev)
    monkeypatch.setattr(hardware, "find", lambda: cameras)
    assert (imx500.is_usable(None), imx500.access(None), imx500.seen()) == (True, NO_ACCESS, "")
