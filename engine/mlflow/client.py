"""Writes one run to MLflow; finds what is already there before it creates anything.

MLflow's own retries are disabled: they repeat requests that the server may have carried out, and
would create a run twice. A failed call ends the attempt, and the next attempt begins with a search.
"""

import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any, TypeVar

from engine import layout, run_annotations
from engine.errors import UserError
from engine.events import RunState
from engine.figure_kinds import Figure
from engine.mlflow import (
    artifacts,
    database,
    description,
    links,
    model,
    parent,
    project,
    sweep,
)
from engine.mlflow.backend import Backend
from engine.mlflow.entries import Entry, all_points, key, merge, milliseconds, text
from engine.vocabulary import Event

_Item = TypeVar("_Item")
_POINTS_PER_CALL = 800  # MLflow accepts 1000 items in a call, and 1 MB in a request
_TEXTS_PER_CALL = 60
_MOST_RUNS = 10_000  # of one run: its stages
_DIGEST_LENGTH = 36  # MLflow's limit; the profile has the whole digest

_EXPERIMENT_TAGS = {
    "mlflow.experimentKind": "custom_model_development"
}  # otherwise its page opens on traces of language models


def prepare_environment(backend: Backend, timeout_s: int) -> None:
    """Configure MLflow, which must be imported later: short timeouts, no retries, no telemetry."""
    os.environ.update(
        MLFLOW_HTTP_REQUEST_TIMEOUT=str(timeout_s),
        MLFLOW_HTTP_REQUEST_MAX_RETRIES="0",
        MLFLOW_DISABLE_TELEMETRY="true",
        DO_NOT_TRACK="true",
        GIT_PYTHON_REFRESH="quiet",
        MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR="false",
        MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT="true",
        MLFLOW_LOGGING_LEVEL="WARNING",
    )
    os.environ.setdefault(
        "PGCONNECT_TIMEOUT", str(timeout_s)
    )  # PostgreSQL's clients wait forever by default
    for name, value in (("USERNAME", backend.username), ("PASSWORD", backend.password)):
        if value is not None:
            os.environ[f"MLFLOW_TRACKING_{name}"] = value


