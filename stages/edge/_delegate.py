"""Runs a compiled model on the Edge TPU in a child process, which may crash without taking the run
along.

The Edge TPU's library ends the process with a segmentation fault where it was built against another
runtime (google-coral/edgetpu#812: tflite-runtime 2.12 and newer with the stock libedgetpu). `python
-m stages.edge._delegate` is the child.
"""

import json
import os
import select
import signal
import struct
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from stages.edge import _coral
from stages.edge._coral import HERE, Roots
from stages.edge._interpreters import runtime_module

if TYPE_CHECKING:
    from numpy.typing import NDArray

LIBRARY = "libedgetpu.so.1"
CUSTOM_OPERATOR = b"edgetpu-custom-op"  # what the compiler leaves in a model that it took
OPEN_TIMEOUT_S = 120.0  # the firmware is loaded at the first use; imports are slow under emulation
INVOKE_TIMEOUT_S = 60.0
PROJECT = Path(__file__).resolve().parents[2]


class Unavailable(Exception):
    """Why the Edge TPU is not used: one of the causes library, device, permission, busy, version,
    model.

    And a sentence.
    """

    def __init__(self, cause: str, sentence: str) -> None:
        super().__init__(sentence)
        self.cause = cause


class EdgeTpu:
    """A model in a child process; its input and output as TFLite's interpreters describe them."""

    accelerator = "edgetpu"

    def __init__(
        self, path: Path, runtime: str, library: str = LIBRARY, roots: Roots = HERE
    ) -> None:
        wish = {
            "model": str(path),
            "runtime": runtime,
            "library": library,
            "roots": {k: str(v) for k, v in asdict(roots).items()},
        }
        paths = os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH")]))
        argv = [sys.executable, "-m", "stages.edge._delegate", json.dumps(wish)]
        self._child = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": paths},
        )
        try:
            self._open(path)
        except BaseException:
            self.close()
            raise

    def invoke(self, tensor: "NDArray[Any]") -> "tuple[NDArray[Any], float]":
        """Run the model; return the raw output and the milliseconds, measured in the child."""
        import numpy as np

        from engine.stage import StageError

        try:
            self._send(np.ascontiguousarray(tensor, self.input["dtype"]).tobytes())
            (took_ns,) = struct.unpack("<q", self._receive(8, INVOKE_TIMEOUT_S))
            raw = self._receive(
                int(np.prod(self.output["shape"])) * np.dtype(self.output["dtype"]).itemsize,
                INVOKE_TIMEOUT_S,
            )
        except _Gone:
            raise StageError(
                f"the Edge TPU's process {_said(self._ending())} in the middle of its work: unplug the "
                "device and plug it in again"
            ) from None
        return np.frombuffer(raw, self.output["dtype"]).reshape(self.output["shape"]), took_ns / 1e6

    def peak_memory_mb(self) -> float:
        """Return the most memory that the child has held."""
        status = Path(f"/proc/{self._child.pid}/status").read_text(encoding="utf-8")
        return next(
            (
                int(line.split()[1]) / 1024
                for line in status.splitlines()
                if line.startswith("VmHWM")
            ),
            0.0,
        )

    def close(self) -> None:
        """End the child; nothing is lost by closing twice."""
        self._child.kill()
        self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe:
                with suppress(BrokenPipeError):  # what was not sent any more
                    pipe.close()

    def __del__(self) -> None:
        if hasattr(self, "_child"):
            self.close()

    def _open(self, path: Path) -> None:
        """Hear what the child has found out."""
        import numpy as np

        try:
            (size,) = struct.unpack("<q", self._receive(8, OPEN_TIMEOUT_S))
            said = json.loads(self._receive(size, OPEN_TIMEOUT_S))
        except _Gone:
            raise self._unopened() from None
        if "cause" in said:
            raise Unavailable(said["cause"], said["sentence"])
        if not is_compiled(path):
            raise Unavailable(
                "model",
                "one is ready, but the model is not compiled for it: that takes edgetpu_compiler",
            )
        self.runtime: str = said["runtime"]
        self.input, self.output = (
            {**tensor, "dtype": np.dtype(tensor["dtype"]).type}
            for tensor in (said["input"], said["output"])
        )

    def _send(self, data: bytes) -> None:
        assert self._child.stdin
        try:
            self._child.stdin.write(data)
            self._child.stdin.flush()
        except BrokenPipeError:
            raise _Gone from None

    def _receive(self, size: int, timeout_s: float) -> bytes:
        """Return so many bytes of the child; a child that says nothing in this time is ended."""
        assert self._child.stdout
        place, data, end = self._child.stdout.fileno(), b"", time.monotonic() + timeout_s
        while len(data) < size:
            ready, _, _ = select.select([place], [], [], max(0.0, end - time.monotonic()))
            chunk = os.read(place, size - len(data)) if ready else b""
            if not chunk:
                raise _Gone
            data += chunk
        return data

    def _ending(self) -> int | None:
        """Return the child's exit status; null for one that gave no answer, which is ended now."""
        try:
            return self._child.wait(1)
        except subprocess.TimeoutExpired:
            self.close()
            return None

    def _unopened(self) -> Unavailable:
        status = self._ending()
        if status is None:
            return Unavailable(
                "busy",
                f"it gave no answer within {OPEN_TIMEOUT_S:g} s: unplug it and plug it in again",
            )
        if status < 0:
            return Unavailable(
                "version",
                f"version mismatch: the process that loaded {LIBRARY} {_said(status)}; install a build "
                "of libedgetpu "
                "that was made for this version of the runtime (google-coral/edgetpu#812)",
            )
        return Unavailable(
            "library",
            f"the process that loaded {LIBRARY} {_said(status)}; its error stands in the log",
        )


