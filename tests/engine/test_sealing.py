"""Sealing: an output becomes read-only, and invalid contents are refused by name."""

import os

import pytest

from engine import handles
from engine.sealing import MAX_DEPTH, BadOutput, seal


@pytest.fixture
def output(tmp_path):
    """A folder with a file that a stage wrote."""
    made = tmp_path / "out"
    made.mkdir()
    (made / "file").write_text("one")
    yield made
    handles.remove(made)


def test_a_sealed_output_is_read_only_below_its_top(output):
    (output / "inner").mkdir()
    seal("data", output)
    modes = {path.name: path.stat().st_mode & 0o777 for path in output.iterdir()}
    assert modes == {"file": 0o444, "inner": 0o555}


def test_a_file_with_another_name_elsewhere_leaves_that_one_as_it_is(output, tmp_path):
    os.link(output / "file", tmp_path / "mine")
    seal("data", output)
    assert (tmp_path / "mine").stat().st_mode & 0o200
    assert not (tmp_path / "mine").samefile(output / "file")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            lambda path: path.symlink_to("/etc/passwd"),
            "contains a symbolic link, out/odd -> /etc/passwd",
        ),
        (os.mkfifo, "contains out/odd, which is neither a file nor a folder"),
    ],
)
def test_what_no_artifact_can_hold_is_refused_by_name(output, spoil, said):
    spoil(output / "odd")
    with pytest.raises(BadOutput, match=said):
        seal("data", output)


def test_an_output_that_is_too_deep_is_refused(output):
    deep = output
    for _ in range(MAX_DEPTH + 1):
        deep = deep / "d"
    deep.mkdir(parents=True)
    with pytest.raises(BadOutput, match="nested more than"):
        seal("data", output)


def test_an_output_that_was_not_written_is_named(tmp_path):
    with pytest.raises(BadOutput, match="did not write its output 'data'"):
        seal("data", tmp_path / "absent")
