"""Parquet files, as pandas writes them."""

import builtins
import datetime
import io

import pytest

from engine.stage import StageError

pyarrow = pytest.importorskip("pyarrow", reason="the extra 'train' is not installed")

from pyarrow import parquet  # noqa: E402


def _content(columns):
    file = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), file)
    return file.getvalue()


def test_every_type_becomes_text(read):
    day = datetime.datetime(2024, 1, 2, 3, 4)
    columns = {
        "n": [1.5, None, float("nan")],
        "i": [1, 2, 3],
        "b": [True, False, None],
        "d": [day, None, day],
        "c": pyarrow.array(["x", "y", "x"]).dictionary_encode(),
        "__index_level_0__": [7, 8, 9],
    }
    found = read({"x.parquet": _content(columns)})
    assert found.table.names == ["n", "i", "b", "d", "c"]
    assert found.rows == [
        ("1.5", "1", "True", "2024-01-02 03:04:00", "x"),
        ("", "2", "False", "", "y"),
        ("", "3", "", "2024-01-02 03:04:00", "x"),
    ]


def test_a_damaged_file_is_refused(read):
    with pytest.raises(
        StageError, match=r"x\.parquet cannot be read as a Parquet file: .*write it again"
    ):
        read({"x.parquet": _content({"a": [1]})[:-20]}, only="x.parquet")


def test_without_pyarrow_the_error_says_how_to_get_it(read, monkeypatch):
    whole = builtins.__import__

    def without(name, *rest, **more):
        if name == "pyarrow":
            raise ModuleNotFoundError(name=name)
        return whole(name, *rest, **more)

    content = _content({"a": [1]})
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(StageError, match=r"needs pyarrow: install it .* or save the table as CSV"):
        read({"x.parquet": content}, only="x.parquet")
