"""Where a run is recorded: exactly where its outputs folder or its URI says, whatever letters stand in the
name.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mlflow", reason="the extra 'tracking' is not installed")

from engine.errors import UserError
from engine.mlflow import database
from engine.mlflow.backend import resolve
from engine.mlflow.sync import sync
from tests.mlflow_runs import make_folder, snapshot, whole_run

pytestmark = pytest.mark.filterwarnings("ignore")  # warnings of MLflow and its dependencies
ODD = [
    "100%",
    "a%25b",
    "a%2fb",
    "%(here)s",
    "a?b=c",
    "a#b",
    "a b",
    "a'b\"c",
    "ü",
    "a@b:c",
    "a;b&c",
    "{x}$y",
    "a\\b",
    "[x]",
    "a\nb",
]


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize("name", ODD)
def test_a_run_is_recorded_below_an_outputs_folder_of_any_name(
    tmp_path: Path, fresh_database: Path, events: Any, make_job: Any, name: str
) -> None:
    outputs = tmp_path / "above" / name / "outputs"
    folder = make_folder(outputs, whole_run(events, make_job))
    (outputs / "mlflow.db").write_bytes(fresh_database.read_bytes())
    assert sync(outputs, {}).problems == {}
    backend = resolve(outputs, {})
    assert backend.database_path == outputs / "mlflow.db"
    found = snapshot(backend.uri)
    assert found["r1/train"]["last"]["accuracy"] == 0.9 and found["r1/split"]["files"] == ["out"]
    assert {path.name for path in outputs.iterdir()} >= {"mlflow.db", "mlartifacts", "mlflow.lock"}
    assert [path.name for path in (tmp_path / "above").iterdir()] == [name]
    assert [path.name for path in (tmp_path / "above" / name).iterdir()] == ["outputs"]
    assert folder.is_dir()


def test_the_artifacts_of_a_run_can_be_read_back(
    tmp_path: Path, fresh_database: Path, events: Any, make_job: Any
) -> None:
    from mlflow.tracking import MlflowClient

    outputs = tmp_path / "a%25b?c#d"
    make_folder(outputs, whole_run(events, make_job))
    (outputs / "mlflow.db").write_bytes(fresh_database.read_bytes())
    assert sync(outputs, {}).sent == ["r1"]
    uri = resolve(outputs, {}).uri
    client = MlflowClient(uri, registry_uri=uri)
    (run,) = client.search_runs(
        [client.get_experiment_by_name("demo").experiment_id], "tags.`rpi.stage` = 'train'"
    )
    assert Path(client.download_artifacts(run.info.run_id, "out")).read_text() == "made by train"


def test_a_new_database_is_made_where_the_name_says(tmp_path: Path) -> None:
    outputs = tmp_path / "100%25?x"
    database.prepare(resolve(outputs, {}))
    assert everything(tmp_path) >= {"100%25?x/mlflow.db"}
    assert [path.name for path in tmp_path.iterdir()] == ["100%25?x"]


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("sqlite:////data/ml.db", "/data/ml.db"),
        ("sqlite:////data/100%25/ml%3F.db", "/data/100%/ml?.db"),
        ("sqlite:////data/100%/ml.db", "/data/100%/ml.db"),
        ("sqlite:////data/ü b/ml.db?timeout=60", "/data/ü b/ml.db"),
        ("sqlite+pysqlite:////data/ml.db", "/data/ml.db"),
    ],
)
def test_a_given_database_is_the_file_that_sqlalchemy_opens(
    tmp_path: Path, uri: str, path: str
) -> None:
    import sqlalchemy

    backend = resolve(tmp_path, {"uri": uri})
    assert (
        sqlalchemy.make_url(uri).database
        == sqlalchemy.make_url(backend.uri).database
        == path
        == str(backend.database_path)
    )
    assert sqlalchemy.make_url(uri).query == sqlalchemy.make_url(backend.uri).query


def test_a_relative_database_is_below_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve(tmp_path, {"uri": "sqlite:///ml.db"}).database_path == tmp_path / "ml.db"


@pytest.mark.parametrize(
    "uri",
    [
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite://host/ml.db",
        "sqlite:///file:ml.db?uri=true",
        "sqlite:////a%ffb.db",
        "sqlite:////a\udcffb.db",
        "sqlite+other:////ml.db",
        "sqlite:////a%00b.db",
    ],
)
def test_what_names_no_file_is_refused_with_a_fix(tmp_path: Path, uri: str) -> None:
    with pytest.raises(UserError, match="is not the path of a database file") as refused:
        resolve(tmp_path, {"uri": uri})
    assert "sqlite:////path/to/mlflow.db" in refused.value.fix


def test_an_outputs_folder_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not valid UTF-8"):
        resolve(tmp_path / "a\udcff", {})


def test_the_address_of_an_ordinary_folder_is_as_it_was(tmp_path: Path) -> None:
    assert resolve(Path("/data/outputs"), {}).uri == "sqlite:////data/outputs/mlflow.db"


def test_the_schema_is_made_by_the_address_that_the_page_gets(tmp_path: Path) -> None:
    """MLflow's server reads the address from the environment, and opens the same file."""
    outputs = tmp_path / "a%b?c"
    backend = resolve(outputs, {})
    database.prepare(backend)
    code = (
        "import sys; from mlflow.server.handlers import _get_tracking_store as s; "
        "print(len(s(sys.argv[1], sys.argv[2]).search_experiments()))"
    )
    command = [sys.executable, "-c", code, backend.uri, str(backend.artifact_root)]
    said = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert said.stdout.split()[-1:] == ["1"], said.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a%b?c"]


@pytest.mark.parametrize("login", ["me:p@secret", "me:a secret", 'me:a"secret', "me:<secret>"])
def test_a_password_with_letters_that_need_quoting_is_refused_unsaid(
    tmp_path: Path, login: str
) -> None:
    with pytest.raises(UserError) as caught:
        resolve(tmp_path, {"uri": f"http://{login}@host"})
    assert "secret" not in str(caught.value) and "%40" in caught.value.fix
