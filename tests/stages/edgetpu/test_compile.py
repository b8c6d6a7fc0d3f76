"""Compiling for the Edge TPU. Google's compiler is not available here, so a script replaces it; it only tests
how the process is handled: retries, exit and timeout. test_compiler_log.py tests parsing its output.
"""

import json
import os
import time
from pathlib import Path

import pytest

from engine.stage import StageError
from stages.edgetpu.compile import compile
from tests.stages.edgetpu.test_compiler_log import HEAD, PARTLY, TABLE, TAIL

MODEL = b"a model"


@pytest.fixture
def script(tmp_path, monkeypatch):
    """Put a program called edgetpu_compiler on PATH.

    It counts its calls in `calls` and gets the output folder as $3, the model as $4.
    """
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}/bin{os.pathsep}/usr/bin")
    (tmp_path / "bin").mkdir()
    (tmp_path / "said").write_text(HEAD + PARTLY + TABLE + TAIL)

    def write(body: str) -> None:
        path = tmp_path / "bin" / "edgetpu_compiler"
        path.write_text(
            f"#!/bin/sh\necho x >> {tmp_path / 'calls'}\n{body.replace('SAID', str(tmp_path / 'said'))}\n"
        )
        path.chmod(0o755)

    return write


@pytest.fixture
def compiled(tmp_path):
    """Compile a model; return metrics, the resulting model, and the log."""
    (tmp_path / "models" / "model").mkdir(parents=True)
    (tmp_path / "models/model/int8.tflite").write_bytes(MODEL)

    def run(accelerator="edgetpu", **params):
        metrics = compile(
            tmp_path / "models",
            tmp_path / "made",
            tmp_path / "log",
            accelerator=accelerator,
            **params,
        )
        made = tmp_path / "made/model/edgetpu.tflite"
        model = made.read_bytes() if made.exists() else None
        return metrics, model, json.loads((tmp_path / "log").read_text())

    return run


def _calls(tmp_path: Path) -> int:
    return len((tmp_path / "calls").read_text().splitlines())


WORKS = 'cat SAID; (cat "$4"; echo -n " compiled") > "$3"/model_edgetpu.tflite'


def test_a_compiled_model_comes_out_with_what_the_compiler_said_of_it(script, compiled):
    script(WORKS)
    metrics, made, log = compiled()
    assert metrics == {
        "compiled": 1,
        "published": 0,
        "edgetpu_ops": 7,
        "cpu_ops": 3,
        "edgetpu_op_ratio": 0.7,
        "on_chip_bytes": 4414505,
        "off_chip_bytes": 1095216660,
    }
    assert made == MODEL + b" compiled"
    one = log["models"]["model"]
    assert (log["compiled"], log["operations"], one["by"], one["operators"][0]) == (
        True,
        10,
        "edgetpu_compiler",
        {"type": "ADD", "count": 5, "status": "Mapped to Edge TPU"},
    )
    assert one["text"].startswith("Edge TPU Compiler version 16")


def test_a_table_that_stands_in_the_log_file_alone_is_read_there(script, compiled, tmp_path):
    (tmp_path / "said").write_text(HEAD)
    (tmp_path / "table").write_text(TABLE)
    script(f'{WORKS}; cp {tmp_path / "table"} "$3"/model_edgetpu.log')
    assert len(compiled()[2]["models"]["model"]["operators"]) == 4


def test_without_the_compiler_the_model_goes_on_and_the_run_is_told_what_was_looked_for(
    compiled, monkeypatch, tmp_path
):
    said = []
    monkeypatch.setattr("stages.edgetpu.compile.note", said.append)
    monkeypatch.setenv("PATH", str(tmp_path))
    metrics, made, log = compiled()
    assert (metrics, made, log) == (
        {"compiled": 0, "published": 0},
        None,
        {"compiled": False, "accelerator": "edgetpu", "models": {"model": {"compiled": False}}},
    )
    assert said == [
        "edgetpu_compiler not found on PATH; continuing with the uncompiled int8 model (model). "
        "The operator mapping is a prediction."
    ]


