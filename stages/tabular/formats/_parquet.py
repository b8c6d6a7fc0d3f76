"""Reads Parquet files with pyarrow."""

from pathlib import Path

from engine.stage import StageError
from stages.tabular.formats import _sheet
from stages.tabular.formats._findings import Findings
from stages.tabular.formats._sheet import Sheet

SUFFIXES = (".parquet", ".pq", ".parq")
MAGIC = b"PAR1"
_INDEX = "__index_level_"  # how pandas names an index without a name


def read(path: Path, file: str, findings: Findings) -> Sheet:
    """Return the rows; StageError: pyarrow is not installed, or cannot read the file."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError:
        raise StageError(
            f"{file} is a Parquet file, which needs pyarrow: install it with `pip install pyarrow`, or save "
            "the table as CSV"
        ) from None
    try:
        # without memory mapping and threads: the file may be read-only, and the order is that of the file
        found = parquet.read_table(path, memory_map=False, use_threads=False)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        why = str(error).splitlines()[0]
        raise StageError(
            f"{file} cannot be read as a Parquet file: {why}; write it again"
        ) from None
    chosen = [name for name in found.column_names if not name.startswith(_INDEX)]
    columns = [
        [_sheet.text(cell) for cell in found.column(at).to_pylist()]
        for at, name in enumerate(found.column_names)
        if not name.startswith(_INDEX)
    ]
    names = _sheet.unique(chosen, file, findings)
    return Sheet(file, names, columns, range(1, found.num_rows + 1), unit="row")
