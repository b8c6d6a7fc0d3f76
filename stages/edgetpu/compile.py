"""Compiles int8 models for the Edge TPU, if the target has one and Google's compiler is installed."""

from typing import TYPE_CHECKING, Annotated, Any, NotRequired, TypedDict

from engine.stage import In, Out, StageError, note, progress
from engine.stage.bounds import Range
from engine.stage.suffix import Suffix

if TYPE_CHECKING:
    from pathlib import Path

    from stages.edgetpu._compiler_log import CompilerLog

PROGRAMS = ("edgetpu_compiler",)


class CompileMetrics(TypedDict):
    """compiled: 1 if every model has a form for the Edge TPU; published: how many were published with it.

    From the compiler's logs, summed over the models that it compiled: operators on the Edge TPU and on
    the CPU, the share of the former, and the bytes of parameters that stay on the chip and that are sent
    for each inference.
    """

    compiled: float
    published: float
    edgetpu_ops: NotRequired[float]
    cpu_ops: NotRequired[float]
    edgetpu_op_ratio: NotRequired[float]
    on_chip_bytes: NotRequired[float]
    off_chip_bytes: NotRequired[float]


def compile(
    models: In,
    compiled: Out,
    log: Annotated[Out, Suffix(".json")],
    *,
    accelerator: str = "none",
    attempts: Annotated[int, Range(ge=1)] = 5,
    timeout_s: Annotated[float, Range(gt=0)] = 600,
) -> CompileMetrics:
    """Compile each role's int8 model with `edgetpu_compiler` from PATH, which exists for x86-64 Linux
    only.

    models:   ROLE/int8.tflite; a role with edgetpu.tflite, published with it, is not compiled
    compiled: the same, and ROLE/edgetpu.tflite, with the operator `edgetpu-custom-op`, for each
              compiled model
    log:      JSON: whether a model was compiled here; for each role, whether and by whom it was
              compiled, which operators the compiler mapped, and its reasons for the others; and sums
    accelerator: of the target; models are compiled only for edgetpu
    attempts:    how often to try to compile a model
    timeout_s:   limit of each attempt, in seconds
    An "Internal compiler error" is sometimes random (google-coral/edgetpu#211), so it is retried.

    StageError: the compiler refused the model or took too long.
    """
    import json

    from stages.tflite import roles

    forms = roles.copy_all(models, compiled)
    published = [role for role, files in forms.items() if "edgetpu" in files]
    about: dict[str, dict[str, Any]] = {role: {"compiled": False} for role in forms}
    about |= {role: {"compiled": True, "by": "its publisher"} for role in published}
    waiting = {
        role: files["int8"]
        for role, files in forms.items()
        if "edgetpu" not in files and "int8" in files
    }
    logs = []
    if accelerator == "edgetpu" and waiting and (compiler := _compiler(waiting)):
        for role, int8 in waiting.items():
            text = _compiled(compiler, int8, int8.with_name("edgetpu.tflite"), attempts, timeout_s)
            logs.append(_parsed(role, text))
            by = {"compiled": True, "by": PROGRAMS[0]}
            about[role] = {**by, **logs[-1].as_json(), "text": text}
    sums = _sums(logs)
    whole = {"compiled": bool(logs), "accelerator": accelerator, **sums, "models": about}
    log.write_text(json.dumps(whole, indent=1), encoding="utf-8")
    metrics = CompileMetrics(
        compiled=float(all(row["compiled"] for row in about.values())),
        published=float(len(published)),
    )
    if sums:
        metrics["edgetpu_ops"] = float(sums["on_edgetpu"])
        metrics["cpu_ops"] = float(sums["on_cpu"])
        metrics["edgetpu_op_ratio"] = sums["on_edgetpu"] / max(sums["operations"], 1)
        metrics["on_chip_bytes"] = float(sums["on_chip_bytes"])
        metrics["off_chip_bytes"] = float(sums["off_chip_bytes"])
    return metrics


def _compiler(waiting: dict[str, "Path"]) -> str | None:
    """Return the path of the compiler, or None after a note on which models stay uncompiled."""
    import shutil

    found = shutil.which(PROGRAMS[0])
    if found is None:
        note(
            f"{PROGRAMS[0]} not found on PATH; continuing with the uncompiled int8 model "
            f"({', '.join(waiting)}). The operator mapping is a prediction."
        )
    return found


def _parsed(role: str, text: str) -> "CompilerLog":
    """Return the contents of the compiler's log, and report them in a note."""
    from stages.edgetpu import _compiler_log

    found = _compiler_log.parse(text)
    note(
        f"{role}: compiled with {PROGRAMS[0]} {found.version}: {found.on_edgetpu} of "
        f"{found.operations} operations run on the Edge TPU"
    )
    return found


def _sums(logs: "list[CompilerLog]") -> dict[str, Any]:
    """Return the sums of the figures of all logs; empty if there are no logs."""
    if not logs:
        return {}
    names = ("operations", "on_edgetpu", "on_cpu", "on_chip_bytes", "off_chip_bytes")
    summed = {name: sum(getattr(one, name) for one in logs) for name in names}
    return {"version": logs[0].version, **summed}


def _compiled(
    compiler: str, model: "Path", compiled_model: "Path", attempts: int, timeout_s: float
) -> str:
    """Compile the model, and return the compiler's log."""
    import shutil
    import tempfile
    from pathlib import Path

    from stages.edgetpu import _compiler_log

    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder) / "model.tflite", Path(folder) / "out" / "model_edgetpu.tflite"
        shutil.copyfile(model, source)  # it derives the names of its outputs from its input
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
    """Return the exit status and the output.

    After the timeout, kill the compiler and its child process.
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
        output_bytes, _ = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise StageError(
            f"the compiler did not end within {timeout_s:g} s: increase timeout_s, or make "
            "the model smaller"
        ) from None
    text = output_bytes.decode("utf-8", "replace")
    sys.stderr.write(text)
    return process.returncode, text
