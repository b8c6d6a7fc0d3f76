"""What may happen to a run on a cluster: see test_kubeflow.py for the server and the cluster."""

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.drivers import kubeflow
from engine.kubeflow import client as clients
from engine.kubeflow import submission
from tests import kubeflow_bench
from tests.kubeflow_bench import FAILING, Bench, failures, states


@pytest.fixture
def bench(project, tmp_path, monkeypatch) -> Iterator[Bench]:
    with kubeflow_bench.impatient(project, tmp_path, monkeypatch) as made:
        yield made


def _then(first: Callable[..., None], second: Callable[[], object]) -> Callable[..., None]:
    """Return a function that also starts the second one, in a thread."""

    def both(run: dict) -> None:
        first(run)
        threading.Thread(target=second).start()

    return both


pytestmark = pytest.mark.slow


def test_the_log_comes_from_the_report_if_the_server_has_none(bench):
    bench.cluster.keeps_logs = False
    bench.run()
    assert "making 3" in (bench.project.last / "logs" / "make.log").read_text()


def test_only_what_the_store_lacks_runs_on_the_cluster(bench):
    bench.run()
    bench.cluster.ran.clear()
    state = bench.run("params.more=!")
    assert bench.cluster.ran == ["read"]
    assert {name: stage.cached for name, stage in state.stages.items()} == {
        "make": True,
        "read": False,
        "last": True,
    }
    assert (bench.project.last / "artifacts" / "read" / "text").read_text() == "3xxx!"


def test_another_outputs_folder_takes_results_from_the_data_root(bench):
    bench.run()
    other = bench.in_outputs("other")
    assert other.run().status == "finished"
    assert bench.created == 1 and other.project.artifacts() == bench.project.artifacts()


def test_a_forced_stage_and_what_reads_it_run_again_on_the_cluster(bench):
    bench.run()
    bench.cluster.ran.clear()
    assert bench.run("force=[read]").status == "finished"
    assert (bench.cluster.ran, bench.cluster.cached, bench.created) == (["read"], [], 2)


def test_a_failed_stage_keeps_what_finished_and_is_the_only_one_to_run_again(bench, capfd):
    bench.use(FAILING)
    state = bench.run(status=1)
    assert (state.status, states(state)) == (
        "failed",
        {"make": "finished", "fail": "failed", "after": "skipped", "last": "finished"},
    )
    (failed,) = failures(bench.project)
    assert failed["kind"] == "failed" and "seven is not eight" in failed["message"]
    assert "the last words" in failed["log_tail"]
    assert "seven is not eight" in capfd.readouterr().out
    bench.cluster.ran.clear()
    bench.project.stage("fail", kubeflow_bench.FAIL.replace("raise", "out.write_text('7'); 0 and"))
    bench.use(FAILING)
    assert bench.run().status == "finished"
    assert set(bench.cluster.ran) == {"fail", "after"}


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("OOMKilled (exit code 137)", "out_of_memory"),
        ("Pod was active longer than DeadlineExceeded", "timeout"),
        ("ImagePullBackOff", "image_missing"),
    ],
)
def test_the_cause_that_only_the_cluster_knows_is_shown(bench, error, kind):
    bench.use(FAILING)
    bench.cluster.errors["fail"] = error
    bench.run(status=1)
    assert failures(bench.project)[0]["kind"] == kind


def test_the_first_failure_ends_the_run_on_the_cluster_if_fail_fast_is_set(bench):
    bench.use(FAILING)
    bench.cluster.hold("last")
    state = bench.run("fail_fast=true", status=1)
    assert (state.status, states(state)["last"]) == ("failed", "skipped")
    assert bench.api.runs[bench.run_id]["state"] == "CANCELED"


def test_a_run_that_someone_cancels_on_the_cluster_ends_here(bench):
    bench.cluster.hold("last")
    bench.cluster.after["read"] = lambda: bench.api.terminate(bench.run_id)
    state = bench.run(status=130)
    assert (state.status, states(state)["last"]) == ("interrupted", "skipped")
    assert "cancelled on the cluster" in " ".join(state.notes)
    bench.cluster.holds["last"].set()
    assert bench.run().status == "finished"
    assert bench.created == 2