class Recorder:
    """Writes one run, with a child run for each stage; every call is idempotent."""

    def __init__(self, backend: Backend, run_dir: Path, start: Event) -> None:
        from mlflow.tracking import MlflowClient

        if backend.is_database:
            database.prepare(backend)
        self._backend, self._run_dir, self._start = backend, run_dir, start
        self._client = MlflowClient(backend.uri, registry_uri=backend.uri)
        self._parent = parent.find(self._client, start.get("parent_run"))
        self._experiment = self._chosen_experiment(backend)
        self._runs: dict[str | None, str] = {}
        self._tags: dict[str | None, dict[str, str]] = {}
        self._find_runs()
        stages = [job["stage"] for job in start["jobs"]]
        self._links = links.linked(stages, self._tags.get(None, {}))

    def record(self, found: Iterable[Entry]) -> None:
        """Write the entries to MLflow."""
        for entry in self._with_links(merge(found)):
            mlflow_id = self._run(entry.stage, entry.time_ms)
            self._log(mlflow_id, entry)
            self._log_assets(mlflow_id, entry.assets)
            self._log_figures(mlflow_id, entry.figures)
            self._log_outputs(mlflow_id, entry)
            if entry.end:
                self._client.set_terminated(mlflow_id, *entry.end)

    def _with_links(self, merged: Sequence[Entry]) -> list[Entry]:
        """Link the parent run to the MLflow runs that computed cached stages.

        A cached stage whose run is not found gets a new run.
        """
        cached = {one.stage: one.fingerprint for one in merged if one.stage and one.fingerprint}
        new = {stage: one for stage, one in cached.items() if stage not in self._runs | self._links}
        computed = links.find(self._client, set(new.values()))
        self._links |= {stage: computed[one] for stage, one in new.items() if one in computed}
        own = [one for one in merged if one.stage not in self._links]
        for_parent = [
            links.redirected(one, self._links[one.stage])
            for one in merged
            if one.stage in self._links
        ]
        if computed:
            tags = {"mlflow.note.content": links.note(self._links)}
            for_parent.append(Entry(None, merged[0].time_ms, tags=tags))
        return merge([*own, *for_parent])

    def finish(self, state: RunState, status: str) -> None:
        """Send the run's files and late outputs, and end all its MLflow runs."""
        now = milliseconds(state.last_time)
        own = self._run(None, milliseconds(self._start["time"]))
        for stage in state.stages.values():
            if stage.name in self._links:
                continue
            if stage.outputs:
                self._log_outputs(
                    self._runs[stage.name], Entry(stage.name, now, outputs=stage.outputs)
                )
            elif stage.name in self._runs and stage.state in ("running", "waiting"):
                self._client.set_terminated(self._runs[stage.name], "KILLED", now)
        with tempfile.TemporaryDirectory() as folder:
            artifacts.copy_run_files(self._run_dir, self._start, Path(folder))
            self._client.log_artifacts(own, folder)
        self._summarise(state, own)
        self._tag_as_annotated(own)
        if self._parent:
            parent.describe(self._client, self._parent, self._experiment, own, state)
        if mlflow_id := self._sweep():
            sweep.describe(self._client, mlflow_id, self._experiment, self._start, self._run_dir)
        self._client.set_terminated(own, status, now)

    def _summarise(self, state: RunState, parent: str) -> None:
        """Write the description of the run, and its metrics to the page of its model."""
        model_id = self._link_model(state, parent)
        page = f"#/experiments/{self._experiment}"
        words = description.of_run(
            state,
            f"{page}/runs/{parent}/artifacts/{artifacts.REPORT}{links.VIEW}",
            model_id and f"{page}/models/{model_id}{links.VIEW}",
            links.note(self._links),
            run_annotations.read(self._run_dir),
        )
        self._client.set_tag(parent, "mlflow.note.content", text(words))

    def _tag_as_annotated(self, parent: str) -> None:
        """Set the tags that people gave the run, and delete those that they removed."""
        for name, value in run_annotations.read(self._run_dir).tags.items():
            self._client.set_tag(parent, key(name), text(value))
        present = self._client.get_run(parent).data.tags
        for name in map(key, run_annotations.removed(self._run_dir)):
            if name in present:
                self._client.delete_tag(parent, name)

    def _link_model(self, state: RunState, parent: str) -> str | None:
        """Link the parent run to its model, new or cached, and return the model's id.

        Only a new model gets metrics: a cached one has those of the run that made it.
        """
        for stage in (one.name for one in state.stages.values() if "package" in one.outputs):
            mlflow_id = self._links.get(stage) or self._runs.get(stage)
            model_id = mlflow_id and self._tag(mlflow_id, model.ID_TAG)
            if model_id and model.is_there(self._client, model_id):
                model.link(self._client, parent, model_id)
                if stage not in self._links:
                    points = reversed(all_points(state))  # the page shows the first one at the top
                    model.measured(self._client, model_id, parent, points)
                    model.describe(self._client, model_id, self._run_dir / artifacts.CARD)
                return model_id
        return None

    def _tag(self, mlflow_id: str, name: str) -> str | None:
        """Return a tag of a run; None if the tag or the run does not exist."""
        from mlflow.exceptions import MlflowException

        try:
            found = self._client.get_run(mlflow_id).data.tags.get(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None
        return str(found) if found else None

    def _chosen_experiment(self, backend: Backend) -> str:
        """Return the experiment: MLflow shows a run below its parent only if they share it."""
        if self._parent and not backend.experiment:
            return str(self._parent.info.experiment_id)
        return self._experiment_id(backend.experiment or self._start["usecase"])

    def _experiment_id(self, name: str) -> str:
        from mlflow.exceptions import MlflowException

        found = self._client.get_experiment_by_name(name)
        if found is None:
            root = (
                self._backend.artifact_root
                and f"{self._backend.artifact_root}/{artifacts.slug(name)}"
            )
            try:
                return str(
                    self._client.create_experiment(
                        name, artifact_location=root, tags=_EXPERIMENT_TAGS
                    )
                )
            except MlflowException:  # another run created it meanwhile
                found = self._client.get_experiment_by_name(name)
        if found is None or found.lifecycle_stage != "active":
            fix = "restore it (mlflow experiments restore), or set tracking.experiment to another name"
            raise UserError(
                "tracking.experiment", f"the experiment '{name}' is deleted in MLflow", fix
            )
        return str(found.experiment_id)

    def _find_runs(self) -> None:
        own = f"tags.`rpi.run_id` = '{self._start['run_id']}'"
        for run in self._client.search_runs([self._experiment], own, max_results=_MOST_RUNS):
            if project.TAG in run.data.tags:  # what a stage's project logged
                continue
            stage = run.data.tags.get("rpi.stage") or None
            self._runs[stage], self._tags[stage] = run.info.run_id, dict(run.data.tags)

    def _run(self, stage: str | None, start_ms: int) -> str:
        """Return the MLflow run of the stage, created if the search did not find it."""
        if stage not in self._runs:
            tags = {"rpi.run_id": self._start["run_id"], "mlflow.source.name": "run.py"}
            if stage is not None:
                tags["rpi.stage"] = stage
                tags["mlflow.parentRunId"] = self._run(None, milliseconds(self._start["time"]))
            else:
                tags |= sweep.tags_of_job(self._start) | self._parent_tag()
            name = stage or description.run_name(self._start)
            made = self._client.create_run(self._experiment, start_ms, tags, name)
            self._runs[stage], self._tags[stage] = made.info.run_id, tags
        return self._runs[stage]

    def _parent_tag(self) -> dict[str, str]:
        """Return the tag that nests this run in that of its sweep, or in that of `mlflow run`."""
        outer = self._sweep() or (self._parent and self._parent.info.run_id)
        return {"mlflow.parentRunId": outer} if outer else {}

    def _sweep(self) -> str | None:
        """Return the MLflow run of the sweep, created if it does not exist; None outside a sweep."""
        outer = self._parent.info.run_id if self._parent else None
        return sweep.find_or_create(
            self._client, self._experiment, self._start, self._run_dir, outer
        )

    def _log(self, mlflow_id: str, entry: Entry) -> None:
        from mlflow.entities import Metric, Param, RunTag

        params = _batches([Param(*item) for item in entry.params.items()], _TEXTS_PER_CALL)
        tags = _batches([RunTag(*item) for item in entry.tags.items()], _TEXTS_PER_CALL)
        # Last point first: MLflow then keeps it as the latest and need not overwrite it.
        points = _batches([Metric(*point) for point in reversed(entry.points)], _POINTS_PER_CALL)
        for metrics, params_now, tags_now in zip_longest(points, params, tags, fillvalue=()):
            self._client.log_batch(mlflow_id, metrics, params_now, tags_now)

    def _log_assets(self, mlflow_id: str, assets: Sequence[Mapping[str, Any]]) -> None:
        from mlflow.entities import DatasetInput, InputTag

        inputs = [
            DatasetInput(
                _dataset(asset), [InputTag("mlflow.data.context", text(asset["key"])[:500])]
            )
            for asset in assets
        ]
        if inputs:
            self._client.log_inputs(mlflow_id, inputs)

    def _log_figures(self, mlflow_id: str, figures: Sequence[Figure]) -> None:
        """Send the figures as artifacts; a figure replaces an earlier one of the same name."""
        if figures:
            with tempfile.TemporaryDirectory() as folder:
                artifacts.write_figures(figures, Path(folder))
                self._client.log_artifacts(mlflow_id, folder, "figures")

    def _log_outputs(self, mlflow_id: str, entry: Entry) -> None:
        """Send the outputs that are not in MLflow yet, according to the tags with their digests."""
        known = self._tags.setdefault(entry.stage, {})
        for name, digest in entry.outputs.items():
            path = layout.artifact(self._run_dir, entry.stage or "", name)
            tag, digest = key(f"rpi.output.{name}"), text(digest)
            if known.get(tag) == digest or not path.exists():
                continue
            left_out = artifacts.why_left_out(path, self._backend.artifact_max_bytes)
            if logged := project.read(name, path):
                self._import(mlflow_id, entry.stage or "", logged, digest)
            elif left_out:
                self._client.set_tag(mlflow_id, key(f"rpi.left_out.{name}"), left_out)
            else:
                self._send(mlflow_id, name, path)
            self._client.set_tag(mlflow_id, tag, digest)
            known[tag] = digest

    def _send(self, mlflow_id: str, name: str, path: Path) -> None:
        if folder := self._local_folder(self._client.get_run(mlflow_id).info.artifact_uri):
            artifacts.refer(path, folder)
        else:
            with tempfile.TemporaryDirectory() as copied:
                artifacts.copy(path, Path(copied) / path.name)
                self._client.log_artifacts(mlflow_id, copied)
        if model.is_package(name, path):
            self._send_model(mlflow_id, path)

    def _import(self, mlflow_id: str, stage: str, logged: project.Logged, digest: str) -> None:
        """Send the runs that a stage's MLflow Project logged."""
        about = project.Stage(
            mlflow_id=mlflow_id,
            experiment=self._experiment,
            tags={"rpi.run_id": self._start["run_id"], "rpi.stage": stage},
            digest=digest,
            max_bytes=self._backend.artifact_max_bytes,
        )
        project.send(self._client, about, logged, self._log, self._local_folder)

    def _send_model(self, mlflow_id: str, package: Path) -> None:
        about = self._about_model()
        with tempfile.TemporaryDirectory() as copied:
            copy = Path(copied) / package.name
            artifacts.copy(package, copy)
            location = model.log(self._client, self._experiment, mlflow_id, about, copy)
        if folder := self._local_folder(location):
            artifacts.share(folder / "artifacts" / package.name, package)

    def _about_model(self) -> model.About:
        start = self._start
        names = ("run_id", "usecase", "target", "git_commit")
        tags = {f"rpi.{name}": text(start[name]) for name in names if start.get(name)}
        is_sample = any(asset.get("sample") for asset in start["assets"])
        return model.About(
            name=artifacts.slug(f"{start['usecase']}-{start['target']}"),
            run=self._run(None, milliseconds(start["time"])),
            params={key(name): text(value) for name, value in start["params"].items()},
            tags=tags | {"rpi.sample_data": str(is_sample).lower()},
        )

    def _local_folder(self, uri: str) -> Path | None:
        """Return the folder of artifacts if it is on this machine and not behind a server."""
        from mlflow.utils.file_utils import local_file_uri_to_path

        if not self._backend.is_database or not uri.startswith("file:"):
            return None
        return Path(local_file_uri_to_path(uri))  # type: ignore[no-untyped-call]


def _dataset(asset: Mapping[str, Any]) -> Any:
    """Return the asset as MLflow's entity, built by hand because mlflow.data would read the data."""
    from mlflow.entities import Dataset

    digest = text(asset.get("digest") or "").rpartition(":")[2][:_DIGEST_LENGTH] or "unknown"
    names = ("source", "path", "digest", "licence", "sample")
    known = {name: asset[name] for name in names if asset.get(name)}
    kind = "http" if str(asset.get("source") or "").startswith("http") else "local"
    where = asset.get("source") or asset.get("path") or ""
    named = "url" if kind == "http" else "uri"
    return Dataset(
        text(asset["name"])[:500], digest, kind, text({named: where}), profile=text(known)
    )


def _batches(items: Iterable[_Item], size: int) -> Iterable[list[_Item]]:
    iterator = iter(items)
    while some := list(islice(iterator, size)):
        yield some
