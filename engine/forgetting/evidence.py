"""Collects what the outputs folder has of a use case: its runs, and its artifacts by digest."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from engine import layout, run_files
from engine.forgetting.lineage import Derived, derived
from engine.forgetting.words import Words
from engine.run_files import RunSummary
from engine.store import Record, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A stage's output in the folder of a run, or in MLflow."""

    run_id: str
    stage: str
    name: str
    digest: str
    path: Path  # it may be missing: it was removed, or never sent
    folder: Path  # of the run, or of the artifacts of the MLflow run


@dataclass(frozen=True, slots=True)
class Evidence:
    """The runs of the use case, and everything that may be a person's data."""

    runs: Mapping[Path, RunSummary]
    records: tuple[Record, ...]  # of all jobs in the store
    own: tuple[Record, ...]  # without the jobs that only other use cases have
    outputs: tuple[Output, ...]  # of all runs of the use case, also in MLflow
    artifacts: Mapping[str, Path]  # one path for each digest that still exists

    def of(self, holding: Iterable[str], packages: Iterable[str], words: Words) -> Derived:
        """Return the artifacts to remove, with their jobs.

        holding:  digests of artifacts that name the person
        packages: digests of artifacts that name everybody whose data they have; only holding ones go

        To the holding ones come artifacts computed from them, those of jobs whose notes or figures name
        the person's pictures, and, in the runs that have any, artifacts of unknown origin.
        """
        kept = {*packages} - {*holding}
        named = [one for one in self.own if _names(one, words)]
        roots = {*holding, *(digest for one in named for digest in one.outputs.values())}
        found = derived(self.records, roots - kept, kept)
        known = {digest for one in self.records for digest in one.outputs.values()}
        held = {one.run_id for one in self.outputs if one.digest in found.digests}
        unknown = {one.digest for one in self.outputs if one.run_id in held} - known - kept
        return Derived(found.digests | unknown, found.records)


def gather(outputs: Path, usecase: str, store: Store, recorded: Iterable[Output]) -> Evidence:
    """Return the evidence; recorded: the outputs in MLflow, those of removed runs included."""
    every = {path: run_files.summary(path) for path in layout.runs(outputs)}
    runs = {path: one for path, one in every.items() if path.parent.parent.name == usecase}
    mine = {stage.fingerprint for one in runs.values() for stage in one.stages.values()}
    others = {stage.fingerprint for one in every.values() for stage in one.stages.values()} - mine
    records = tuple(store.records())
    own = tuple(one for one in records if one.fingerprint not in others)
    found = (*_of_runs(runs), *recorded)
    artifacts = {one.digest: one.path for one in found if one.path.exists()}
    stored = {digest: store.path(digest) for one in own for digest in one.outputs.values()}
    stored |= {one.digest: store.path(one.digest) for one in found}
    artifacts |= {digest: path for digest, path in stored.items() if path.exists()}
    return Evidence(runs, records, own, found, artifacts)


def _of_runs(runs: Mapping[Path, RunSummary]) -> Iterator[Output]:
    for run_dir, summary in runs.items():
        for stage, about in summary.stages.items():
            for name, digest in about.outputs.items():
                path = layout.artifact(run_dir, stage, name)
                yield Output(
                    run_id=run_dir.name,
                    stage=stage,
                    name=name,
                    digest=digest,
                    path=path,
                    folder=run_dir,
                )


def _names(record: Record, words: Words) -> bool:
    return words.of_pictures.are_in([record.notes, record.figures])
