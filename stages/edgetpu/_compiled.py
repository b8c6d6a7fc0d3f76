"""Reads the output of Google's Edge TPU compiler: the custom operator's DarwiNN package and its
parameter sizes.

The operator's options are a FlexBuffer map, whose key "4" contains the package. The field numbers are
those of google-coral/libedgetpu `executable/executable.fbs`. The instructions are not read.
"""

from dataclasses import dataclass

from stages.tflite.flatbuffer import Blob, Table
from stages.tflite.schema import Model

CUSTOM_CODE = "edgetpu-custom-op"
STAND_ALONE, PARAMETER_CACHING, EXECUTION_ONLY = 0, 1, 2
_MAP, _KEYS_MAX = 9, 64
_STRING, _BLOB = 5, 25
_LETTERS = {1: "B", 2: "H", 4: "I", 8: "Q"}


@dataclass(frozen=True, slots=True)
class Compiled:
    """The contents of a compiled model: the bytes of parameters that stay on the chip and that are sent
    for each inference, and its runtime.
    """

    cached_param_bytes: int
    streamed_param_bytes: int
    min_runtime: int
    compiler_version: str
    packages: int  # custom operators: more than one if the compiler made several subgraphs


def read_compiled(model: Model, name: str) -> Compiled | None:
    """Return the contents of a compiled model, or None if it lacks the compiler's custom operator.

    BadFile: its package is damaged.
    """
    packages = [
        _package(Blob(operator.custom_options, name))
        for graph in model.subgraphs
        for operator in graph.operators
        if operator.custom_code == CUSTOM_CODE
    ]
    if not packages:
        return None
    return Compiled(
        cached_param_bytes=sum(one.cached_param_bytes for one in packages),
        streamed_param_bytes=sum(one.streamed_param_bytes for one in packages),
        min_runtime=max(one.min_runtime for one in packages),
        compiler_version=packages[0].compiler_version,
        packages=len(packages),
    )


def _package(options: Blob) -> Compiled:
    package = Blob(_flexbuffer_value(options, b"4"), options.name).root()
    cached = streamed = 0
    for executable in executables(package):
        size = len(executable.bytes(6))
        if executable.number(13, "h", STAND_ALONE) == PARAMETER_CACHING:
            cached += size
        else:
            streamed += size
    return Compiled(cached, streamed, package.number(0, "i", 0), package.text(4), 1)


def executables(package: Table) -> list[Table]:
    """Return the tables of a package's executables; each is a FlatBuffer in a string of a FlatBuffer in
    the package.
    """
    name = package.blob.name
    multi = Blob(package.bytes(1), name).root()
    return [Blob(serialized, name).root() for serialized in multi.blobs(0)]


def _flexbuffer_value(blob: Blob, key: bytes) -> memoryview:
    """Return the bytes of a string or blob in the map that is the root of a FlexBuffer (FlexBuffers
    internals page).

    A map's values are at its position, followed by their types, and preceded by the size, and by the
    width and position of its keys.
    """
    end = len(blob.view)
    width, kind = blob.integer("B", end - 1), blob.integer("B", end - 2)
    if width not in _LETTERS or kind >> 2 != _MAP:
        raise blob.bad("its Edge TPU operator has no options")
    values, width = _behind(blob, end - 2 - width, width), 1 << (kind & 3)
    count = _unsigned(blob, values - width, width)
    key_width = _unsigned(blob, values - 2 * width, width)
    if count > _KEYS_MAX or key_width not in _LETTERS:
        raise blob.bad("its Edge TPU operator has invalid options")
    keys = _behind(blob, values - 3 * width, width)
    for at in range(count):
        found = _behind(blob, keys + at * key_width, key_width)
        if bytes(blob.slice(found, len(key) + 1)) == key + b"\0":
            kind = blob.integer("B", values + count * width + at)
            return _bytes(blob, _behind(blob, values + at * width, width), kind)
    raise blob.bad("its Edge TPU operator contains no package")


def _bytes(blob: Blob, at: int, kind: int) -> memoryview:
    if kind >> 2 not in (_STRING, _BLOB):
        raise blob.bad("its Edge TPU operator contains no package")
    width = 1 << (kind & 3)
    return blob.slice(at, _unsigned(blob, at - width, width))


def _behind(blob: Blob, at: int, width: int) -> int:
    """Return the target of the backward offset at this position."""
    return blob.place(at - _unsigned(blob, at, width))


def _unsigned(blob: Blob, at: int, width: int) -> int:
    return blob.integer(_LETTERS[width], at)
