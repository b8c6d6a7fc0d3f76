"""The compiler's log in its forms: all operators mapped, some not, wrapped statuses, and failures."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.edgetpu._compiler_log import MAPPED, STATUSES, Row, failure, parse, table

# The format of compiler 16's logs, as in google-coral/edgetpu#427 and #671.
HEAD = """Edge TPU Compiler version 16.0.384591198
Started a compilation timeout timer of 180 seconds.

Model compiled successfully in 1524 ms.

Input model: m.tflite
Input size: 4.24MiB
Output model: m_edgetpu.tflite
Output size: 5.57MiB
On-chip memory used for caching model parameters: 4.21MiB
On-chip memory remaining for caching model parameters: 41.75KiB
Off-chip memory used for streaming uncached model parameters: 1.02GiB
Number of Edge TPU subgraphs: 1
Total number of operations: 10
Operation log: m_edgetpu.log
"""
PARTLY = """
Model successfully compiled but not all operations are supported by the Edge TPU. A percentage of the model will instead run on the CPU.
Number of operations that will run on Edge TPU: 7
Number of operations that will run on CPU: 3
"""
TABLE = """
Operator                       Count      Status

ADD                            5          Mapped to Edge TPU
ADD                            1          More than one subgraph is not supported
CONV_2D                        2          Mapped to Edge TPU
DEQUANTIZE                     2          Operation is working on an unsupported data type
"""
ROWS = (
    Row("ADD", 5, MAPPED),
    Row("ADD", 1, "More than one subgraph is not supported"),
    Row("CONV_2D", 2, MAPPED),
    Row("DEQUANTIZE", 2, "Operation is working on an unsupported data type"),
)
BEGUN = "Edge TPU Compiler version 16.0.384591198\nStarted a compilation timeout timer of 180 seconds.\n"
ENDED = "Compilation child process completed within timeout period.\nCompilation failed! \n"
TAIL = "Compilation child process completed within timeout period.\nCompilation succeeded! \n"


def test_the_counts_are_those_that_the_log_says():
    found = parse(HEAD + PARTLY + TABLE + TAIL)
    assert (found.version, found.operations, found.on_edgetpu, found.on_cpu, found.subgraphs) == (
        "16.0.384591198",
        10,
        7,
        3,
        1,
    )


def test_bytes_are_read_in_each_unit():
    found = parse(HEAD)
    assert (found.on_chip_bytes, found.on_chip_remaining_bytes, found.off_chip_bytes) == (
        4414505,
        42752,
        1095216660,
    )
    assert parse("On-chip memory used for caching model parameters: 12.00B").on_chip_bytes == 12
    assert (
        parse("Off-chip memory used for streaming uncached model parameters: 0.00 B").off_chip_bytes
        == 0
    )


def test_an_operator_stands_in_the_table_once_for_each_status():
    assert table(HEAD + PARTLY + TABLE + TAIL) == ROWS


def test_a_log_without_the_lines_of_counts_is_of_a_model_that_is_mapped_whole():
    found = parse(
        HEAD
        + "\nOperator                       Count      Status\n\nADD       10       Mapped to Edge TPU\n"
        + TAIL
    )
    assert (found.on_edgetpu, found.on_cpu) == (10, 0)


def test_a_log_without_lines_and_table_is_of_a_model_that_is_mapped_whole():
    assert (parse(HEAD + TAIL).on_edgetpu, parse(HEAD + TAIL).on_cpu) == (10, 0)


def test_the_counts_follow_from_the_table_where_the_lines_are_missing():
    assert (parse(HEAD + TABLE).on_edgetpu, parse(HEAD + TABLE).on_cpu) == (7, 3)


def test_the_log_of_a_model_that_is_not_mapped_at_all():
    text = HEAD + TABLE.replace(MAPPED, "Operation version not supported")
    assert (parse(text).on_edgetpu, parse(text).on_cpu) == (0, 10)


@pytest.mark.parametrize("width", [30, 40, 41, 42, 43, 44, 45, 60, 80])
@pytest.mark.parametrize("status", STATUSES)
def test_a_status_that_is_wrapped_anywhere_is_read_whole(status, width):
    row = f"RESHAPE                        1          {status}"
    wrapped = [row[at : at + width] for at in range(0, len(row), width)]
    rest = wrapped[1:] if len(wrapped[0]) > 42 else ["".join(wrapped[1:])]
    first = wrapped[0] if len(wrapped[0]) > 42 else row[:width] + rest.pop(0)
    text = (
        "Operator                       Count      Status\n\n"
        + "\n".join([first, *rest])
        + "\nADD       4       Mapped to Edge TPU\n"
        + TAIL
    )
    assert table(text) == (Row("RESHAPE", 1, status), Row("ADD", 4, MAPPED))


def test_a_status_that_is_new_is_kept_in_its_words():
    text = (
        "Operator                       Count      Status\n\nADD       1       Operation is tired\n "
        "         of adding\n"
    )
    assert table(text) == (Row("ADD", 1, "Operation is tired of adding"),)


@pytest.mark.mirror
@pytest.mark.skipif(
    "RPI_MLOPS_MIRROR" not in os.environ, reason="RPI_MLOPS_MIRROR names no folder with real models"
)
def test_a_log_of_the_real_compiler_is_read():
    path = Path(os.environ["RPI_MLOPS_MIRROR"]) / "models" / "blazeface_front_128_int8_edgetpu.log"
    found = parse(path.read_text())
    assert (found.version, found.operations, found.on_edgetpu, found.on_cpu, len(found.rows)) == (
        "15.0.340273435",
        78,
        75,
        3,
        10,
    )


@given(st.text(max_size=300), st.integers(0, 900))
def test_a_log_that_is_cut_off_or_torn_is_read_as_far_as_it_goes(noise, at):
    text = HEAD + PARTLY + TABLE + TAIL
    found = parse(text[:at] + noise + text[at:][:100])
    assert found.operations >= 0 and all(row.count >= 0 for row in found.rows)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "Invalid model: m.tflite\nModel not quantized",
            "the model is not quantised, but the Edge TPU needs 8-bit models",
        ),
        (
            "Invalid model: m.tflite\nModel could not be parsed",
            "the compiler cannot read the model: the file is damaged",
        ),
        (
            "ERROR: Didn't find op for builtin opcode 'QUANTIZE' version '3'. An older version of this "
            "builtin might be supported.\n"
            "ERROR: Registration failed.\nInvalid model: m.tflite\nModel could not be parsed",
            "QUANTIZE has version 3, but the Edge TPU's compiler 16 reads QUANTIZE up to version 2: "
            "use no 16-bit tensors in the model",
        ),
        (
            "ERROR: Didn't find op for builtin opcode 'GELU' version '2'.",
            "GELU has version 2, but the Edge TPU's compiler 16 does not know GELU",
        ),
        (
            "ERROR: Attempting to use a delegate that only supports static-sized tensors with a graph "
            "that has dynamic-sized tensors.",
            "the model has tensors of dynamic size: give the network a batch of 1",
        ),
        (
            "Compilation failed: Compilation failed due to large activation tensors in model.",
            "an activation of the model is too large",
        ),
        (
            "Internal compiler error. Aborting! ",
            "the compiler gave up with 'Internal compiler error'",
        ),
        (
            "Compilation failed: it is Monday.\nCompilation failed! ",
            "the compiler ended with exit status 1 and reported: it is Monday.",
        ),
        # google-coral/edgetpu#686, #728, #800; jiri-kula/EfficientDet for the custom operator
        (
            BEGUN
            + "Compilation timeout. This is usually caused by large activations.\nCompilation failed! ",
            "the compiler gave up after its time limit",
        ),
        (
            BEGUN
            + "libc++abi: terminating with uncaught exception of type std::out_of_range: vector\n"
            + ENDED,
            "the compiler ended with exit status 1 and reported: libc++abi: terminating with uncaught "
            "exception of type std::out_of_range: vector",
        ),
        (BEGUN + ENDED, "the compiler ended with exit status 1 without a reason"),
        (
            BEGUN
            + "ERROR: Encountered unresolved custom op: Atan.\nERROR: Node number 1 (Atan) failed to "
            "prepare.\n\n"
            "Compilation failed: Model failed in Tflite interpreter. Please ensure model can be "
            "loaded/run in Tflite interpreter.\n" + ENDED,
            "the compiler does not know the custom operator Atan",
        ),
        ("", "the compiler ended with exit status 1 without a reason"),
    ],
    ids=[
        "not quantised",
        "not parsed",
        "newer operator",
        "unknown operator",
        "dynamic",
        "large",
        "internal",
        "other",
        "its own time",
        "exception",
        "no reason",
        "custom operator",
        "silent",
    ],
)
def test_each_failure_is_a_sentence_that_says_what_to_do(text, said):
    assert failure(text, 1).startswith(said)
