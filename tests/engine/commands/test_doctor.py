"""`doctor`: what this machine has, looked for in the kernel's own lists."""

import platform
from pathlib import Path

import pytest

from engine.commands import doctor


@pytest.fixture
def sysfs(tmp_path):
    """A machine's /sys without a Coral."""
    _device(tmp_path, "usb/devices/1-1", idVendor="1d6b", idProduct="0002")
    _device(tmp_path, "pci/devices/0000:00:00.0", vendor="0x8086", device="0x1237")
    return tmp_path


def _device(sysfs: Path, place: str, **files: str) -> None:
    folder = sysfs / "bus" / place
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(f"{text}\n")


def _found(sysfs: Path) -> list[tuple[bool, str]]:
    return [(found, text) for found, text, _ in doctor._coral(sysfs)]


def test_it_ends_with_status_0_and_a_line_for_each_thing(give):
    said = give("doctor")
    assert said.status == 0
    assert said.lines[0].startswith(f"ok       Python {platform.python_version()} on Linux {platform.machine()}")
    assert all(line.startswith(("ok      ", "missing ", "         ")) for line in said.out.splitlines())


def test_what_is_missing_comes_with_what_brings_it(give, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///no/such.sock")
    lines = give("doctor").lines
    at = lines.index("missing  Docker engine (unix:///no/such.sock)")
    assert "sudo apt-get install docker.io" in lines[at + 1]


def test_a_password_in_the_tracking_address_is_not_shown(give):
    said = give("doctor", "tracking=mlflow", "tracking.uri=http://ann:canary@host/")
    assert "MLflow: http://...@host/" in said.out and "canary" not in said.out + said.err


def test_it_writes_nothing(give, project):
    give("doctor")
    assert not project.outputs.exists()


def test_runs_are_counted(ran, give):
    assert f"ok       1 runs below {ran.outputs}" in give("doctor").lines


def test_a_coral_on_usb_is_found_by_either_of_its_ids(sysfs):
    _device(sysfs, "usb/devices/2-1", idVendor="1a6e", idProduct="089a")
    _device(sysfs, "usb/devices/2-2", idVendor="18d1", idProduct="9302")
    assert sorted(_found(sysfs)) == [
        (True, "Coral USB Accelerator 18d1:9302 (ready)"), (True, "Coral USB Accelerator 1a6e:089a (not used yet)"),
    ]  # fmt: skip


def test_a_coral_on_pcie_without_its_driver_is_not_ready(sysfs):
    _device(sysfs, "pci/devices/0000:01:00.0", vendor="0x1ac1", device="0x089a")
    assert _found(sysfs) == [(False, "Coral on PCIe 1ac1:089a without its driver")]
    (sysfs / "class" / "apex" / "apex_0").mkdir(parents=True)
    assert _found(sysfs) == [(True, "Coral on PCIe 1ac1:089a")]


def test_without_a_coral_it_says_which_it_looked_for(sysfs):
    assert _found(sysfs) == [(False, "Edge TPU: no Coral on USB (1a6e:089a, 18d1:9302) or PCIe (1ac1:089a)")]
