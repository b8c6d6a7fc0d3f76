"""What a model costs on the machine that it runs on."""

import json
import platform

import numpy as np
import pytest


@pytest.fixture(scope="module")
def measured(do, quantised, blobs):
    """A short benchmark of the trained network."""
    done = do(
        "stages.edge.benchmark",
        {"dataset": blobs, "int8_model": quantised.out / "int8_model"},
        repeats=40,
        threads=2,
    )
    assert done.status == 0, done.log
    return done


def test_half_of_all_inferences_are_faster_than_the_median_and_most_than_the_95th_percentile(
    measured,
):
    assert 0 < measured.metrics["latency_median_ms"] <= measured.metrics["latency_p95_ms"] < 1000


def test_throughput_is_of_the_mean(measured):
    assert 1000 / measured.metrics["throughput_per_s"] >= measured.metrics["latency_median_ms"] / 2


def test_the_size_is_the_files(measured, quantised):
    assert measured.metrics["model_size_bytes"] == (quantised.out / "int8_model").stat().st_size


def test_the_memory_is_that_of_a_process_without_tensorflow(measured):
    assert 5 < measured.metrics["peak_memory_mb"] < 200


def test_the_report_says_how_and_where_it_was_measured(measured):
    report = json.loads((measured.out / "report").read_text())
    assert (
        report["taken"],
        report["threads"],
        report["accelerator"],
        report["runtime"].split()[0],
    ) == (
        platform.machine(),
        2,
        "cpu",
        "LiteRT",
    )
    assert {name: report[name] for name in measured.metrics} == measured.metrics


def test_the_run_is_told_how_and_where_it_was_measured(measured):
    [note] = [event["text"] for event in measured.said if event["event"] == "note"]
    assert note.startswith("measured with LiteRT ") and note.endswith(
        f" on the CPU, 2 threads: {platform.machine()}"
    )


def test_a_latency_that_was_emulated_says_so_where_it_stands(do, quantised, blobs):
    done = do(
        "stages.edge.benchmark",
        {"dataset": blobs, "int8_model": quantised.out / "int8_model"},
        taken="emulated (qemu)",
        repeats=5,
    )
    assert json.loads((done.out / "report").read_text())["taken"] == "emulated (qemu)"
    assert next(event["text"] for event in done.said if event["event"] == "note").endswith(
        ": emulated (qemu)"
    )


def test_without_an_edge_tpu_the_figures_are_the_cpus_and_the_run_is_told(do, quantised, blobs):
    model = quantised.out / "int8_model"
    done = do(
        "stages.edge.benchmark",
        {"dataset": blobs, "int8_model": model, "compiled_model": model},
        accelerator="edgetpu",
        repeats=5,
    )
    assert (done.status, done.metrics["on_edgetpu"]) == (0, 0)
    assert next(event["text"] for event in done.said if event["event"] == "note").startswith(
        "no Edge TPU is used (looked for "
    )


def test_the_last_progress_is_the_end(measured):
    assert [event["done"] for event in measured.said if event["event"] == "progress"][
        -1
    ] == 50  # ten to warm up


def test_an_empty_test_part_is_refused(do, quantised, tmp_path):
    np.save(tmp_path / "x_test.npy", np.zeros((0, 8), np.float32))
    done = do(
        "stages.edge.benchmark", {"dataset": tmp_path, "int8_model": quantised.out / "int8_model"}
    )
    assert (done.status, done.error) == (1, "the test part is empty")