def test_a_run_that_the_server_forgets_ends_here_and_is_submitted_again(bench):
    bench.cluster.hold("last")
    bench.cluster.after["read"] = lambda: bench.api.fail(
        status=404, count=1, path="GET .*/v2beta1/runs/", body="{}"
    )
    state = bench.run(status=1)
    assert state.status == "failed" and "does not know the run" in " ".join(state.notes)
    bench.cluster.holds["last"].set()
    assert bench.run().status == "finished"


@pytest.mark.parametrize("status", [0, 500, 503])
def test_a_server_that_is_ill_for_a_while_is_waited_for(bench, status):
    bench.cluster.after["make"] = lambda: bench.api.fail(status=status, count=4, path="GET .*/runs")
    assert bench.run().status == "finished"
    assert bench.created == 1


def test_a_run_whose_creation_is_not_confirmed_is_followed(bench):
    bench.api.fail(status=500, path="POST .*/runs$", executes=True)
    assert bench.run().status == "finished"
    assert bench.created == 1


def test_a_run_that_could_not_be_created_is_an_error_and_the_same_command_creates_it(
    bench, monkeypatch, capfd
):
    monkeypatch.setattr(submission, "CONFIRM_S", 0.05)
    bench.api.fail(status=503, path="POST .*/runs$")
    bench.run(status=2)
    assert "was not submitted" in capfd.readouterr().err
    assert bench.project.state().status == "failed"
    assert bench.run().status == "finished"
    assert bench.created == 1


def test_of_two_runs_with_one_name_the_younger_is_ended(bench):
    def twice(run):
        bench.api.created = start
        bench.api.add_run({key: run[key] for key in ("display_name", "pipeline_spec",
                                                     "runtime_config")})  # fmt: skip
        start(run)

    start = bench.api.created
    bench.api.created = twice
    assert bench.run().status == "finished"
    first, second = bench.api.runs.values()
    assert {first["state"], second["state"]} == {"SUCCEEDED", "CANCELED"}


def test_an_expired_token_ends_the_run_here_and_a_new_one_continues_it(bench, tmp_path, capfd):
    file = tmp_path / "token"
    file.write_text("canary-old")
    bench.api.token = "canary-old"
    bench.cluster.hold("last")
    bench.cluster.after["read"] = lambda: setattr(bench.api, "token", "canary-new")
    state = bench.run(f"kubeflow.token_file={file}", status=1)
    assert "401" in " ".join(state.notes) and str(file) in " ".join(state.notes)
    file.write_text("canary-new")
    bench.cluster.holds["last"].set()
    assert bench.run(f"kubeflow.token_file={file}").status == "finished"
    assert bench.created == 1
    said = "".join(capfd.readouterr())
    files = [path for path in bench.project.outputs.rglob("*") if path.is_file()]
    assert "canary" not in said
    assert not [path for path in files if b"canary" in path.read_bytes()]


def test_a_sweep_submits_one_run_for_each_job(bench):
    assert kubeflow_bench.command_line(bench.project, *bench.words, "-m", "params.n=1,2") == 0
    assert bench.created == 2
    assert [bench.project.state(one).status for one in bench.project.runs] == ["finished"] * 2


def test_a_damaged_result_is_not_committed(bench):
    root = Path(bench.words[3].partition("=")[2])

    def damage():
        for path in root.glob("results/*/data"):
            path.write_text("other")

    bench.cluster.hold("last")
    bench.cluster.after["make"] = damage
    bench.run(status=1)
    (failed,) = failures(bench.project)
    assert failed["stage"] == "make" and "damaged" in failed["message"]
    bench.cluster.holds["last"].set()
    del bench.cluster.after["make"]
    state = (
        bench.run()
    )  # the damaged result is made again, although the cluster has it in its cache
    assert "cannot be used" in " ".join(state.notes)
    assert bench.cluster.ran.count("make") == 2


def test_a_result_that_is_gone_is_named_with_its_place(bench):
    root = Path(bench.words[3].partition("=")[2])
    bench.cluster.after["read"] = lambda: [
        shutil.rmtree(path.parent) for path in root.glob("results/*/text")
    ]
    bench.run(status=1)
    (failed,) = failures(bench.project)
    assert str(root) in failed["message"] and "force=read" in failed["message"]


