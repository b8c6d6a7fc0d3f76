"""The model of a target. Refusals are in tests/messages."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import target, yamlfile
from engine.target import Address

ROOT = Path(__file__).resolve().parents[2]
TARGETS = sorted(ROOT.glob("conf/target/*.yaml"))
PI = {"name": "pi", "platform": "linux/arm64", "runtime": "litert"}


def test_a_target_has_these_defaults():
    found = target.parse(PI, "pi.yaml")
    assert (found.accelerator, found.cpus, found.memory, found.device, found.description) == (
        "none",
        4,
        0,
        None,
        "",
    )


@pytest.mark.parametrize(
    ("platform", "accelerator", "runtime"),
    [
        ("linux/amd64", "none", "litert"),
        ("linux/arm64", "none", "litert"),
        ("linux/arm64", "gpu", "litert"),
        ("linux/arm/v7", "none", "tflite_runtime"),  # LiteRT has no armv7 build
        ("linux/arm64", "edgetpu", "tflite_runtime"),
        ("linux/amd64", "edgetpu", "tflite_runtime"),
    ],
)
def test_a_target_that_names_no_runtime_has_the_one_that_fits_it(platform, accelerator, runtime):
    assert (
        target.parse(
            {"name": "pi", "platform": platform, "accelerator": accelerator}, "pi.yaml"
        ).runtime
        == runtime
    )


def test_a_target_keeps_the_runtime_that_it_names():
    assert target.parse({**PI, "accelerator": "edgetpu"}, "pi.yaml").runtime == "litert"


def test_a_target_has_the_memory_of_its_accelerator_unless_it_names_another():
    found = [
        target.parse({**PI, "accelerator": name, **said}, "pi.yaml").accelerator_memory
        for name, said in (
            ("none", {}),
            ("edgetpu", {}),
            ("imx500", {}),
            ("imx500", {"accelerator_memory": "6M"}),
        )
    ]
    assert found == [0, 0, 8 * 2**20, 6_000_000]


def test_memory_is_read_in_bytes():
    assert target.parse({**PI, "memory": "4G"}, "pi.yaml").memory == 4 * 10**9


def test_an_edge_tpu_is_on_usb_where_nothing_else_is_said():
    buses = [
        target.parse({**PI, "accelerator": "edgetpu", **said}, "pi.yaml").bus
        for said in ({}, {"bus": None}, {"bus": "pcie"})
    ]
    assert (buses, target.parse(PI, "pi.yaml").bus) == (["usb", "usb", "pcie"], None)


@pytest.mark.parametrize(
    ("device", "found"),
    [
        (
            "ssh://raspberrypi.local",
            Address(None, "raspberrypi.local", None, "/var/run/docker.sock"),
        ),
        ("ssh://pi@10.0.0.7:2222", Address("pi", "10.0.0.7", 2222, "/var/run/docker.sock")),
        (
            "ssh://pi@[fe80::1]/run/user/1000/docker.sock",
            Address("pi", "fe80::1", None, "/run/user/1000/docker.sock"),
        ),
    ],
)
def test_a_device_is_reached_by_its_address(device, found):
    assert target.parse({**PI, "device": device}, "pi.yaml").device == device
    assert target.address(device) == found


@given(st.text(st.characters(codec="utf-8")).map("ssh://{}".format))
def test_no_word_of_an_address_is_an_option_to_ssh(device):
    try:
        found = target.address(device)
    except ValueError:
        return
    words = [found.user or "", found.host, found.socket]
    assert not any(word.startswith("-") or set(word) & set(" \n\t'\"$`\\") for word in words)


@pytest.mark.parametrize("path", TARGETS, ids=lambda path: path.stem)
def test_a_shipped_target_is_named_as_its_file_and_says_what_it_is(path):
    found = target.parse(yamlfile.load(path), path.name)
    assert (found.name, bool(found.description)) == (path.stem, True)


@pytest.mark.parametrize("path", TARGETS, ids=lambda path: path.stem)
def test_a_shipped_target_has_a_runtime_that_is_built_for_it(path):
    found = target.parse(yamlfile.load(path), path.name)
    assert (
        found.platform != "linux/arm/v7" or found.runtime == "tflite_runtime"
    )  # LiteRT has no armv7 build
