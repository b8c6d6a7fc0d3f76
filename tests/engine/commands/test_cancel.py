"""`cancel`: ends a run on the cluster. Runs that are followed meanwhile: drivers/test_kubeflow.py."""

from dataclasses import replace

import pytest

from engine.commands import cancel
from engine.kubeflow import client as clients
from engine.kubeflow import submission
from engine.kubeflow.submission import Submission, Submissions
from tests import services
from tests.kubeflow_api import KubeflowApi


@pytest.fixture
def api(monkeypatch):
    monkeypatch.delenv("KUBEFLOW_TOKEN", raising=False)
    with KubeflowApi() as server:
        yield server


@pytest.fixture
def submitted(project, api):
    """Record a submission to the server, whose run goes on."""
    run = api.add_run({"display_name": "chain-1", "pipeline_spec": {}})
    return Submissions(project.store.root / submission.FOLDER).write(
        Submission(
            key="k",
            number=1,
            name="chain-1",
            host=api.url,
            namespace=None,
            stages=("a",),
            run_id=run["run_id"],
        )
    )


def test_the_newest_run_is_ended_and_recorded_as_ended(submitted, api, give, project):
    said = give("cancel")
    assert (said.status, said.lines) == (0, [f"chain-1: cancelled on {api.url}"])
    assert api.runs[submitted.run_id]["state"] == "CANCELED"
    records = Submissions(project.store.root / submission.FOLDER)
    assert [one.has_ended for one in records.newest_first()] == [True]


def test_a_run_that_has_ended_is_not_ended_again(submitted, api, give):
    api.set_run(submitted.run_id, "SUCCEEDED")
    assert give("cancel").lines == ["chain-1 has already ended: done"]
    assert api.count("terminate") == 0


def test_a_run_whose_id_was_not_recorded_is_found_by_its_name(submitted, api, give, project):
    records = Submissions(project.store.root / submission.FOLDER)
    records.write(replace(submitted, run_id=None))
    assert give("cancel").status == 0
    assert api.runs[submitted.run_id]["state"] == "CANCELED"


def test_a_run_that_the_server_does_not_know_is_named(submitted, api, give):
    api.runs.clear()
    assert give("cancel").lines == [f"chain-1: {api.url} has no such run"]


def test_a_server_that_does_not_answer_is_named(project, give, monkeypatch):
    monkeypatch.setattr(clients, "FIRST_DELAY_S", 0.01)
    host = f"http://127.0.0.1:{services.free_port()}"
    Submissions(project.store.root / submission.FOLDER).write(
        Submission(key="k", number=1, name="n-1", host=host, namespace=None, stages=(), run_id="r")
    )
    monkeypatch.setattr(cancel, "RETRY_FOR_S", 0.05)
    said = give("cancel", "kubeflow.timeout_s=1")
    assert said.status == 2 and host in said.err and "refused" in said.err


def test_without_a_run_on_a_cluster_there_is_nothing_to_cancel(project, give):
    said = give("cancel")
    assert said.status == 2 and "no run of this outputs folder goes on" in said.err


def test_a_run_that_was_not_on_a_cluster_is_refused(ran, give):
    said = give("cancel", "chain")
    assert said.status == 2 and "did not run on a cluster" in said.err