RANDOM = """
    import uuid
    from engine.stage import Out
    def random(data: Out) -> None:
        data.write_text(str(uuid.uuid4().int))
"""
UNREPEATABLE = """
    name: cluster
    params: {more: ""}
    stages:
      make: {uses: mystages.random}
      last: {uses: mystages.double, inputs: {number: make.data}}
"""


def test_a_result_that_was_computed_from_another_input_is_not_used(bench):
    """Cache keys know no digests: a stage that is not reproducible must not mix two runs."""
    bench.use(UNREPEATABLE, random=RANDOM)
    other = bench.in_outputs("other")
    bench.run()
    other.run("until=[make]", "force=[make]")
    state = other.run()
    folder = other.project.last / "artifacts"
    made, doubled = (int((folder / one / "data").read_text()) for one in ("make", "last"))
    assert state.stages["make"].cached and doubled == 2 * made
    assert bench.cluster.ran.count("last") == 2


def test_the_run_is_shown_as_any_other(bench, give):
    bench.run()
    assert (bench.project.last / "report.html").is_file()
    assert (bench.project.last.parent / "latest").resolve() == bench.project.last
    assert "finished" in give("status", "usecase=cluster").out


def test_cancel_ends_the_newest_run_on_the_cluster(bench):
    bench.cluster.hold("make")
    before = bench.api.created
    bench.api.created = _then(before, lambda: bench.project.run("cancel", *bench.words))
    assert bench.run(status=130).status == "interrupted"
    bench.api.created = before
    bench.cluster.holds["make"].set()
    assert bench.run().status == "finished"
    assert [one["state"] for one in bench.api.runs.values()] == ["CANCELED", "SUCCEEDED"]


@pytest.fixture
def drivers(monkeypatch) -> list[kubeflow.Kubeflow]:
    """The drivers of all runs in this process."""
    made: list[kubeflow.Kubeflow] = []
    original = kubeflow.driver

    def driver(context):
        made.append(original(context))
        return made[-1]

    monkeypatch.setattr(kubeflow, "driver", driver)
    return made


def test_a_pruned_run_ends_on_the_cluster_and_its_stages_have_not_failed(bench, drivers):
    bench.cluster.hold("last")
    bench.cluster.after["read"] = lambda: drivers[0].prune("it promises little")
    state = bench.run()
    assert state.status == "pruned"
    assert states(state)["last"] == "skipped"
    assert state.stages["last"].because == "it promises little"
    assert bench.api.runs[bench.run_id]["state"] == "CANCELED"


def test_an_interrupt_does_not_wait_for_a_server_that_is_ill(bench, drivers):
    bench.cluster.hold("last")

    def ill() -> None:
        bench.api.fail(count=10**6)
        threading.Timer(0.2, drivers[0].interrupt).start()

    bench.cluster.after["read"] = ill
    state = bench.run(status=130)
    assert state.status == "interrupted" and states(state)["last"] == "skipped"
    bench.api.faults.clear()
    bench.cluster.holds["last"].set()
    assert bench.run().status == "finished"
    assert bench.created == 1


def test_a_server_that_is_ill_for_too_long_ends_the_run_here_and_the_same_command_continues(
    bench, monkeypatch
):
    monkeypatch.setattr(clients.Client, "of", _patient_for(0.2))
    bench.cluster.hold("last")
    bench.cluster.after["read"] = lambda: bench.api.fail(count=10**6)
    state = bench.run(status=1)
    assert state.status == "failed" and "the same command continues" in " ".join(state.notes)
    bench.api.faults.clear()
    bench.cluster.holds["last"].set()
    assert bench.run().status == "finished"
    assert bench.created == 1 and bench.cluster.ran.count("make") == 1


def _patient_for(seconds: float) -> Callable[..., clients.Client]:
    """Return `Client.of` with a shorter time for retries."""
    original = clients.Client.of

    def of(settings, host=None, retry_for_s=0.0):
        return original(settings, host, seconds)

    return of
