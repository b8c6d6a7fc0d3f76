"""Removes MLflow's files of runs that no longer exist. Their records stay in the database as
history.

Handles only the database below outputs/, because another one may have runs of other outputs
folders. Reads its tables directly, because importing MLflow takes seconds; the pinned version of
MLflow fixes the schema.
"""

import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from engine import handles, layout
from engine.mlflow.backend import Backend, resolve

_RUNS = """
    SELECT runs.run_uuid, artifact_uri, lifecycle_stage, own.value, stage.value FROM runs
    JOIN tags AS own ON own.run_uuid = runs.run_uuid AND own.key = 'rpi.run_id'
    LEFT JOIN tags AS stage ON stage.run_uuid = runs.run_uuid AND stage.key = 'rpi.project_of'
"""  # what a project logged belongs to the MLflow run of its stage
_LINKS = "SELECT run_uuid, value FROM tags WHERE key LIKE 'rpi.cached.%'"
_MODELS = """
    SELECT logged_models.model_id, artifact_location, coalesce(stage.tag_value, source_run_id)
    FROM logged_models LEFT JOIN logged_model_tags AS stage
    ON stage.model_id = logged_models.model_id AND stage.tag_key = 'rpi.source_run_id'
"""  # by the run of the stage that made the model: other runs link to it, not to its parent
_REGISTERED = "SELECT run_id, source FROM model_versions"


@dataclass(frozen=True, slots=True)
class Freed:
    """What was removed, or would be in a dry run."""

    folders: int = 0  # one for each MLflow run or model
    size_bytes: int = 0
    problem: str = ""  # why nothing could be removed, in a sentence


@dataclass(slots=True)
class _Known:
    """The database's records of the runs that this engine recorded."""

    folders: dict[str, list[Path]] = field(
        default_factory=dict
    )  # by MLflow run, including its models and projects
    run_ids: dict[str, str] = field(default_factory=dict)  # the engine's run, by MLflow run
    deleted: set[str] = field(default_factory=set)
    links: dict[str, set[str]] = field(default_factory=dict)  # the runs that a parent links to
    registered: set[str] = field(default_factory=set)  # runs whose models a user registered


def clean(
    outputs: Path, tracking: Mapping[str, object], gone: Collection[str] = (), *, dry_run: bool
) -> Freed:
    """Remove the files of runs that are not below outputs/ any more, or that were deleted in
    MLflow.

    Files that a remaining run links to stay, as do registered models. gone: runs that count as
    removed.
    """
    backend = resolve(outputs, tracking)
    path = outputs.absolute() / "mlflow.db"
    if backend.database_path != path or not path.exists():
        return Freed()
    try:
        known = _known(path, backend)
    except sqlite3.Error as error:
        return Freed(problem=f"the database cannot be read: {error}")
    there = {run_dir.name for run_dir in layout.runs(outputs)} - set(
        gone
    )  # read after the database, which is older
    folders = [one for one in _unneeded(known, there) if one.is_dir()]
    freed = {one: _size_bytes(one) for one in folders}
    removed = [one for one in folders if dry_run or handles.remove(one)]
    return Freed(len(removed), sum(freed[one] for one in removed))


def _known(path: Path, backend: Backend) -> _Known:
    known = _Known()
    root = _local(backend.artifact_root or "")
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=30)) as database:
        for run, uri, lifecycle, run_id, of_project in database.execute(_RUNS):
            folders = known.folders.setdefault(of_project or run, [])
            folders.extend(_folder(uri, run, root))
            if of_project:
                continue
            known.run_ids[run] = run_id
            if lifecycle != "active":
                known.deleted.add(run)
        for parent, target in database.execute(_LINKS):
            known.links.setdefault(parent, set()).add(target)
        source_runs = {}
        for model, uri, run in database.execute(_MODELS):
            source_runs[model] = run
            known.folders.get(run, []).extend(_folder(uri, model, root))
        for run, source in database.execute(_REGISTERED):
            model = str(source).removeprefix("models:/")
            known.registered |= {str(run), str(source_runs.get(model))}
    return known


def _unneeded(known: _Known, there: Collection[str]) -> Iterator[Path]:
    kept = {
        run for run, run_id in known.run_ids.items() if run_id in there and run not in known.deleted
    }
    linked = {target for run in kept for target in known.links.get(run, ())} - known.deleted
    for run in known.run_ids.keys() - kept - linked - known.registered:
        yield from known.folders[run]


def _folder(uri: str | None, name: str, root: Path) -> Iterator[Path]:
    """Yield the folder with the artifacts of a run or a model, if it is below the root."""
    folder = _local(uri or "").parent
    if folder.name == name and root in folder.parents and ".." not in folder.parts:
        yield folder


def _local(uri: str) -> Path:
    return Path(unquote(urlsplit(uri).path))


def _size_bytes(folder: Path) -> int:
    """Return the bytes that only this folder uses; files that are also in the store do not count."""
    with handles.folder(folder) as root:
        facts = [entry.facts for entry in handles.walk(root) if not entry.is_folder]
    return sum(one.st_size for one in facts if one.st_nlink == 1)
