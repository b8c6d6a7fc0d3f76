"""Edge TPUs, found in simulated /sys and /dev folders."""

import os
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.stage import coral
from engine.stage.coral import Coral
from tests.machines import Machine


@pytest.fixture
def machine(tmp_path):
    """A machine without an Edge TPU."""
    return Machine(tmp_path)


def test_other_devices_are_none(machine):
    assert coral.find(machine.sys, machine.dev) == []


def test_a_usb_accelerator_changes_its_id_and_its_node_at_first_use(machine):
    before = machine.plug("2-1", "1a6e", "089a", 3)
    assert coral.find(machine.sys, machine.dev) == [
        Coral("usb", "1a6e:089a", before, "not used yet", 5000)
    ]
    after = machine.plug("2-1", "18d1", "9302", 4)
    assert (
        coral.find(machine.sys, machine.dev) == [Coral("usb", "18d1:9302", after, "ready", 5000)]
        and not before.exists()
    )


def test_the_speed_of_the_link_is_reported(machine):
    machine.plug("2-1", "18d1", "9302", 4, speed="480")
    assert [found.mbit_s for found in coral.find(machine.sys, machine.dev)] == [480]


def test_a_usb_accelerator_that_is_just_leaving_has_no_node(machine):
    node = machine.plug("2-1", "18d1", "9302", 4)
    node.unlink()
    found = coral.find(machine.sys, machine.dev)[0]
    assert (found.state, found.node, found.is_usable) == ("node missing", node, False)


def test_a_container_that_was_not_given_the_usb_bus_has_no_node(machine):
    machine.plug("2-1", "1a6e", "089a", 4)
    shutil.rmtree(machine.dev)
    assert coral.find(machine.sys, machine.dev)[0].state == "node missing"


def test_a_node_of_somebody_elses_is_not_permitted(machine, monkeypatch):
    node = machine.plug("2-1", "18d1", "9302", 4)
    monkeypatch.setattr(os, "access", lambda path, mode: path != node)  # root may open everything
    found = coral.find(machine.sys, machine.dev)[0]
    assert (found.state, found.node, found.is_usable) == ("no permission", node, False)


def test_a_card_without_its_driver_is_named(machine):
    machine.slot("0000:01:00.0", "0x1ac1", "0x089a")
    assert coral.find(machine.sys, machine.dev) == [
        Coral("pcie", "1ac1:089a", None, "driver missing")
    ]


def test_a_card_with_its_driver_has_a_node(machine):
    node = machine.slot("0000:01:00.0", "0x1ac1", "0x089a", apex="apex_0")
    assert coral.find(machine.sys, machine.dev) == [Coral("pcie", "1ac1:089a", node, "ready")]


def test_each_half_of_a_dual_card_has_its_own_node(machine):
    second = machine.slot("0000:01:00.0", "0x1ac1", "0x089a", apex="apex_1")
    first = machine.slot("0000:02:00.0", "0x1ac1", "0x089a", apex="apex_0")
    assert [found.node for found in coral.find(machine.sys, machine.dev)] == [second, first]


def test_a_driver_without_its_node_is_reported(machine):
    node = machine.slot("0000:01:00.0", "0x1ac1", "0x089a", apex="apex_0")
    node.unlink()
    assert coral.find(machine.sys, machine.dev) == [
        Coral("pcie", "1ac1:089a", node, "node missing")
    ]


def test_a_machine_without_sys_has_none(tmp_path):
    assert coral.find(tmp_path / "sys", tmp_path / "dev") == []


@given(
    st.dictionaries(
        st.sampled_from(["idVendor", "idProduct", "busnum", "devnum", "speed"]),
        st.binary(max_size=9),
    )
)
def test_odd_words_in_sys_do_no_harm(tmp_path_factory, files):
    machine = Machine(tmp_path_factory.mktemp("machine"))
    folder = machine.sys / "bus/usb/devices/3-1"
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    assert coral.find(machine.sys, machine.dev) == []


def test_the_rules_for_udev_name_both_ids():
    assert all(
        f'=="{part}"' in coral.UDEV_RULES["usb"]
        for usb_id in coral.USB_IDS
        for part in usb_id.split(":")
    )


def test_what_a_fingerprint_counts_changes_when_a_coral_or_its_library_comes_and_not_at_its_first_use(
    machine, tmp_path, monkeypatch
):
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    told = [coral.seen(machine.sys, machine.dev, tmp_path)]
    machine.plug("2-1", "1a6e", "089a", 3)
    told.append(coral.seen(machine.sys, machine.dev, tmp_path))
    machine.plug("2-1", "18d1", "9302", 4)
    told.append(coral.seen(machine.sys, machine.dev, tmp_path))
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "usr/lib" / coral.LIBRARY).touch()
    told.append(coral.seen(machine.sys, machine.dev, tmp_path))
    assert told == [
        "no device, without library",
        "usb, without library",
        "usb, without library",
        "usb, with library",
    ]
