"""`sync`: sends what MLflow missed. The content is tested in mlflow/test_mlflow.py."""

import pytest


def test_where_nothing_ran_there_is_nothing_to_send(give):
    said = give("sync")
    assert (said.status, said.lines) == (0, ["no run to send"])


def test_an_address_that_is_none_is_refused(give):
    said = give("sync", "tracking=mlflow", "tracking.uri=ftp://host")
    assert said.status == 2
    assert said.err.splitlines() == [
        "tracking.uri",
        "  'ftp://host' is not an address of MLflow",
        "  write http://host:port, https://host or sqlite:////path/to/mlflow.db",
    ]


@pytest.mark.filterwarnings("ignore")  # warnings of MLflow and its dependencies
def test_an_mlflow_that_is_away_is_reported_with_status_1(ran):
    pytest.importorskip("mlflow", reason="the extra 'tracking' is not installed")
    result = ran.run("sync", "tracking=mlflow", "tracking.uri=http://127.0.0.1:9", timeout_s=120)
    assert result.returncode == 1
    assert f"not sent: {ran.last.name}: " in result.stdout and "Traceback" not in result.stderr
