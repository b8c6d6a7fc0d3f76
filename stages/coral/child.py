"""Serves compiled models on the Edge TPU over a pipe: `python -m stages.coral.child`.

It is a separate process, because the Edge TPU's library may crash it, and a single one for all models,
because only one process at a time can use the device. Messages have the format of `wire`; a request
contains its model's number. The answer to `open` is the model's tensors or a refusal, the answer to
tensors is the outputs of an inference, and `close` has no answer.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from stages.coral import device
from stages.coral.device import Roots
from stages.tflite import wire
from stages.tflite.interpreters import described, runtime_module

LIBRARY = "libedgetpu.so.1"


class _Opened:
    """A model that is ready for inferences."""

    def __init__(self, wish: dict[str, Any], runtime: str, interpreter: Any) -> None:
        self._interpreter = interpreter
        sources, results = interpreter.get_input_details(), interpreter.get_output_details()
        self._sources = {name: one["index"] for name, one in zip(wish["inputs"], sources)}
        self._results = {name: one["index"] for name, one in zip(wish["outputs"], results)}
        self.facts: dict[str, Any] = {"runtime": runtime}
        for role, details in (("inputs", sources), ("outputs", results)):
            found = described(details, wish[role]).values()
            self.facts[role] = [{"name": one.name, **one.as_json()} for one in found]

    def invoke(self, tensors: dict[str, Any]) -> wire.Message:
        """Return the time of the inference alone, and the outputs."""
        for name, index in self._sources.items():
            self._interpreter.set_tensor(index, tensors[name])
        start = time.perf_counter_ns()
        self._interpreter.invoke()
        took_ms = (time.perf_counter_ns() - start) / 1e6
        outputs = {
            name: self._interpreter.get_tensor(index) for name, index in self._results.items()
        }
        return {"took_ms": took_ms}, outputs


def main(requests: IO[bytes], replies: IO[bytes]) -> None:
    """Answer requests until they end."""
    opened: dict[int, _Opened] = {}
    with suppress(wire.Ended):
        while True:
            request, tensors = wire.unpack(requests.read)
            replies.write(wire.pack(*_answer(opened, request, tensors)))
            replies.flush()


def _answer(
    opened: dict[int, _Opened], request: dict[str, Any], tensors: dict[str, Any]
) -> wire.Message:
    number = request["model"]
    if request["do"] == "open":
        model = _open(request)
        if not isinstance(model, _Opened):
            return {"cause": model[0], "sentence": model[1]}, {}
        opened[number] = model
        return model.facts, {}
    if request["do"] == "close":
        del opened[number]
        return {}, {}
    try:
        return opened[number].invoke(tensors)
    except (ValueError, RuntimeError) as error:  # affects only this model
        return {"failed": str(error).splitlines()[0]}, {}


def _open(wish: dict[str, Any]) -> _Opened | tuple[str, str]:
    """Return the model, or the cause and the sentence of the first obstacle found."""
    roots = Roots(**{name: Path(path) for name, path in wish["roots"].items()})
    refusal = _library_obstacle(wish["library"]) or device.obstacle(roots)
    if refusal:
        return refusal
    try:
        runtime, interpreter = _interpreter(wish, device.option(roots))
        interpreter.allocate_tensors()
        interpreter.invoke()  # a crash happens here, before the model is used
    except (ValueError, RuntimeError, OSError) as error:
        return _explained(str(error))
    return _Opened(wish, runtime, interpreter)


def _interpreter(wish: dict[str, Any], bus: str) -> tuple[str, Any]:
    """Return the runtime's name, and an interpreter on the Edge TPU, through PyCoral if it is installed."""
    from importlib.metadata import version

    make_interpreter = None
    if has_pycoral() and wish["library"] == LIBRARY:
        try:
            from pycoral.utils.edgetpu import make_interpreter
        except (
            ImportError
        ):  # for example, built for another Python: the delegate uses the same library
            make_interpreter = None
    if make_interpreter:
        return (
            f"PyCoral {version('pycoral')} with tflite-runtime {version('tflite-runtime')}",
            make_interpreter(wish["path"], device=bus),
        )
    name, module = runtime_module(wish["runtime"])
    delegate = module.load_delegate(wish["library"], {"device": bus})
    return f"{name} with {Path(wish['library']).name}", module.Interpreter(
        model_path=wish["path"], experimental_delegates=[delegate]
    )


def has_pycoral() -> bool:
    """Return whether Google's PyCoral is installed, without importing anything: PyPI's `pycoral` is a
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


def _explained(message: str) -> tuple[str, str]:
    """Return the cause and a sentence for an error of the library or the runtime."""
    lines = message.strip().splitlines()
    newer = next((line.rstrip(".") for line in lines if "runtime version" in line), None)
    if (
        newer
    ):  # "Package requires runtime version (14), which is newer than this runtime version (13)."
        return "version", (
            f"version mismatch: {newer}; install a libedgetpu that is as new as the compiler"
        )
    if "Failed to load delegate" in message or not lines:
        return (
            "busy",
            "it was found, but could not be opened: another process may be using it, "
            "perhaps in another container, or it must be plugged in again",
        )
    return "version", f"version mismatch: the runtime cannot run the model with it: {lines[0]}"


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # output of libraries must not mix with the answers
    main(sys.stdin.buffer, answers)
