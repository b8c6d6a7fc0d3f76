"""The driver `kubeflow`: runs of the whole command line against a server that speaks KFP's API, and a
cluster that runs the submitted pipelines as processes of this machine. More: test_kubeflow_runs.py.
"""

from collections.abc import Iterator

import pytest

from tests import kubeflow_bench
from tests.conftest import Project
from tests.kubeflow_bench import FAILING, GATED, Bench, failures, states


@pytest.fixture
def bench(project, tmp_path, monkeypatch) -> Iterator[Bench]:
    with kubeflow_bench.impatient(project, tmp_path, monkeypatch) as made:
        yield made


def test_a_run_on_a_cluster_gives_what_a_run_here_gives(bench):
    state = bench.run()
    assert (state.status, set(bench.cluster.ran)) == ("finished", {"make", "read", "last"})
    here = bench.project.beside("here")
    here.run("usecase=cluster", "executor=local")
    assert bench.project.artifacts() == here.artifacts()
    assert state.metrics == here.state().metrics


def test_curves_notes_and_logs_come_with_the_results(bench):
    made = bench.run().stages["make"]
    points = [("loss", step, 1.0 / (1 + step)) for step in range(3)]
    assert [point[:3] for point in made.points] == points
    assert made.notes == ["three steps"]
    assert "making 3" in (bench.project.last / "logs" / "make.log").read_text()
    assert made.measured_on == "x86_64"


def test_a_second_run_has_nothing_to_do_and_asks_no_server(bench):
    bench.run()
    asked = len(bench.api.requests)
    state = bench.run()
    assert all(stage.cached for stage in state.stages.values())
    assert len(bench.api.requests) == asked


def test_a_failed_stage_is_tried_again_by_the_same_command(bench):
    bench.use(FAILING)
    bench.run(status=1)
    bench.run(status=1)
    assert bench.created == 2 and bench.cluster.ran.count("fail") == 2
    assert bench.cluster.ran.count("make") == 1


def test_a_gate_rejects_the_run_here_and_on_the_cluster(bench):
    bench.use(GATED)
    state = bench.run(status=1)
    assert (state.status, states(state)) == ("rejected", {"make": "rejected", "last": "skipped"})
    Project.until(lambda: bench.api.runs[bench.run_id]["state"] == "FAILED")
    assert "last" not in bench.cluster.ran
    bench.use(GATED.replace("0.5", "0.05"))
    assert bench.run().status == "finished"
    assert sorted(bench.cluster.ran) == ["last", "make", "make-gate"]


def test_a_lost_pod_is_shown_with_the_attempt_that_replaces_it(bench):
    bench.cluster.lost["make"] = ["Evicted: the node was low on memory"]
    state = bench.run()
    (lost,) = failures(bench.project)
    assert (lost["attempt"], lost["retry_in_s"]) == (1, 0.0) and "Evicted" in lost["message"]
    assert (state.stages["make"].state, state.stages["make"].attempt) == ("finished", 2)


def test_a_wrong_host_is_refused_before_anything_starts(bench, capfd):
    status = bench.project.run(*bench.words, f"kubeflow.host={bench.api.url}/none").returncode
    assert status == 2 and bench.project.runs == []
