"""What prevents the use of an Edge TPU, with simulated kernel folders."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.stage import coral
from stages.coral.device import Roots, obstacle, option


@pytest.fixture
def machine(tmp_path):
    """A machine without devices."""
    roots = Roots(tmp_path / "sys", tmp_path / "dev", tmp_path / "proc")
    for root in (roots.sys, roots.dev, roots.proc):
        root.mkdir()
    return roots


def on_usb(
    machine: Roots, vendor: str, product: str, bus: int = 1, number: int = 4, *, node: bool = True
) -> Path:
    """Plug a device in; return its node."""
    folder = machine.sys / "bus/usb/devices" / f"{bus}-{number}"
    folder.mkdir(parents=True)
    for name, value in (
        ("idVendor", vendor),
        ("idProduct", product),
        ("busnum", bus),
        ("devnum", number),
    ):
        (folder / name).write_text(f"{value}\n")
    made = machine.dev / f"bus/usb/{bus:03}/{number:03}"
    if node:
        made.parent.mkdir(parents=True, exist_ok=True)
        made.touch()
    return made


def on_pci(machine: Roots, *, driver: bool = False) -> None:
    """Insert a card."""
    folder = machine.sys / "bus/pci/devices/0000:01:00.0"
    folder.mkdir(parents=True)
    (folder / "vendor").write_text("0x1ac1\n")
    (folder / "device").write_text("0x089a\n")
    if driver:
        apex = machine.sys / "class/apex/apex_0"
        apex.mkdir(parents=True)
        (apex / "device").symlink_to(folder)
        (machine.dev / "apex_0").touch()


def nodes(machine: Roots) -> list[Path | None]:
    """Return the nodes of the Edge TPUs."""
    return [found.node for found in coral.find(machine.sys, machine.dev)]


def held(machine: Roots, node: Path, pid: int = 123) -> None:
    """Let a process have the node open."""
    (machine.proc / str(pid) / "fd").mkdir(parents=True)
    (machine.proc / str(pid) / "comm").write_text("python3\n")
    (machine.proc / str(pid) / "fd" / "7").symlink_to(node)


@pytest.mark.parametrize(
    "ids", [("1a6e", "089a"), ("18d1", "9302")], ids=["before its first use", "after it"]
)
def test_a_coral_on_usb_is_known_by_both_its_ids(machine, ids):
    node = on_usb(machine, *ids)
    assert (nodes(machine), option(machine), obstacle(machine)) == ([node], "usb", None)


def test_a_coral_that_comes_back_as_another_device_is_found_at_its_new_node(machine):
    on_usb(machine, "1a6e", "089a", number=4).unlink()
    for path in (machine.sys / "bus/usb/devices/1-4").iterdir():
        path.unlink()
    node = on_usb(machine, "18d1", "9302", number=5)
    assert nodes(machine) == [node]


def test_a_coral_on_pcie_is_its_apex_node(machine):
    on_pci(machine, driver=True)
    assert (nodes(machine), option(machine), obstacle(machine)) == (
        [machine.dev / "apex_0"],
        "pci",
        None,
    )


def test_other_devices_are_no_coral(machine):
    on_usb(machine, "1d6b", "0002")
    assert obstacle(machine) == ("device", "none is connected")


def test_a_machine_without_such_files_has_no_coral(tmp_path):
    assert obstacle(Roots(tmp_path / "a", tmp_path / "b", tmp_path / "c")) == (
        "device",
        "none is connected",
    )


def test_a_card_without_a_driver_is_reported(machine):
    on_pci(machine)
    cause, sentence = obstacle(machine)
    assert (
        cause == "device"
        and "has no driver (there is no /dev/apex_0): install gasket-dkms" in sentence
    )


def test_a_device_that_a_container_was_not_given_is_reported(machine):
    node = on_usb(machine, "18d1", "9302", node=False)
    assert obstacle(machine) == (
        "device",
        f"the Edge TPU is on USB, but its node {node} is missing: pass the node to the container",
    )


def test_a_node_that_the_user_may_not_open_is_reported_with_the_group():
    with tempfile.TemporaryDirectory() as folder:  # other users may look into it, unlike pytest's
        Path(folder).chmod(0o755)
        machine = Roots(Path(folder) / "sys", Path(folder) / "dev", Path(folder) / "proc")
        node = on_usb(machine, "18d1", "9302")
        node.chmod(0)
        sentence = f"this user may not open {node}: join the group plugdev, and give the group access with a udev rule"
        assert as_nobody(lambda: obstacle(machine)) == repr(("permission", sentence))


def as_nobody(function: Callable[[], object]) -> str:
    """Return the repr of the function's result for an unprivileged user."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        os.write(writing, repr(function()).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as said:
        words = said.read()
    assert os.waitpid(pid, 0)[1] == 0
    return words


def test_a_device_that_another_process_holds_is_reported_with_its_number(machine):
    node = on_usb(machine, "18d1", "9302")
    held(machine, node)
    cause, sentence = obstacle(machine)
    assert cause == "busy" and "in use by process 123 (python3)" in sentence


def test_this_process_does_not_stand_in_its_own_way(machine):
    held(machine, on_usb(machine, "18d1", "9302"), os.getpid())
    assert obstacle(machine) is None


def test_one_free_device_is_enough(machine):
    held(machine, on_usb(machine, "18d1", "9302"))
    on_usb(machine, "18d1", "9302", bus=2)
    assert obstacle(machine) is None
