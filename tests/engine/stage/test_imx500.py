"""AI Cameras, found in simulated /sys and /dev folders, and stand-ins for Java."""

import os
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.stage import imx500
from engine.stage.imx500 import Camera
from tests.machines import Machine


@pytest.fixture
def machine(tmp_path):
    """A machine without an AI Camera."""
    return Machine(tmp_path)


@pytest.fixture
def java(tmp_path, monkeypatch):
    """Return a function that puts a program `java` with these lines on PATH, alone with a shell."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "sh").symlink_to(shutil.which("sh") or "/bin/sh")
    (folder / "sleep").symlink_to(shutil.which("sleep") or "/bin/sleep")
    monkeypatch.setenv("PATH", str(folder))

    def put(lines: str) -> None:
        (folder / "java").write_text(f"#!/bin/sh\n{lines}\n")
        (folder / "java").chmod(0o755)

    return put


def test_other_devices_are_none(machine):
    machine.camera("10-0036", "ov5647", driver=True, subdevice="v4l-subdev0")
    assert imx500.find(machine.sys, machine.dev) == []


def test_a_machine_without_sys_has_none(tmp_path):
    assert imx500.find(tmp_path / "sys", tmp_path / "dev") == []


def test_a_camera_is_ready_once_its_driver_has_made_a_node(machine):
    node = machine.camera("10-001a", "imx500", driver=True, subdevice="v4l-subdev2")
    found = imx500.find(machine.sys, machine.dev)
    assert found == [Camera("10-001a", node, "ready")] and found[0].is_usable


def test_each_camera_has_its_own_node(machine):
    second = machine.camera("11-001a", "imx500", driver=True, subdevice="v4l-subdev2")
    machine.camera("4-0010", "imx219", driver=True, subdevice="v4l-subdev1")
    first = machine.camera("10-001a", "imx500", driver=True, subdevice="v4l-subdev3")
    found = imx500.find(machine.sys, machine.dev)
    assert [(one.id, one.node) for one in found] == [("10-001a", first), ("11-001a", second)]


def test_a_sensor_that_does_not_answer_has_no_driver(machine):
    machine.camera("10-001a", "imx500", driver=False)
    (found,) = imx500.find(machine.sys, machine.dev)
    assert (found, found.is_usable) == (Camera("10-001a", None, "no answer"), False)


def test_a_container_that_was_not_given_the_node_has_none(machine):
    machine.camera("10-001a", "imx500", driver=True, subdevice="v4l-subdev2")
    shutil.rmtree(machine.dev)
    assert imx500.find(machine.sys, machine.dev)[0].state == "node missing"


def test_a_driver_whose_receiver_is_missing_has_no_node(machine):
    machine.camera("10-001a", "imx500", driver=True)
    assert imx500.find(machine.sys, machine.dev) == [Camera("10-001a", None, "node missing")]


def test_a_node_of_another_group_is_not_permitted(machine, monkeypatch):
    node = machine.camera("10-001a", "imx500", driver=True, subdevice="v4l-subdev2")
    monkeypatch.setattr(os, "access", lambda path, mode: path != node)  # root may open everything
    assert imx500.find(machine.sys, machine.dev)[0].state == "no permission"


@given(st.binary(max_size=9))
def test_odd_names_in_sys_do_no_harm(tmp_path_factory, name):
    machine = Machine(tmp_path_factory.mktemp("machine"))
    machine.camera("10-001a", "x", driver=True)
    (machine.sys / "bus/i2c/devices/10-001a/name").write_bytes(name)
    assert imx500.find(machine.sys, machine.dev) == []


def test_firmware_is_looked_for_where_the_kernel_does(tmp_path):
    assert imx500.missing_firmware(tmp_path) == ["imx500_loader.fpk", "imx500_firmware.fpk"]
    (tmp_path / "lib/firmware").mkdir(parents=True)
    (tmp_path / "lib/firmware/imx500_loader.fpk").touch()
    assert imx500.missing_firmware(tmp_path) == ["imx500_firmware.fpk"]


@pytest.mark.parametrize(
    ("first", "version", "is_new_enough"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17, True),
        ('openjdk version "21" 2023-09-19', 21, True),
        ('openjdk version "24-ea" 2025-03-18', 24, True),
        ('java version "1.8.0_452"', 8, False),
        ("The operation couldn't be completed. Unable to locate a Java Runtime.", 0, False),
    ],
)
def test_the_version_of_java_is_read_from_what_it_prints(java, first, version, is_new_enough):
    java(f"while read -r line; do echo \"$line\"; done >&2 <<'END'\n{first}\nEND")
    found = imx500.java()
    assert found and (found.version, found.is_new_enough) == (version, is_new_enough)


def test_a_java_that_hangs_has_no_version(java):
    java("sleep 60")
    found = imx500.java(within_s=0.2)
    assert found and not found.is_new_enough


def test_without_java_there_is_none(java):
    assert imx500.java() is None
