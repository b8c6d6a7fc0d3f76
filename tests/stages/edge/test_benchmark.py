"""The cost of a model on the machine that it runs on."""

import json
import platform
import shutil

import numpy as np
import pytest

from stages.tflite import part
from tests.tflite_models import G, Op, T, write


@pytest.fixture(scope="module")
def measured(do, quantised, blobs):
    """A short benchmark of the trained network."""
    done = do(
        "stages.edge.benchmark",
        {"test": blobs / "test", "models": quantised.out / "models"},
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
    assert (
        measured.metrics["model_size_bytes"]
        == (quantised.out / "models/model/int8.tflite").stat().st_size
    )


def test_the_memory_is_that_of_a_process_without_tensorflow(measured):
    assert 5 < measured.metrics["peak_memory_mb"] < 200


def test_the_report_says_how_and_where_it_was_measured(measured):
    report = json.loads((measured.out / "report").read_text())
    assert (
        report["measured_on"],
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
    assert note.startswith("latency measured with LiteRT ") and note.endswith(
        f" on the CPU (2 threads; {platform.machine()})"
    )


def test_a_latency_that_was_emulated_says_so_where_it_stands(do, quantised, blobs):
    done = do(
        "stages.edge.benchmark",
        {"test": blobs / "test", "models": quantised.out / "models"},
        measured_on="emulated (qemu)",
        repeats=5,
    )
    assert json.loads((done.out / "report").read_text())["measured_on"] == "emulated (qemu)"
    assert next(event["text"] for event in done.said if event["event"] == "note").endswith(
        "; emulated (qemu))"
    )


def test_without_an_edge_tpu_the_figures_are_the_cpus_and_the_run_is_told(do, quantised, blobs):
    models = quantised.out / "models"
    done = do(
        "stages.edge.benchmark",
        {"test": blobs / "test", "models": models, "compiled": models},
        accelerator="edgetpu",
        repeats=5,
    )
    assert (done.status, done.metrics["on_accelerator"]) == (0, 0)
    assert next(event["text"] for event in done.said if event["event"] == "note").startswith(
        "running the model on the CPU, because no Edge TPU is usable; "
    )


def test_the_last_progress_is_the_end(measured):
    *_, last = [event for event in measured.said if event["event"] == "progress"]
    assert (last["done"], last["total"]) == (40, 40)


def test_the_report_has_the_number_of_measured_inferences(measured):
    assert json.loads((measured.out / "report").read_text())["inferences"] == 40


@pytest.fixture(scope="module")
def hurried(do, quantised, blobs):
    """A benchmark whose time is over at once."""
    given = {"test": blobs / "test", "models": quantised.out / "models"}
    return do("stages.edge.benchmark", given, repeats=40, seconds=1e-6)


def test_a_measurement_whose_time_is_over_ends_with_the_least_number_of_inferences(hurried):
    assert json.loads((hurried.out / "report").read_text())["inferences"] == 20


def test_an_early_end_is_noted(hurried):
    said = [event["text"] for event in hurried.said if event["event"] == "note"]
    assert said[-1] == (
        "stopped after 20 of 40 inferences, since the time limit of 1e-06 s was reached; to measure "
        "more, raise the stage's parameter 'seconds'"
    )


def test_fewer_wanted_inferences_than_the_least_number_are_no_early_end(do, quantised, blobs):
    given = {"test": blobs / "test", "models": quantised.out / "models"}
    done = do("stages.edge.benchmark", given, repeats=3, seconds=1e-6)
    assert json.loads((done.out / "report").read_text())["inferences"] == 3
    assert not [event for event in done.said if "parameter 'seconds'" in event.get("text", "")]


def test_an_empty_test_part_is_refused(do, quantised, tmp_path):
    part.write(tmp_path / "test", {"features": np.zeros((0, 8), np.float32)})
    done = do(
        "stages.edge.benchmark", {"test": tmp_path / "test", "models": quantised.out / "models"}
    )
    assert (done.status, done.error) == (1, "test has no examples")


def test_every_role_is_measured_and_only_its_own_needs_examples(do, quantised, blobs, tmp_path):
    models = shutil.copytree(quantised.out / "models", tmp_path / "models")
    tensors = [T((1, 2), "FLOAT32", name=name) for name in ("a", "b", "total")]
    total = G(tensors, [Op("ADD", (0, 1), (2,), options=("AddOptions", {}))], (0, 1))
    (models / "adder").mkdir()
    write(models / "adder" / "float.tflite", total)
    done = do("stages.edge.benchmark", {"test": blobs / "test", "models": models}, repeats=5)
    rows = json.loads((done.out / "report").read_text())["models"]
    assert (done.status, list(rows)) == (0, ["model", "adder"])
    medians = [row["latency_median_ms"] for row in rows.values()]
    assert done.metrics["latency_median_ms"] == medians[0]
    assert done.metrics["latency_sum_ms"] == pytest.approx(sum(medians))
    said = [event["text"] for event in done.said if event["event"] == "note"]
    assert [text.split(":")[0] for text in said] == ["model", "adder"]


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"role": "pose"}, "there is no model 'pose': the roles are model"),
        ({"repeats": 0}, "repeats is 0: measure at least one inference"),
    ],
    ids=["role", "repeats"],
)
def test_what_cannot_be_measured_is_refused(do, quantised, blobs, params, said):
    done = do(
        "stages.edge.benchmark",
        {"test": blobs / "test", "models": quantised.out / "models"},
        **params,
    )
    assert (done.status, done.error) == (1, said)
