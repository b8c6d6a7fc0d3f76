"""Serves a compiled model on the Edge TPU over a pipe: `python -m stages.tflite.delegate_child`.

A process of its own, because the Edge TPU's library may end it with a segmentation fault. Messages
are those of `wire`: first whether the model is open and its tensors, then one for each inference.
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from stages.tflite import coral, wire
from stages.tflite.coral import Roots
from stages.tflite.interpreters import described, runtime_module

LIBRARY = "libedgetpu.so.1"


def main(wish: dict[str, Any], requests: IO[bytes], replies: IO[bytes]) -> None:
    """Look for the causes of failure in their order, then serve inferences until the requests end."""
    roots = Roots(**{name: Path(path) for name, path in wish["roots"].items()})
    refusal = _library_obstacle(wish["library"]) or coral.obstacle(roots)
    if refusal:
        return _refuse(replies, refusal)
    try:
        runtime, interpreter = _interpreter(wish, coral.option(roots))
        interpreter.allocate_tensors()
        interpreter.invoke()  # what would crash does it here, before anybody counts on it
    except (ValueError, RuntimeError, OSError) as error:
        return _refuse(replies, _explained(str(error)))
    return _serve(runtime, interpreter, wish, requests, replies)


def _serve(
    runtime: str,
    interpreter: Any,
    wish: dict[str, Any],
    requests: IO[bytes],
    replies: IO[bytes],
) -> None:
    """Say what the model's tensors are, then answer each message of inputs with one of outputs."""
    sources, results = interpreter.get_input_details(), interpreter.get_output_details()
    facts = {
        role: [{"name": one.name, **one.as_json()} for one in described(details, names).values()]
        for role, details, names in (
            ("inputs", sources, wish["inputs"]),
            ("outputs", results, wish["outputs"]),
        )
    }
    _send(replies, {"runtime": runtime, **facts}, {})
    indices = {name: one["index"] for name, one in zip(wish["inputs"], sources)}
    with suppress(wire.Ended):
        while True:
            _, tensors = wire.unpack(requests.read)
            for name, index in indices.items():
                interpreter.set_tensor(index, tensors[name])
            start = time.perf_counter_ns()
            interpreter.invoke()
            took_ms = (time.perf_counter_ns() - start) / 1e6
            outputs = {
                name: interpreter.get_tensor(one["index"])
                for name, one in zip(wish["outputs"], results)
            }
            _send(replies, {"took_ms": took_ms}, outputs)


def _interpreter(wish: dict[str, Any], bus: str) -> tuple[str, Any]:
    """Return the runtime's name, and an interpreter on the Edge TPU: PyCoral's if it is installed."""
    from importlib.metadata import version

    make_interpreter = None
    if has_pycoral() and wish["library"] == LIBRARY:
        try:
            from pycoral.utils.edgetpu import make_interpreter
        except ImportError:  # such as one for another Python: the delegate is the same library
            make_interpreter = None
    if make_interpreter:
        return (
            f"PyCoral {version('pycoral')} with tflite-runtime {version('tflite-runtime')}",
            make_interpreter(wish["model"], device=bus),
        )
    name, module = runtime_module(wish["runtime"])
    delegate = module.load_delegate(wish["library"], {"device": bus})
    return f"{name} with {Path(wish['library']).name}", module.Interpreter(
        model_path=wish["model"], experimental_delegates=[delegate]
    )


def has_pycoral() -> bool:
    """True where Google's PyCoral is installed, without importing anything: PyPI's `pycoral` is a
    client of a coral-reef atlas.
    """
    from importlib.util import find_spec

    found = find_spec("pycoral")
    places = found.submodule_search_locations if found else None
    return any((Path(place) / "utils" / "edgetpu.py").is_file() for place in places or ())


def _library_obstacle(library: str) -> tuple[str, str] | None:
    import ctypes

    try:
        ctypes.CDLL(library)
    except OSError as error:
        if "No such file" in str(error) and str(error).startswith(library):
            return (
                "library",
                f"{library} is not installed: install Google's package libedgetpu1-std",
            )
        return "library", f"{library} cannot be loaded: {error}"
    return None


def _explained(said: str) -> tuple[str, str]:
    """Return cause and sentence of what the library or the runtime said when it gave up."""
    lines = said.strip().splitlines()
    newer = next((line.rstrip(".") for line in lines if "runtime version" in line), None)
    if (
        newer
    ):  # "Package requires runtime version (14), which is newer than this runtime version (13)."
        return "version", f"version mismatch: {newer}; install a libedgetpu as new as the compiler"
    if "Failed to load delegate" in said or not lines:
        return (
            "busy",
            "it was found, but could not be opened: another process holds it, maybe in another "
            "container, or it must be plugged in again",
        )
    return "version", f"version mismatch: the runtime cannot run the model with it: {lines[0]}"


def _refuse(replies: IO[bytes], refusal: tuple[str, str]) -> None:
    _send(replies, {"cause": refusal[0], "sentence": refusal[1]}, {})


def _send(replies: IO[bytes], facts: dict[str, Any], tensors: dict[str, Any]) -> None:
    replies.write(wire.pack(facts, tensors))
    replies.flush()


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not stand among the answers
    main(json.loads(sys.argv[1]), sys.stdin.buffer, answers)
