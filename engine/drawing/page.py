"""Compiles a page's template once: its byte code lies where Python keeps that of modules, and is
written under the same conditions.

Needs jinja2, which is heavy: imported only by who writes a page.
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

# no word of a run is markup; optimising takes longer than it saves on one page
_OPTIONS: dict[str, Any] = {
    "autoescape": True,
    "trim_blocks": True,
    "lstrip_blocks": True,
    "optimized": False,
}


def template(path: Path, filters: Mapping[str, Any]) -> jinja2.Template:
    """Return the template that this file holds, compiled now or earlier."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(path.parent), bytecode_cache=_ByteCode(path), **_OPTIONS
    )
    environment.filters.update(filters)
    return environment.get_template(path.name)


class _ByteCode(jinja2.BytecodeCache):
    """The byte code of one template, in `__pycache__`: who can write there can write modules too."""

    def __init__(self, path: Path) -> None:
        self._path = Path(cache_from_source(str(path))).with_suffix(".j2c")

    def get_source_checksum(self, source: str) -> str:
        """Return what the byte code must have been made from."""
        made_by = fingerprint.installed().get("jinja2")
        return super().get_source_checksum(f"{made_by} {_OPTIONS} {source}")

    def load_bytecode(self, bucket: Any) -> None:
        """Read the byte code, if there is any; what is damaged is compiled anew."""
        with suppress(Exception):
            bucket.load_bytecode(io.BytesIO(self._path.read_bytes()))

    def dump_bytecode(self, bucket: Any) -> None:
        """Keep the byte code, if Python may keep its own; a folder that is read-only is no fault."""
        if not sys.dont_write_bytecode:
            with suppress(OSError):
                write_whole(self._path, bucket.bytecode_to_string(), durable=False)
