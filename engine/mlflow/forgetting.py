"""Removes a person's data from the MLflow below outputs/: artifacts, texts, and copies in the registry.

Reads and writes the tables directly, like engine/mlflow/cleanup.py. Handles only that database: another
one may be on another machine.
"""

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from engine import handles
from engine.durable import write_whole
from engine.events import RunState
from engine.mlflow import artifacts
from engine.mlflow.backend import resolve

TAG, DONE = "rpi.forgotten", "a person was removed after this was recorded"
_RUNS = """
    SELECT runs.run_uuid, runs.artifact_uri, own.value, coalesce(stage.value, '') FROM runs
    JOIN tags AS own ON own.run_uuid = runs.run_uuid AND own.key = 'rpi.run_id'
    LEFT JOIN tags AS stage ON stage.run_uuid = runs.run_uuid AND stage.key = 'rpi.stage'
    WHERE own.value IN (
        SELECT id.value FROM tags AS id
        JOIN tags AS usecase ON usecase.run_uuid = id.run_uuid AND usecase.key = 'rpi.usecase'
        WHERE id.key = 'rpi.run_id' AND usecase.value = ?
    )
"""
_OUTPUTS = "SELECT key, value FROM tags WHERE run_uuid = ? AND key LIKE 'rpi.output.%'"
_MODELS = """
    SELECT logged_models.model_id, artifact_location FROM logged_models JOIN logged_model_tags AS made
    ON made.model_id = logged_models.model_id AND made.tag_key = 'rpi.source_run_id' AND made.tag_value = ?
"""
# table, its column with text, and the column by which it belongs to a run or a model
_TEXTS = (
    ("tags", "value", "run_uuid"),
    ("params", "value", "run_uuid"),
    ("runs", "name", "run_uuid"),
    ("logged_model_tags", "tag_value", "model_id"),
    ("logged_model_params", "param_value", "model_id"),
)
_OF_DATASETS = ("name", "dataset_source", "dataset_profile")
_INSERTS = {
    "tags": "INSERT OR REPLACE INTO tags (key, value, run_uuid) VALUES (?, ?, ?)",
    "models": "INSERT OR REPLACE INTO logged_model_tags (tag_key, tag_value, model_id, experiment_id) "
    "SELECT ?, ?, model_id, experiment_id FROM logged_models WHERE model_id = ?",
    "versions": "INSERT OR REPLACE INTO model_version_tags (key, value, name, version, workspace) "
    "SELECT ?, ?, name, version, workspace FROM model_versions WHERE source = 'models:/' || ?",
}


@dataclass(frozen=True, slots=True)
class Sent:
    """An output of a stage that MLflow has, or had."""

    mlflow_id: str
    run_id: str
    stage: str
    name: str
    digest: str
    folder: Path  # of the MLflow run's artifacts

    @property
    def path(self) -> Path:
        """Return where its copy is, if it was sent."""
        return next(self.folder.glob(f"{self.name}.*"), self.folder / self.name)


@dataclass(frozen=True, slots=True)
class _Run:
    """A record of a run, or of one of its stages."""

    mlflow_id: str
    run_id: str
    stage: str  # empty: the run itself
    folder: Path | None  # of its artifacts, if it is below the outputs folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What to do with the records."""

    doomed: Collection[str]  # digests of artifacts to remove
    rewritten: Mapping[
        str, tuple[str, Path]
    ]  # old digest -> new digest, and a folder called like it
    has_name: Callable[[bytes], bool]
    without_name: Callable[[str], str]
    without_pictures: Callable[[str], str]  # only without the names of the person's pictures


def database(outputs: Path, tracking: Mapping[str, object]) -> Path | None:
    """Return the database below outputs/; None if there is none, or if runs are recorded elsewhere."""
    path = outputs.absolute() / "mlflow.db"
    if not tracking["enabled"]:
        return path if path.exists() else None
    return path if resolve(outputs, tracking).database_path == path and path.exists() else None


def sent(path: Path, usecase: str) -> list[Sent]:
    """Return the outputs of all recorded runs of the use case, those of removed runs included."""
    with closing(_opened(path, "ro")) as tables:
        return [
            Sent(
                run.mlflow_id,
                run.run_id,
                run.stage,
                key.removeprefix("rpi.output."),
                digest,
                run.folder,
            )
            for run in _runs(tables, path, usecase)
            if run.folder
            for key, digest in tables.execute(_OUTPUTS, (run.mlflow_id,)).fetchall()
        ]


def clean(
    path: Path, usecase: str, change: Change, runs: Mapping[str, tuple[Path, RunState]]
) -> int:
    """Remove and rewrite what the change says, and return the number of changed records.

    runs: the existing runs by id, whose files are sent again because they changed
    """
    outputs = sent(path, usecase)
    packages = {one.mlflow_id: one.digest for one in outputs if one.name == "package"}
    with closing(_opened(path, "rw")) as tables:
        tables.execute("PRAGMA secure_delete = ON")
        known = _runs(tables, path, usecase)
        models = {
            model: (_below(uri, path), packages.get(run.mlflow_id, ""))
            for run in known
            for model, uri in tables.execute(_MODELS, (run.mlflow_id,)).fetchall()
        }
        changed = {one.mlflow_id for one in outputs if _clean_output(one, change)}
        changed |= {
            one.mlflow_id
            for one in known
            if one.folder
            and _clean_files(one.folder, change, None if one.stage else runs.get(one.run_id))
        }
        replaced = {
            model
            for model, (folder, one) in models.items()
            if folder and _clean_model(folder, one, change)
        }
        mine = {one.mlflow_id for one in known}
        with tables:
            changed |= {owner for owner in (*mine, *models) if _clean_texts(tables, owner, change)}
            _clean_datasets(tables, mine, change)
            _mark(tables, outputs, changed & mine, replaced, change)
        _compact(tables)
    return len(changed | replaced)


