"""The logs of pods, while they run and at their end."""

import pytest

from engine.kubeflow.client import Client
from engine.kubeflow.logs import MOST_MISSES, Logs
from tests.kubeflow_api import KubeflowApi


@pytest.fixture
def api():
    with KubeflowApi() as server:
        yield server


@pytest.fixture
def logs(api, tmp_path, monkeypatch):
    monkeypatch.delenv("KUBEFLOW_TOKEN", raising=False)
    return Logs(Client(api.url, timeout_s=5), "r1", tmp_path / "logs")


def test_only_what_is_new_is_copied(api, logs, tmp_path):
    for text in ("one\n", "one\ntwo\n"):
        api.logs["wf-1"] = text
        logs.poll("train", "wf-1")
    log = tmp_path / "logs" / "train.log"
    assert log.read_text() == "one\ntwo\n"
    api.logs["wf-1"] = "one\ntwo\nthree\n"
    assert logs.finish("train", "wf-1", log, lambda: None) == "one\ntwo\nthree\n"
    assert log.read_text() == "one\ntwo\nthree\n"


def test_the_pod_is_found_by_the_name_that_argo_gives_it(api, logs, tmp_path):
    api.logs["wf-system-container-impl-1"] = "words"
    logs.poll("train", "wf-1")
    assert (tmp_path / "logs" / "train.log").read_text() == "words"


def test_a_server_without_logs_is_not_asked_for_ever(api, logs):
    for _ in range(MOST_MISSES + 3):
        logs.poll("train", "wf-1")
    assert api.count("/log") == 3 * MOST_MISSES


@pytest.mark.parametrize("pod", ["wf-1", None])
def test_a_stored_log_stands_in_for_one_that_the_server_lost(logs, tmp_path, pod):
    (tmp_path / "logs").mkdir()
    log = tmp_path / "logs" / "train.log"
    assert logs.finish("train", pod, log, lambda: "stored") == "stored"
    assert log.read_text() == "stored"


def test_nothing_is_written_if_nobody_has_the_log(logs, tmp_path):
    assert logs.finish("train", "wf-1", tmp_path / "train.log", lambda: None) == ""
    assert not (tmp_path / "train.log").exists()
