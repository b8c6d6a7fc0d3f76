"""Temperature, throttling and memory."""

import os
from pathlib import Path

import pytest

from stages.serving.pipeline import machine
from stages.serving.pipeline.machine import Heat


def zones(sys: Path, *texts: str) -> Path:
    for at, text in enumerate(texts):
        zone = sys / f"class/thermal/thermal_zone{at}"
        zone.mkdir(parents=True)
        (zone / "temp").write_text(text)
    return sys


@pytest.mark.parametrize(
    ("answer", "is_throttled", "is_undervolted"),
    [
        ("throttled=0x0\n", False, False),
        ("throttled=0x50005\n", True, True),
        ("throttled=0x50000\n", False, False),  # it has happened, and is over
        ("throttled=0x80008\n", True, False),
        ("throttled=0x2", True, False),
        ("VCHI initialization failed", None, None),
        ("", None, None),
    ],
)
def test_throttling_is_what_the_firmware_says_of_now(
    tmp_path, answer, is_throttled, is_undervolted
):
    found = machine.heat(tmp_path, lambda: answer)
    assert (found.is_throttled, found.is_undervolted) == (is_throttled, is_undervolted)


def test_the_kernel_is_asked_before_the_program(tmp_path):
    file = tmp_path / "devices/platform/soc/soc:firmware/get_throttled"
    file.parent.mkdir(parents=True)
    file.write_text("50005\n")
    found = machine.heat(tmp_path, lambda: "throttled=0x0")
    assert found == Heat(None, True, True)


def test_the_hottest_plausible_zone_counts(tmp_path):
    sys = zones(tmp_path, "51540\n", "48000", "-273000", "999000", "nonsense")
    assert machine.heat(sys, lambda: "").temperature_c == 51.54


def test_a_machine_that_says_nothing(tmp_path):
    assert machine.heat(tmp_path, lambda: "") == Heat()


def test_memory_of_a_process():
    assert 5 < machine.memory_mb(os.getpid()) < 5000
    assert machine.memory_mb(2**22 + 1) == 0.0


def test_old_kernels_say_only_all_pages(tmp_path):
    (tmp_path / "7").mkdir()
    (tmp_path / "7/status").write_text("Name:\tx\nVmRSS:\t    2048 kB\n")
    assert machine.memory_mb(7, tmp_path) == 2.0


def test_measures_have_the_names_of_prometheus():
    found = machine.measures({'camera "door"': os.getpid()})
    assert found['serving_memory_bytes{process="camera \\"door\\""}'] > 1e6
