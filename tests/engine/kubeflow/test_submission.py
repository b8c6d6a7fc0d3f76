"""Submissions: recorded before and after, found again, and never made twice."""

import json
from dataclasses import replace

import pytest

from engine.kubeflow import client as clients
from engine.kubeflow import submission
from engine.kubeflow.client import Client, Unreachable
from engine.kubeflow.submission import Order, Submission, Submissions, Submitter
from engine.locks import Locks
from tests.kubeflow_api import KubeflowApi

KNOWN = Submission(
    key="k" * 64, number=1, name="u-pi-kkkkkkkkkkkk-1", host="h", namespace=None, stages=("a", "b")
)


@pytest.fixture
def api(monkeypatch):
    monkeypatch.setattr(clients, "FIRST_DELAY_S", 0.01)
    monkeypatch.setattr(submission, "CONFIRM_S", 0.05)
    monkeypatch.delenv("KUBEFLOW_TOKEN", raising=False)
    with KubeflowApi() as server:
        yield server


@pytest.fixture
def records(tmp_path):
    return Submissions(tmp_path / "submissions")


@pytest.fixture
def submitter(api, records, tmp_path):
    return Submitter(Client(api.url, timeout_s=5, retry_for_s=0.2), records, Locks(tmp_path))


def _order(*stages: str, follower: str = "r1") -> Order:
    def body(name: str) -> dict:
        return submission.body(name, {"pipelineInfo": {}}, "e", None, "a note")

    return Order(
        key=KNOWN.key, label="u-pi", stages=stages or ("a", "b"), follower=follower, body=body
    )


def test_a_record_is_read_as_it_was_written(records):
    assert records.read(KNOWN.key) is None
    records.write(replace(KNOWN, followers=("r1",), run_id="x"))
    assert records.read(KNOWN.key) == replace(KNOWN, followers=("r1",), run_id="x")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"v": 2}', '{"v": 1, "stages": []}'])
def test_a_damaged_record_is_no_record(records, text):
    records.write(KNOWN)
    (records.folder / f"{KNOWN.key}.json").write_text(text)
    assert records.read(KNOWN.key) is None and records.newest_first() == []


def test_a_new_plan_is_submitted_and_recorded(submitter, api, records):
    found, is_new = submitter.submit(_order())
    (run,) = api.runs.values()
    assert (is_new, found.run_id, found.name) == (True, run["run_id"], KNOWN.name)
    assert records.read(KNOWN.key) == found


def test_the_same_plan_is_followed_while_its_run_has_not_ended(submitter, api):
    first, _ = submitter.submit(_order())
    again, is_new = submitter.submit(_order(follower="r2"))
    assert (is_new, again.run_id, len(api.runs)) == (False, first.run_id, 1)
    assert again.followers == ("r1", "r2")


def test_a_run_that_ended_meanwhile_is_followed_once_more(submitter, api):
    """Its results, or its failure, have not been seen here."""
    first, _ = submitter.submit(_order())
    api.set_run(first.run_id, "FAILED")
    assert submitter.submit(_order())[0].run_id == first.run_id


def test_after_a_run_that_was_concluded_the_next_has_the_next_number(submitter, api):
    first, _ = submitter.submit(_order())
    api.set_run(first.run_id, "FAILED")
    submitter.close(first)
    second, is_new = submitter.submit(_order("b"))
    assert (is_new, second.number, second.stages, len(api.runs)) == (True, 2, ("b",), 2)


def test_a_run_whose_id_was_not_recorded_is_found_by_its_name(submitter, api, records):
    run = api.add_run({"display_name": KNOWN.name, "pipeline_spec": {}})
    records.write(KNOWN)
    found, is_new = submitter.submit(_order())
    assert (is_new, found.run_id, len(api.runs)) == (False, run["run_id"], 1)


def test_a_recorded_intention_without_a_run_is_carried_out(submitter, api, records):
    records.write(KNOWN)
    found, is_new = submitter.submit(_order())
    assert (is_new, found.number, len(api.runs)) == (True, 1, 1)


def test_a_run_that_the_server_forgot_is_replaced(submitter, api):
    first, _ = submitter.submit(_order())
    api.runs.clear()
    second, is_new = submitter.submit(_order())
    assert is_new and second.run_id != first.run_id


def test_a_run_without_the_stages_that_are_left_is_not_followed(submitter, api, records):
    submitter.submit(_order("a"))
    _, is_new = submitter.submit(_order("b"))
    assert (is_new, len(api.runs)) == (True, 2)


def test_a_run_of_another_outputs_folder_is_joined_while_it_goes_on(submitter, api):
    run = api.add_run({"display_name": KNOWN.name, "pipeline_spec": {}})
    found, is_new = submitter.submit(_order())
    assert (is_new, found.run_id) == (False, run["run_id"])


def test_names_of_ended_runs_of_another_folder_are_not_used_again(submitter, api):
    run = api.add_run({"display_name": KNOWN.name, "pipeline_spec": {}})
    api.set_run(run["run_id"], "FAILED")
    assert submitter.submit(_order())[0].number == 2


def test_an_unconfirmed_creation_is_looked_for_before_it_is_an_error(submitter, api, records):
    api.fail(path="POST .*/runs$")
    with pytest.raises(Unreachable, match="was not submitted"):
        submitter.submit(_order())
    assert (records.read(KNOWN.key).run_id, len(api.runs)) == (None, 0)
    assert submitter.submit(_order())[1] and len(api.runs) == 1


def test_the_body_is_what_the_generated_client_sends():
    import kfp_server_api as kfp

    made = submission.body("n", {"pipeline_spec": {}}, "e", "s3://bucket/p", "a note")
    run = kfp.V2beta1Run(
        display_name="n",
        description="a note",
        experiment_id="e",
        pipeline_spec={"pipeline_spec": {}},
        runtime_config=kfp.V2beta1RuntimeConfig(pipeline_root="s3://bucket/p"),
    )
    assert json.loads(json.dumps(kfp.ApiClient().sanitize_for_serialization(run))) == made
