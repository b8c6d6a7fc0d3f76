"""A tracking database: made once, whole, under a lock; one of another MLflow version is left as it
is.

MLflow itself migrates on first touch, and processes that start at once destroy each other's
migration: of 18 first touches of a fresh sqlite file by 6 processes at a time, 1 succeeded.
"""

import fcntl
import importlib
import sqlite3
from pathlib import Path
from typing import Any

from engine.errors import UserError
from engine.mlflow.backend import Backend, sqlite_uri


def prepare(backend: Backend) -> None:
    """The database is there, with the schema of the MLflow installed here."""
    if backend.uri.startswith("postgresql+psycopg2:"):
        _let_signals_in()
    Path(backend.lock).parent.mkdir(parents=True, exist_ok=True)
    with open(backend.lock, "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if backend.database_path:
            _make(backend.database_path)
        _check(backend)


def _make(path: Path) -> None:
    """Make the file where there is none.

    A crash half-way through the migrations leaves only a file beside it.
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
        )  # kept in the file: readers no longer stop the writers
    connection.close()
    partial.replace(path)


def _check(backend: Backend) -> None:
    """Refuse a database of another MLflow: it may be shared, and MLflow would migrate it unasked."""
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
    """Let psycopg2 wait in Python, where an alarm ends it; its own waiting goes on for ever."""
    importlib.import_module("psycopg2.extensions").set_wait_callback(
        importlib.import_module("psycopg2.extras").wait_select
    )


def _schema() -> Any:
    """Return MLflow's module of its tables; it has no public one, and the version is pinned."""
    return importlib.import_module("mlflow.store.db.utils")
