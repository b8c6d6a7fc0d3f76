"""The table of platforms, checked against this machine and its programs."""

import platform
import sys
from pathlib import Path

import pytest

from engine.stage.platforms import PLATFORMS
from engine.target import platform_of

HERE = PLATFORMS[platform_of(platform.machine())]


@pytest.mark.parametrize("one", PLATFORMS.values(), ids=lambda one: one.arch)
def test_each_name_of_a_platform_is_its_own(one):
    others = [other for other in PLATFORMS.values() if other is not one]
    for key in ("name", "arch", "debian", "machine", "triplet", "elf_machine"):
        assert getattr(one, key) not in [getattr(other, key) for other in others]


def test_a_program_of_this_machine_has_the_header_that_the_table_says():
    head = Path(sys.executable).resolve().read_bytes()[:20]
    assert (head[4], int.from_bytes(head[18:20], sys.byteorder)) == (
        HERE.elf_class,
        HERE.elf_machine,
    )


def test_oci_says_architecture_system_and_variant():
    assert PLATFORMS["linux/arm/v7"].oci == {"architecture": "arm", "os": "linux", "variant": "v7"}
    assert PLATFORMS["linux/arm64"].oci == {"architecture": "arm64", "os": "linux"}
