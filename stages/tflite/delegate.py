"""Runs a compiled model on the Edge TPU in a child process, which may crash without taking the run
along.

The Edge TPU's library ends the process with a segmentation fault where it was built against another
runtime (google-coral/edgetpu#812: tflite-runtime 2.12 and newer with the stock libedgetpu).
`delegate_child` is the child.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping

from engine.stage import StageError
from stages.tflite import delegate_child, wire
from stages.tflite.coral import HERE, Roots
from stages.tflite.naming import Names, names_in, names_of_twin
from stages.tflite.tensor import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

LIBRARY = delegate_child.LIBRARY
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
    """A model in a child process."""

    accelerator = "edgetpu"

    def __init__(
        self,
        int8_path: Path,
        compiled_path: Path | None,
        runtime: str,
        library: str = LIBRARY,
        roots: Roots = HERE,
    ) -> None:
        path = compiled_path or int8_path
        names = _names(int8_path, compiled_path)
        wish = {
            "model": str(path),
            "inputs": names.inputs,
            "outputs": names.outputs,
            "runtime": runtime,
            "library": library,
            "roots": {k: str(v) for k, v in asdict(roots).items()},
        }
        paths = os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH")]))
        self._child = subprocess.Popen(
            [sys.executable, "-m", delegate_child.__name__, json.dumps(wish)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": paths},
        )
        try:
            self._open(path)
        except BaseException:
            self.close()
            raise

    def invoke(self, tensors: Mapping[str, NDArray[Any]]) -> tuple[dict[str, NDArray[Any]], float]:
        """Run the model; return the raw outputs and the milliseconds, measured in the child."""
        try:
            self._send(wire.pack({}, {name: tensors[name] for name in self.inputs}))
            facts, outputs = self._receive(INVOKE_TIMEOUT_S)
        except wire.Ended:
            raise StageError(
                f"the Edge TPU's process {_said(self._ending())} in the middle of its work: unplug the "
                "device and plug it in again"
            ) from None
        return outputs, facts["took_ms"]

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
        try:
            facts, _ = self._receive(OPEN_TIMEOUT_S)
        except wire.Ended:
            raise self._unopened() from None
        if "cause" in facts:
            raise Unavailable(facts["cause"], facts["sentence"])
        if not is_compiled(path):
            raise Unavailable(
                "model",
                "one is ready, but the model is not compiled for it: that takes edgetpu_compiler",
            )
        self.runtime: str = facts["runtime"]
        self.inputs, self.outputs = (
            {one["name"]: Tensor(**{**one, "shape": tuple(one["shape"])}) for one in facts[role]}
            for role in ("inputs", "outputs")
        )

    def _send(self, data: bytes) -> None:
        assert self._child.stdin
        try:
            self._child.stdin.write(data)
            self._child.stdin.flush()
        except BrokenPipeError:
            raise wire.Ended from None

    def _receive(self, timeout_s: float) -> wire.Message:
        """Return the child's next message; Ended where it says nothing in this time."""
        assert self._child.stdout
        place, end = self._child.stdout.fileno(), time.monotonic() + timeout_s

        def read(size: int) -> bytes:
            data = b""
            while len(data) < size:
                ready, _, _ = select.select([place], [], [], max(0.0, end - time.monotonic()))
                chunk = os.read(place, size - len(data)) if ready else b""
                if not chunk:
                    break
                data += chunk
            return data

        return wire.unpack(read)

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


def _names(int8_path: Path, compiled_path: Path | None) -> Names:
    """Return the int8 model's names, in the compiled one's order."""
    if compiled_path is None:
        return names_in(int8_path)
    try:
        return names_of_twin(int8_path, compiled_path)
    except StageError as error:
        raise Unavailable("model", str(error)) from None


def _said(status: int | None) -> str:
    if status is None:
        return "gave no answer"
    return (
        f"was ended by signal {-status} ({signal.Signals(-status).name})"
        if status < 0
        else f"ended with exit status {status}"
    )