def test_for_a_target_without_an_edge_tpu_nothing_is_compiled_or_said(
    script, compiled, monkeypatch, tmp_path
):
    monkeypatch.setattr("stages.edgetpu.compile.note", pytest.fail)
    script(WORKS)
    assert compiled(accelerator="none")[:2] == ({"compiled": 0, "published": 0}, None)
    assert not (tmp_path / "calls").exists()


def test_each_role_is_compiled_but_those_that_were_published_compiled(script, compiled, tmp_path):
    for role, form in (("pose", "int8"), ("pose", "edgetpu"), ("detector", "int8")):
        (tmp_path / "models" / role).mkdir(exist_ok=True)
        (tmp_path / "models" / role / f"{form}.tflite").write_bytes(f"{role} {form}".encode())
    script(WORKS)
    metrics, made, log = compiled()
    assert (made, _calls(tmp_path)) == (MODEL + b" compiled", 2)
    assert (tmp_path / "made/detector/edgetpu.tflite").read_bytes() == b"detector int8 compiled"
    assert (tmp_path / "made/pose/edgetpu.tflite").read_bytes() == b"pose edgetpu"
    assert (metrics["compiled"], metrics["published"], metrics["edgetpu_ops"]) == (1, 1, 14)
    assert log["models"]["pose"] == {"compiled": True, "by": "its publisher"}
    assert (log["operations"], log["models"]["detector"]["operations"]) == (20, 10)


def test_a_published_twin_is_kept_without_the_compiler_and_nothing_is_missed(
    compiled, monkeypatch, tmp_path
):
    monkeypatch.setattr("stages.edgetpu.compile.note", pytest.fail)
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "models/model/edgetpu.tflite").write_bytes(b"published")
    metrics, made, log = compiled()
    assert (metrics, made, log["compiled"]) == (
        {"compiled": 1, "published": 1},
        b"published",
        False,
    )


def test_a_float_model_is_never_compiled(script, compiled, tmp_path):
    (tmp_path / "models/model/int8.tflite").rename(tmp_path / "models/model/float.tflite")
    script(WORKS)
    assert compiled()[0]["compiled"] == 0
    assert not (tmp_path / "calls").exists()


def test_an_internal_error_is_tried_again(script, compiled, tmp_path):
    script(
        f'if [ $(wc -l < {tmp_path / "calls"}) -lt 3 ]; then echo "Internal compiler error. Aborting! '
        f'"; exit 1; fi; {WORKS}'
    )
    assert compiled()[0]["compiled"] == 1
    assert _calls(tmp_path) == 3


def test_an_internal_error_that_stays_ends_the_stage_after_so_many_attempts(
    script, compiled, tmp_path
):
    script('echo "Internal compiler error. Aborting! "; exit 1')
    with pytest.raises(
        StageError, match=r"gave up with 'Internal compiler error'.*\(tried 2 times\)$"
    ):
        compiled(attempts=2)
    assert _calls(tmp_path) == 2


def test_a_model_that_is_refused_is_not_tried_again(script, compiled, tmp_path):
    script('echo "Invalid model: model.tflite"; echo "Model not quantized"; exit 1')
    with pytest.raises(StageError, match="the model is not quantised"):
        compiled()
    assert _calls(tmp_path) == 1


def test_a_compiler_that_says_success_and_writes_nothing_has_failed(script, compiled, tmp_path):
    script("cat SAID")
    with pytest.raises(
        StageError,
        match="the compiler ended with exit status 0 and reported: Compilation succeeded!",
    ):
        compiled()
    assert not (tmp_path / "made/model/edgetpu.tflite").exists()


def test_a_compiler_that_does_not_end_is_ended_with_its_children(script, compiled, tmp_path):
    script(f"sleep 300 & echo $! > {tmp_path / 'child'}; wait")
    with pytest.raises(StageError, match="the compiler did not end within 3 s"):
        compiled(timeout_s=3)
    end = time.monotonic() + 300
    while _lives(
        int((tmp_path / "child").read_text())
    ):  # it has been killed, and the kernel takes its time
        assert time.monotonic() < end, "the child lives on"
        time.sleep(0.02)


def _lives(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
