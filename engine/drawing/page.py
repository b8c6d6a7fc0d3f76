"""Compiles a page's template once: its byte code is cached in __pycache__, under the same conditions as
that of modules.

Needs jinja2, which is slow to import: only writers of pages import this file.
"""

import io
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

import jinja2

from engine import fingerprint
from engine.durable import write_whole

# all text of a run is escaped; optimising takes longer than it saves on one page
_OPTIONS: dict[str, Any] = {
    "autoescape": True,
    "trim_blocks": True,
    "lstrip_blocks": True,
    "optimized": False,
}


def template(path: Path, filters: Mapping[str, Any]) -> jinja2.Template:
    """Return the template in this file, compiled now or earlier."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(path.parent), bytecode_cache=_ByteCode(path), **_OPTIONS
    )
    environment.filters.update(filters)
    return environment.get_template(path.name)


class _ByteCode(jinja2.BytecodeCache):
    """The byte code of one template, in `__pycache__`: anyone who can write there can also write modules."""

    def __init__(self, path: Path) -> None:
        self._path = Path(cache_from_source(str(path))).with_suffix(".j2c")

    def get_source_checksum(self, source: str) -> str:
        """Return the checksum that the byte code must match."""
        made_by = fingerprint.installed().get("jinja2")
        return super().get_source_checksum(f"{made_by} {_OPTIONS} {source}")

    def load_bytecode(self, bucket: Any) -> None:
        """Read the byte code, if there is any; damaged byte code is compiled again."""
        with suppress(Exception):
            bucket.load_bytecode(io.BytesIO(self._path.read_bytes()))

    def dump_bytecode(self, bucket: Any) -> None:
        """Store the byte code if Python may store its own; ignore a read-only folder."""
        if not sys.dont_write_bytecode:
            with suppress(OSError):
                write_whole(self._path, bucket.bytecode_to_string(), durable=False)
