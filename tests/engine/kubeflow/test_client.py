"""The client of the KFP API, against a server on loopback."""

import os
import threading

import pytest

from engine.errors import UserError
from engine.kubeflow import client as clients
from engine.kubeflow.client import TOKEN_MOST_BYTES, Client, NotFound, Unreachable
from engine.settings import Kubeflow
from tests import services
from tests.kubeflow_api import KubeflowApi

HTML = "<!doctype html><title>Sign in</title>"


@pytest.fixture
def api(monkeypatch):
    monkeypatch.setattr(clients, "FIRST_DELAY_S", 0.01)
    monkeypatch.delenv("KUBEFLOW_TOKEN", raising=False)
    with KubeflowApi() as server:
        yield server


@pytest.fixture
def client(api):
    return Client(api.url, timeout_s=5, retry_for_s=5)


def _refused(client: Client) -> UserError:
    with pytest.raises(UserError) as caught:
        client.check()
    return caught.value


def _run(client: Client, name: str = "u-1") -> dict:
    spec = {"pipelineInfo": {"name": "u"}}
    return client.create_run({"display_name": name, "pipeline_spec": spec})


def test_a_kfp_server_passes_the_check(client):
    client.check()


def test_a_created_run_is_found_by_its_id_and_its_name(client):
    run_id = _run(client)["run_id"]
    _run(client, "u-2")
    assert client.run(run_id)["display_name"] == "u-1"
    assert [one["run_id"] for one in client.runs_named("u-1")] == [run_id]


def test_runs_with_one_name_come_from_all_pages(api, client):
    api.page_size_most = 2
    made = [_run(client)["run_id"] for _ in range(5)]
    assert [one["run_id"] for one in client.runs_named("u-1")] == made


def test_a_list_without_an_end_is_given_up(api, client, monkeypatch):
    monkeypatch.setattr(clients, "PAGES_MOST", 3)
    _run(client)
    api.next_page = "0"
    error = _refused(client)
    assert error.what == "its list of runs does not end after 3 pages"
    assert api.count("GET .*/runs") == 3


def test_an_experiment_is_created_once(api, client):
    assert client.experiment("edge") == client.experiment("edge")
    assert len(api.experiments) == 1


def test_an_experiment_whose_creation_is_not_confirmed_is_not_created_twice(api, client):
    api.fail(path="POST .*/experiments", executes=True)
    assert client.experiment("edge") in api.experiments
    assert len(api.experiments) == 1


@pytest.mark.parametrize("status", [0, 429, 500, 503])
def test_a_read_is_repeated_until_the_server_is_well(api, client, status):
    run_id = _run(client)["run_id"]
    api.fail(status=status, count=3, path="GET")
    assert client.run(run_id)["run_id"] == run_id


def test_a_creation_is_never_repeated_blindly(api, client):
    api.fail(path="POST .*/runs", executes=True)
    with pytest.raises(Unreachable, match="503: try again later"):
        _run(client)
    assert len(api.runs) == 1


def test_retries_end(api):
    api.fail(count=10**6)
    with pytest.raises(Unreachable, match="503"):
        Client(api.url, timeout_s=1, retry_for_s=0.05).run("any")


def test_a_server_that_does_not_finish_an_answer_is_given_up(api):
    api.delay_s = 0.4
    with pytest.raises(Unreachable, match="does not"):
        Client(api.url, timeout_s=0.1, retry_for_s=0).run("any")


def test_an_unknown_run_is_not_found(client):
    with pytest.raises(NotFound):
        client.run("gone")


def test_terminating_ends_a_run_and_is_no_error_if_it_has_ended_or_is_forgotten(api, client):
    run_id = _run(client)["run_id"]
    for _ in range(2):
        client.terminate(run_id)
    client.terminate("gone")
    assert client.run(run_id)["state"] == "CANCELED"


def test_the_log_of_a_pod_is_read_and_a_missing_one_is_none(api, client):
    run_id = _run(client)["run_id"]
    api.set_task(run_id, "train", "RUNNING")
    api.set_log(run_id, "train", "epoch 1\n")
    pod = api.tasks[run_id]["train"].pod
    assert (client.log(run_id, pod), client.log(run_id, "gone")) == ("epoch 1\n", None)


def test_the_token_of_the_environment_is_sent(api, client, monkeypatch):
    monkeypatch.setenv("KUBEFLOW_TOKEN", "secret-1")
    api.token = "secret-1"
    client.check()
    assert set(api.tokens_seen) == {"secret-1"}


def test_a_renewed_token_file_is_read_again(api, tmp_path):
    file = tmp_path / "token"
    file.write_text("old\n")
    api.token = "old"
    client = Client(api.url, token_file=str(file), timeout_s=5, retry_for_s=1)
    client.check()
    api.token = "new"
    api.delay_s = 0.1  # the file is renewed while the request is refused
    threading.Timer(0.05, file.write_text, ["new"]).start()
    client.check()
    assert api.tokens_seen[-1] == "new"


def test_an_expired_token_is_named_with_its_source_and_without_its_value(api, tmp_path):
    file = tmp_path / "token"
    file.write_text("expired-secret")
    api.token = "new"
    error = _refused(Client(api.url, token_file=str(file), timeout_s=5))
    assert "401" in error.what and str(file) in error.fix
    assert "expired-secret" not in str(error)
    assert "KUBEFLOW_TOKEN" in _refused(Client(api.url, timeout_s=5)).fix


