"""A tracking database: created once, completely, under a lock; that of another MLflow version is
left unchanged.

MLflow itself migrates at the first access, and processes that start at the same time break each
other's migration: of 18 first accesses to a fresh sqlite file by 6 processes at a time, 1
succeeded.
"""

import fcntl
import importlib
import sqlite3
from pathlib import Path
from typing import Any

from engine.errors import UserError
from engine.mlflow.backend import Backend, sqlite_uri


def prepare(backend: Backend) -> None:
    """Make sure that the database exists, with the schema of the installed MLflow."""
    if backend.uri.startswith("postgresql+psycopg2:"):
        _let_signals_in()
    Path(backend.lock).parent.mkdir(parents=True, exist_ok=True)
    with open(backend.lock, "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if backend.database_path:
            _make(backend.database_path)
        _check(backend)


def _make(path: Path) -> None:
    """Create the file if it does not exist.

    A crash during the migrations leaves only a temporary file beside it.
    """
    if path.exists() and path.stat().st_size > 0:
        return
    schema = _schema()
    partial = path.with_name(f".{path.name}.part")
    partial.unlink(missing_ok=True)
    engine = schema.create_sqlalchemy_engine(sqlite_uri(partial))
    schema._initialize_tables(engine)
    engine.dispose()
    with sqlite3.connect(partial) as connection:
        connection.execute(
            "PRAGMA journal_mode=WAL"
        )  # stored in the file: readers no longer block writers
    connection.close()
    partial.replace(path)


def _check(backend: Backend) -> None:
    """Refuse a database of another MLflow version: it may be shared, and MLflow would migrate it
    without asking.
    """
    import sqlalchemy
    from alembic.migration import MigrationContext

    schema = _schema()
    engine = schema.create_sqlalchemy_engine(backend.uri)
    try:
        with engine.connect() as connection:
            is_empty = not sqlalchemy.inspect(connection).get_table_names()
            found = MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()
    if is_empty:
        schema._initialize_tables(engine)
    elif found != (wanted := schema._get_latest_schema_revision()):
        what = f"the database has MLflow's schema {found}; the MLflow installed here needs {wanted}"
        fix = (
            "back it up, then: mlflow db upgrade <its URI> (or install the MLflow that created it)"
        )
        raise UserError(f"tracking.uri: {backend.shown}", what, fix)


def _let_signals_in() -> None:
    """Make psycopg2 wait in Python, where an alarm can interrupt it; its own wait cannot be
    interrupted.
    """
    importlib.import_module("psycopg2.extensions").set_wait_callback(
        importlib.import_module("psycopg2.extras").wait_select
    )


def _schema() -> Any:
    """Return MLflow's module of its tables; it has no public one, and the version is pinned."""
    return importlib.import_module("mlflow.store.db.utils")