def is_compiled(path: Path) -> bool:
    """True for a model that the Edge TPU's compiler has taken, in part or as a whole."""
    return CUSTOM_OPERATOR in path.read_bytes()


class _Gone(Exception):
    """The child has ended, or does not answer."""


def _said(status: int | None) -> str:
    if status is None:
        return "gave no answer"
    return (
        f"was ended by signal {-status} ({signal.Signals(-status).name})"
        if status < 0
        else f"ended with exit status {status}"
    )


def main(wish: "dict[str, Any]", requests: "IO[bytes]", replies: "IO[bytes]") -> None:
    """Look for the causes of failure in their order, then serve inferences until the requests end."""
    roots = Roots(**{name: Path(path) for name, path in wish["roots"].items()})
    refusal = _library_obstacle(wish["library"]) or _coral.obstacle(roots)
    if refusal:
        return _say(replies, {"cause": refusal[0], "sentence": refusal[1]})
    try:
        runtime, interpreter = _interpreter(wish, _coral.option(roots))
        interpreter.allocate_tensors()
        interpreter.invoke()  # what would crash does it here, before anybody counts on it
    except (ValueError, RuntimeError, OSError) as error:
        cause, sentence = _explained(str(error))
        return _say(replies, {"cause": cause, "sentence": sentence})
    source, result = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    _say(replies, {"runtime": runtime, "input": _plain(source), "output": _plain(result)})
    return _serve(interpreter, source, result, requests, replies)


def _serve(
    interpreter: Any,
    source: "dict[str, Any]",
    result: "dict[str, Any]",
    requests: "IO[bytes]",
    replies: "IO[bytes]",
) -> None:
    import numpy as np

    size = int(np.prod(source["shape"])) * np.dtype(source["dtype"]).itemsize
    while len(data := requests.read(size)) == size:
        interpreter.set_tensor(
            source["index"], np.frombuffer(data, source["dtype"]).reshape(source["shape"])
        )
        start = time.perf_counter_ns()
        interpreter.invoke()
        took_ns = time.perf_counter_ns() - start
        replies.write(
            struct.pack("<q", took_ns) + interpreter.get_tensor(result["index"]).tobytes()
        )
        replies.flush()


def _interpreter(wish: "dict[str, Any]", bus: str) -> "tuple[str, Any]":
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


def _library_obstacle(library: str) -> "tuple[str, str] | None":
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


def _explained(said: str) -> "tuple[str, str]":
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


def _plain(tensor: "dict[str, Any]") -> "dict[str, Any]":
    import numpy as np

    scale, zero_point = tensor["quantization"]
    return {
        "index": int(tensor["index"]),
        "shape": [int(n) for n in tensor["shape"]],
        "dtype": np.dtype(tensor["dtype"]).name,
        "quantization": [float(scale), int(zero_point)],
    }


def _say(replies: "IO[bytes]", words: "dict[str, Any]") -> None:
    data = json.dumps(words).encode()
    replies.write(struct.pack("<q", len(data)) + data)
    replies.flush()


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not stand among the answers
    main(json.loads(sys.argv[1]), sys.stdin.buffer, answers)
