"""Only ordinary files are opened, and opening never waits."""

import os
import socket
from pathlib import Path

import pytest

from engine import ordinary
from engine.errors import UserError


def test_a_file_is_read_also_through_a_link(tmp_path):
    (tmp_path / "file").write_bytes(b"x" * 100)
    (tmp_path / "link").symlink_to("file")
    assert ordinary.read(tmp_path / "link", 100) == b"x" * 100


def test_no_more_than_one_byte_above_the_limit_is_read(tmp_path):
    (tmp_path / "file").write_bytes(b"x" * 100)
    assert ordinary.read(tmp_path / "file", 10) == b"x" * 11


KERNELS = [
    "/proc/kmsg",
    "/proc/kcore",
    "/proc/self/environ",
    "/sys/kernel/profiling",
    "/dev/zero",
    "/dev/null",
]


@pytest.mark.parametrize(
    "path", [path for path in KERNELS if os.access(path, os.R_OK)]
)  # not every machine shows all of them
def test_the_kernels_own_files_and_devices_are_refused(path):
    with (
        pytest.raises(UserError, match=r"neither a file nor a folder|file system of the kernel"),
        ordinary.opened(Path(path)),
    ):
        pass


def test_a_pipe_without_a_writer_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with (
        pytest.raises(UserError, match="neither a file nor a folder"),
        ordinary.opened(tmp_path / "pipe"),
    ):
        pass


def test_a_socket_is_refused(tmp_path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        with pytest.raises(UserError, match="neither a file nor a folder"):
            ordinary.check("s", (tmp_path / "s").stat())


def test_a_folder_in_memory_is_an_ordinary_one(tmp_path):
    ordinary.check("tmp", tmp_path.stat())
    ordinary.check("/dev/shm", Path("/dev/shm").stat())