@pytest.mark.parametrize("text", ["two words", "a\nb", "e\x01"])
def test_a_file_that_contains_more_than_a_token_is_refused(api, tmp_path, text):
    file = tmp_path / "token"
    file.write_text(text)
    error = _refused(Client(api.url, token_file=str(file)))
    assert "more than a token" in error.what and text not in str(error)


@pytest.mark.parametrize("path", ["/dev/zero", "fifo", "long", "folder"])
def test_what_is_no_file_with_a_token_is_refused_at_once(tmp_path, path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "long").write_text("x" * (TOKEN_MOST_BYTES + 1))
    (tmp_path / "folder").mkdir()
    error = _refused(Client("http://127.0.0.1:1", token_file=str(tmp_path / path)))
    assert "cannot be read" in error.what and "None" not in error.what


def test_a_token_file_may_be_a_link(api, tmp_path):
    """As in a volume that Kubernetes mounts."""
    (tmp_path / "data").write_text("secret-1")
    (tmp_path / "token").symlink_to("data")
    Client(api.url, token_file=str(tmp_path / "token"), timeout_s=5).check()
    assert {*api.tokens_seen} == {"secret-1"}


def test_the_page_of_a_proxy_is_not_shown(api, client):
    api.fail(status=431, body=HTML)
    assert _refused(client).what == "it refuses the request: 431: an HTML page"


def test_a_missing_token_file_is_refused(api, tmp_path):
    error = _refused(Client(api.url, token_file=str(tmp_path / "none")))
    assert "cannot be read" in error.what


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_token_file_is_refused(api, tmp_path, text):
    file = tmp_path / "token"
    file.write_text(text)
    error = _refused(Client(api.url, token_file=str(file)))
    assert error.where == f"kubeflow.token_file={file}"
    assert (error.what, "kubeflow.token_file=null" in error.fix) == ("it is empty", True)
    assert api.requests == []


def test_a_token_file_may_be_empty_while_it_is_written(api, tmp_path):
    file = tmp_path / "token"
    file.write_text("")
    threading.Timer(clients.NOTICE_S / 2, file.write_text, ["secret-1"]).start()
    Client(api.url, token_file=str(file), timeout_s=5).check()
    assert {*api.tokens_seen} == {"secret-1"}


def test_a_login_page_is_no_kfp_api(api, client):
    api.fail(status=200, body=HTML, headers=(("Content-Type", "text/html"),))
    assert "does not answer" in _refused(client).what


def test_a_redirect_to_a_login_is_not_followed(api, client, monkeypatch):
    monkeypatch.setenv("KUBEFLOW_TOKEN", "secret-1")
    with KubeflowApi() as other:
        api.fail(status=302, body="", headers=(("Location", f"{other.url}/dex/auth"),))
        error = _refused(client)
    assert "302" in error.what and "token" in error.fix
    assert other.requests == []


def test_a_server_without_the_api_is_no_kfp_api(api):
    assert "404" in _refused(Client(f"{api.url}/elsewhere", timeout_s=5)).what


def test_a_forbidden_request_names_the_namespace(api, client):
    api.fail(status=403, body='{"message": "User may not list runs"}')
    error = _refused(client)
    assert "User may not list runs" in error.what and "kubeflow.namespace" in error.fix


def test_an_invalid_request_is_not_repeated(api, client):
    with pytest.raises(UserError, match="invalid input"):
        client.create_run({"display_name": "u-1"})
    assert api.count("POST") == 1


def test_a_closed_port_is_refused_with_a_fix():
    client = Client(f"http://127.0.0.1:{services.free_port()}", timeout_s=1, retry_for_s=0.05)
    error = _refused(client)
    assert "refused" in error.what and "output=" in error.fix


@pytest.mark.parametrize("host", ["kfp.example.org", "ftp://x", "http://", "http://x:99999", ""])
def test_a_host_that_is_no_address_is_refused(host):
    with pytest.raises(UserError, match="not an address"):
        Client.of(Kubeflow(host=host))


def test_an_address_with_a_password_is_refused_and_not_repeated():
    with pytest.raises(UserError) as caught:
        Client.of(Kubeflow(host="https://me:secret@kfp.example.org"))
    assert "secret" not in str(caught.value)


def test_a_self_signed_certificate_is_refused_unless_it_is_trusted(certificate):
    with KubeflowApi(*certificate) as api:
        error = _refused(Client(api.url, timeout_s=5))
        assert "certificate" in error.what and "kubeflow.ca_file" in error.fix
        Client(api.url, ca_file=str(certificate[0]), timeout_s=5).check()


def test_a_server_without_tls_is_one_for_http(api):
    error = _refused(Client(f"https{api.url[4:]}", timeout_s=5))
    assert error.fix.endswith(f"write kubeflow.host={api.url}")


def test_a_missing_certificate_file_is_refused(tmp_path):
    client = Client("https://127.0.0.1:1", ca_file=str(tmp_path / "none"))
    assert "no such file" in _refused(client).what


def test_the_server_speaks_as_the_generated_client_expects(api, client):
    """Every answer of the test server deserialises into the models of kfp_server_api."""
    import kfp_server_api

    run_id = _run(client)["run_id"]
    api.set_task(run_id, "train", "FAILED", "OOMKilled")
    generated = kfp_server_api.ApiClient(kfp_server_api.Configuration(host=api.url))
    runs = kfp_server_api.RunServiceApi(generated)
    found = runs.run_service_get_run(run_id)
    (task,) = [one for one in found.run_details.task_details if one.display_name == "train"]
    assert (found.display_name, task.state, task.error.message) == ("u-1", "FAILED", "OOMKilled")
    assert runs.run_service_list_runs().runs[0].run_id == run_id
