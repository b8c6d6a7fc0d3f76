"""The stage that compiles the int8 model for the Edge TPU, where the target has one and Google's
compiler is here.
"""

from typing import TYPE_CHECKING, NotRequired, TypedDict

from engine.stage import In, Out, StageError, note, progress

if TYPE_CHECKING:
    from pathlib import Path

PROGRAMS = ("edgetpu_compiler",)


class CompileMetrics(TypedDict):
    """compiled: 1 where the compiler took the model, 0 where it goes on as it is. From the
    compiler's log: operators on the Edge TPU and on the CPU, the share of the former, bytes of
    parameters that stay on the chip and that are sent at each inference.
    """

    compiled: float
    edgetpu_ops: NotRequired[float]
    cpu_ops: NotRequired[float]
    edgetpu_op_ratio: NotRequired[float]
    on_chip_bytes: NotRequired[float]
    off_chip_bytes: NotRequired[float]


def compile(
    int8_model: In,
    compiled_model: Out,
    log: Out,
    *,
    accelerator: str = "none",
    attempts: int = 5,
    timeout_s: float = 600,
) -> CompileMetrics:
    """Compile with `edgetpu_compiler` from PATH, which exists for x86-64 Linux only.

    compiled_model: a .tflite with the operator `edgetpu-custom-op`; without Edge TPU or compiler
    the int8 model, unchanged log: JSON: whether it was compiled, and if so what the compiler mapped
    and why not the rest, with its own words

    An "Internal compiler error" is sometimes random (google-coral/edgetpu#211): it is tried again.
    StageError: the compiler refused the model or took too long.
    """
    import json
    import shutil

    from stages.edge import _compiler_log

    compiler = shutil.which(PROGRAMS[0]) if accelerator == "edgetpu" else None
    if compiler is None:
        if accelerator == "edgetpu":
            note(
                f"{PROGRAMS[0]} was looked for on PATH and is not here: the int8 model goes on "
                "uncompiled, and what is said of its mapping "
                "is a prediction"
            )
        shutil.copyfile(int8_model, compiled_model)
        log.write_text(
            json.dumps({"compiled": False, "accelerator": accelerator}, indent=1), encoding="utf-8"
        )
        return CompileMetrics(compiled=0.0)
    text = _compiled(compiler, int8_model, compiled_model, attempts, timeout_s)
    found = _compiler_log.parse(text)
    log.write_text(
        json.dumps({"compiled": True, **found.as_json(), "text": text}, indent=1), encoding="utf-8"
    )
    note(
        f"compiled with edgetpu_compiler {found.version}: {found.on_edgetpu} of {found.operations} "
        "operations run on the Edge TPU"
    )
    return CompileMetrics(
        compiled=1.0,
        edgetpu_ops=float(found.on_edgetpu),
        cpu_ops=float(found.on_cpu),
        edgetpu_op_ratio=found.on_edgetpu / max(found.operations, 1),
        on_chip_bytes=float(found.on_chip_bytes),
        off_chip_bytes=float(found.off_chip_bytes),
    )


def _compiled(
    compiler: str, model: "Path", compiled_model: "Path", attempts: int, timeout_s: float
) -> str:
    """Compile the model, and return what the compiler said."""
    import shutil
    import tempfile
    from pathlib import Path

    from stages.edge import _compiler_log

    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder) / "model.tflite", Path(folder) / "out" / "model_edgetpu.tflite"
        shutil.copyfile(model, source)  # the names of what it writes come from what it reads
        made.parent.mkdir()
        for attempt in range(1, max(attempts, 1) + 1):
            progress(attempt - 1, attempts, f"attempt {attempt}")
            status, text = _run([compiler, "-s", "-o", str(made.parent), str(source)], timeout_s)
            if status == 0 and made.is_file():
                shutil.copyfile(made, compiled_model)
                table = made.with_suffix(".log")
                return (
                    text
                    if _compiler_log.table(text) or not table.is_file()
                    else text + table.read_text(encoding="utf-8", errors="replace")
                )
            if _compiler_log.ABORTED not in text:
                break
    raise StageError(
        _compiler_log.failure(text, status) + (f" (tried {attempt} times)" if attempt > 1 else "")
    )


def _run(command: list[str], timeout_s: float) -> tuple[int, str]:
    """Return the exit status and what was said.

    When the time is over, the compiler ends with the child that it works in.
    """
    import os
    import signal
    import subprocess
    import sys

    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise StageError(
            f"the compiler did not end within {timeout_s:g} s: give it more with timeout_s, or make "
            "the model smaller"
        ) from None
    text = said.decode("utf-8", "replace")
    sys.stderr.write(text)
    return process.returncode, text
