"""The kernel's handlers for foreign programs: in a simulated binfmt_misc folder, and the machine's own."""

import platform
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import emulation
from engine.stage.platforms import PLATFORMS

ARM64 = "7f454c460201010000000000000000000200b700"
ARM = "7f454c4601010100000000000000000002002800"
BIG_ENDIAN_ARM = "7f454c4601020100000000000000000000020028"


@pytest.fixture
def binfmt(tmp_path):
    """A kernel with a handler for jar files only."""
    (tmp_path / "register").touch()
    (tmp_path / "status").write_text("enabled\n")
    (tmp_path / "jar").write_text(
        "enabled\ninterpreter /usr/bin/jexec\nflags: \noffset 0\nmagic 504b0304\n"
    )
    return tmp_path


def _register(binfmt, name, magic, *, flags="POCF", state="enabled"):
    text = (
        f"{state}\ninterpreter /usr/libexec/qemu-binfmt/{name}\nflags: {flags}\noffset 0\nmagic "
        f"{magic}\nmask {'f' * 40}\n"
    )
    (binfmt / name).write_text(text)


def test_a_handler_is_known_by_the_programs_that_it_takes_not_by_its_name(binfmt):
    _register(binfmt, "some-name", ARM64)
    _register(binfmt, "qemu-armeb", BIG_ENDIAN_ARM)
    assert [emulation.look(name, binfmt).is_registered for name in PLATFORMS] == [
        False,
        True,
        False,
    ]
    _register(binfmt, "qemu-arm", ARM)
    assert emulation.look("linux/arm/v7", binfmt).what == "linux/arm/v7 through qemu-arm"


def test_a_missing_handler_comes_with_the_command_that_registers_it(binfmt):
    found = emulation.look("linux/arm64", binfmt)
    assert (found.is_registered, found.what) == (False, "no handler is registered for linux/arm64")
    assert (
        "qemu-user-static binfmt-support" in found.fix
        and "tonistiigi/binfmt --install all" in found.fix
    )


def test_a_handler_that_is_switched_off_is_not_registered(binfmt):
    _register(binfmt, "qemu-aarch64", ARM64, state="disabled")
    found = emulation.look("linux/arm64", binfmt)
    assert (found.is_registered, found.fix) == (False, "sudo update-binfmts --enable")


def test_no_handler_works_where_all_are_switched_off(binfmt):
    _register(binfmt, "qemu-aarch64", ARM64)
    (binfmt / "status").write_text("disabled\n")
    assert not emulation.look("linux/arm64", binfmt).is_registered


def test_a_handler_without_the_flag_f_does_not_reach_into_a_container(binfmt):
    _register(binfmt, "qemu-aarch64", ARM64, flags="OC")
    found = emulation.look("linux/arm64", binfmt)
    assert not found.is_registered and "lacks the flag F" in found.what


def test_of_two_handlers_the_one_that_works_counts(binfmt):
    _register(binfmt, "a", ARM64, flags="")
    _register(binfmt, "b", ARM64)
    _register(binfmt, "c", ARM64, state="disabled")
    assert emulation.look("linux/arm64", binfmt).what == "linux/arm64 through b"


def test_a_machine_without_binfmt_misc_has_no_handlers(tmp_path):
    found = emulation.look("linux/arm64", tmp_path / "none")
    assert (
        not found.is_registered
        and "not mounted" in found.what
        and "sudo mount -t binfmt_misc" in found.fix
    )


@given(st.binary(max_size=200))
def test_an_odd_file_there_is_no_handler(tmp_path_factory, data):
    binfmt = tmp_path_factory.mktemp("binfmt")
    (binfmt / "register").touch()
    (binfmt / "odd").write_bytes(b"enabled\nflags: F\noffset 0\nmagic " + data)
    (binfmt / "odder").write_bytes(data)
    (binfmt / "folder").mkdir()
    assert not emulation.look("linux/arm64", binfmt).is_registered


def test_asking_for_32_bits_leaves_the_process_as_it_was():
    emulation.runs_32_bit()
    assert (
        platform.machine()
        == subprocess.run(
            ["uname", "-m"], capture_output=True, text=True, check=True
        ).stdout.strip()
    )


@pytest.mark.qemu
def test_this_machine_runs_both_kinds_of_arm():
    assert (
        emulation.look("linux/arm64").is_registered and emulation.look("linux/arm/v7").is_registered
    )
