"""An outputs folder with a fresh database of MLflow's."""

from pathlib import Path

import pytest

from engine.mlflow import database
from engine.mlflow.backend import resolve


@pytest.fixture(scope="session")
def fresh_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database as MLflow makes it; made once, for the migrations take seconds."""
    outputs = tmp_path_factory.mktemp("fresh")
    database.prepare(resolve(outputs, {}))
    return outputs / "mlflow.db"


@pytest.fixture
def outputs(tmp_path: Path, fresh_database: Path) -> Path:
    folder = tmp_path / "outputs"
    folder.mkdir()
    (folder / "mlflow.db").write_bytes(fresh_database.read_bytes())
    return folder