def _runs(tables: sqlite3.Connection, path: Path, usecase: str) -> list[_Run]:
    found = tables.execute(_RUNS, (usecase,)).fetchall()
    return [_Run(run, run_id, stage, _below(uri, path)) for run, uri, run_id, stage in found]


def _clean_output(one: Sent, change: Change) -> bool:
    """Remove or replace an output; return whether it is one of those to remove."""
    if one.digest not in change.doomed:
        return False
    if one.digest in change.rewritten and one.folder.is_dir():
        artifacts.refer(change.rewritten[one.digest][1], one.folder)
    else:
        handles.remove(one.path)
    return True


def _clean_files(folder: Path, change: Change, run: tuple[Path, RunState] | None) -> bool:
    """Remove the name from an MLflow run's own files and figures; return whether any had it."""
    own = [
        folder / name for name in (artifacts.REPORT, artifacts.CARD) if (folder / name).is_file()
    ]
    found = [*own, *_files(folder / "run"), *_files(folder / "figures")]
    named = [path for path in found if _clean_file(path, change)]
    if run and own:  # the report shows which artifacts there are
        handles.remove(folder / "run")
        artifacts.copy_run_files(run[0], run[1].start, folder)
    return bool(named)


def _clean_file(path: Path, change: Change) -> bool:
    """Remove the name from a file, or the file if it embeds pictures; return whether it had the name."""
    if not change.has_name(path.read_bytes()):
        return False
    if path.parent.name == "figures" or path.name == artifacts.REPORT:
        return handles.remove(path)
    text = path.read_text(encoding="utf-8", errors="replace")
    is_settings = path.suffix == ".yaml"  # whose values may be called like a person
    clean = change.without_pictures(text) if is_settings else change.without_name(text)
    if clean != text:
        _rewrite(path, clean)
    return clean != text


def _clean_model(folder: Path, digest: str, change: Change) -> bool:
    """Replace or remove the package in the folder of a model; return whether it was one of those.

    digest: of the package that the model was made from
    """
    import yaml

    package, about = folder / "artifacts" / "package", folder / "MLmodel"
    if digest not in change.doomed or not about.is_file():
        return False
    if digest not in change.rewritten:
        return handles.remove(package)
    artifacts.refer(change.rewritten[digest][1], package.parent)
    model = yaml.safe_load(about.read_text(encoding="utf-8"))
    manifest = json.loads((package / "manifest.json").read_text(encoding="utf-8"))
    model["metadata"] = {**(model.get("metadata") or {}), "manifest": manifest}
    _rewrite(about, yaml.safe_dump(model, sort_keys=False, allow_unicode=True))
    return True


def _clean_texts(tables: sqlite3.Connection, owner: str, change: Change) -> bool:
    """Remove the names of pictures from the texts of a run or a model; return whether any had one.

    A person's name alone may be a parameter's value or a stage's name.
    """
    is_changed = False
    for table, column, key in _TEXTS:
        query = f"SELECT rowid, {column} FROM {table} WHERE {key} = ?"
        for row, text in tables.execute(query, (owner,)).fetchall():
            if text and (words := change.without_pictures(text)) != text:
                tables.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (words, row))
                is_changed = True
    return is_changed


def _clean_datasets(tables: sqlite3.Connection, runs: Iterable[str], change: Change) -> None:
    """Remove the names of pictures from the data sets of runs: their names and sources are paths."""
    for run in runs:
        query = "SELECT source_id FROM inputs WHERE destination_id = ? AND source_type = 'DATASET'"
        for (dataset,) in tables.execute(query, (run,)).fetchall():
            for column in _OF_DATASETS:
                where = f"FROM datasets WHERE dataset_uuid = '{dataset}'"
                for (text,) in tables.execute(f"SELECT {column} {where}").fetchall():
                    if text and (words := change.without_pictures(text)) != text:
                        update = f"UPDATE datasets SET {column} = ? WHERE dataset_uuid = ?"
                        tables.execute(update, (words, dataset))


def _mark(
    tables: sqlite3.Connection,
    outputs: Iterable[Sent],
    runs: Iterable[str],
    models: Iterable[str],
    change: Change,
) -> None:
    """Tag what was changed, and record the digests of the new packages."""
    for one in outputs:
        if one.digest in change.rewritten:
            key, digest = f"rpi.output.{one.name}", change.rewritten[one.digest][0]
            tables.execute(_INSERTS["tags"], (key, digest, one.mlflow_id))
    for run in runs:
        tables.execute(_INSERTS["tags"], (TAG, DONE, run))
    for model in models:
        for table in ("models", "versions"):
            tables.execute(_INSERTS[table], (TAG, DONE, model))


def _compact(tables: sqlite3.Connection) -> None:
    """Write the file again, without the bytes of earlier values."""
    tables.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    tables.execute("VACUUM")
    tables.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _rewrite(path: Path, text: str) -> None:
    """Write a new file in place of one that may be a link to the store's."""
    write_whole(path, text.encode())


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())


def _opened(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?mode={mode}", uri=True, timeout=30)


def _below(uri: str | None, database: Path) -> Path | None:
    """Return the folder of artifacts if it is beside the database: others belong to somebody else."""
    parts = urlsplit(uri or "")
    folder, root = Path(unquote(parts.path)), database.parent / "mlartifacts"
    is_ours = parts.scheme in ("", "file") and root in folder.parents and ".." not in folder.parts
    return folder if is_ours else None
