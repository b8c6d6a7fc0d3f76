"""`forget person=NAME`: remove a person from the artifacts, packages and records of a use case.

The use case's `forget:` names the stage that knows what a person's data look like. Artifacts with data
of the person are removed, and the next run makes them again; packages are replaced by others without the
person. The store comes last: as long as it has the artifacts, the command can be repeated after a kill.
"""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from engine import handles, interrupts, layout, run_files, single_job
from engine.contract import Contract
from engine.durable import write_whole
from engine.errors import UserError, did_you_mean
from engine.events import RunState
from engine.forgetting import evidence, remains, run_texts
from engine.forgetting.evidence import Evidence, Output
from engine.forgetting.lineage import Derived
from engine.forgetting.words import Words
from engine.mlflow import cursor as cursors
from engine.mlflow import forgetting as mlflow
from engine.mlflow.forgetting import Change
from engine.options import CommandOptions
from engine.report import card
from engine.request import Request
from engine.signature import Library
from engine.sinks import report
from engine.store import Store
from engine.wording import as_typed, plural

MOST_NAMED = 20  # files in a list
_SENDER_S = 15.0  # how long to wait for MLflow's sender of a run
_NEEDS = {"inputs": {"artifacts"}, "outputs": {"found", "rewritten"}, "params": {"person"}}


class Options(CommandOptions):
    """The options of `forget`."""

    IS_CACHED: ClassVar[bool] = False  # the person's name is one of them

    person: str | None = Field(
        None, description="the name, as that of the person's folder of pictures"
    )
    dry_run: bool = Field(False, description="only show what would be removed")


@dataclass(frozen=True, slots=True)
class Found:
    """What to remove, and the packages without the person: old digest -> new folder."""

    there: Evidence
    doomed: Derived
    packages: Mapping[str, Path]


def main(request: Request[Options]) -> tuple[int, None]:
    """Remove the person's data, and print what was removed and where copies may remain."""
    person, contract = _person(request), _contract(request)
    layout.make_outputs(request.outputs)
    store = Store(layout.store_dir(request.outputs))
    with interrupts.terminable(), store.locks.unused() as is_unused:
        if not is_unused:
            what, fix = "a run is in progress", "wait until it has ended, and repeat the command"
            raise UserError(f"outputs={as_typed(request.outputs)}", what, fix)
        store.locks.sweep()
        with store.locks.work(f"forget-{time.time_ns()}") as work:
            found = _found(request, contract, store, work, person)
            _tell(request, found)
            if not request.options.dry_run:
                _remove(request, store, work, found, Words(person))
    if not request.options.dry_run:
        _tell_rest(request, found.there, person)
    return 0, None


def _person(request: Request[Options]) -> str:
    person = (request.options.person or "").strip()
    if not person:
        raise UserError("person", "forget needs the name of a person", "add person=NAME")
    return person


def _contract(request: Request[Options]) -> Contract:
    """Return the contract of the use case's stage."""
    name, where = request.usecase.forget, f"{request.where}: forget"
    if name is None:
        what = "this use case does not declare how to find a person's data"
        raise UserError(where, what, "add 'forget: stages.<domain>.forget'")
    found = Library(request.settings.stage_packages, request.roots).signature(name, where)
    for key, names in _NEEDS.items():
        if missing := names - set(getattr(found, key)):
            what = f"'{name}' lacks {key}: {', '.join(sorted(missing))}"
            fix = "give it the input 'artifacts', the parameter 'person', the outputs 'found' and 'rewritten'"
            raise UserError(where, what, fix)
    return found


def _found(
    request: Request[Options], contract: Contract, store: Store, work: Path, person: str
) -> Found:
    """Return what to remove; raise UserError if nothing is known of the person."""
    words = Words(person)
    there = evidence.gather(request.outputs, request.usecase.name, store, _recorded(request))
    entries = {digest.replace(":", "-"): digest for digest in there.artifacts}
    (work / "artifacts").mkdir()
    for entry, digest in entries.items():
        (work / "artifacts" / entry).symlink_to(there.artifacts[digest].absolute())
    (work / "stage").mkdir()
    inputs = {"artifacts": work / "artifacts"}
    done = single_job.run(request, contract, work / "stage", inputs, {"person": person})
    if not done.succeeded:
        raise RuntimeError(f"{contract.label} failed:\n{done.log_tail}")
    for note in done.notes:
        print(f"note: {note}")
    about = json.loads(done.outputs["found"].read_text(encoding="utf-8"))
    holding, whole = ([entries[one] for one in about[key]] for key in ("holding", "packages"))
    doomed = there.of(holding, whole, words)
    if not doomed.digests and not any(map(words.of_pictures.are_in, _notes(there))):
        what = f"no artifact of {request.usecase.name} in {as_typed(request.outputs)} has this name"
        raise UserError(f"person={person}", what, did_you_mean(person, about["names"]))
    made = done.outputs["rewritten"]
    packages = {entries[path.name]: path for path in sorted(made.iterdir())}
    return Found(there, doomed, packages)


def _recorded(request: Request[Options]) -> Iterator[Output]:
    """Yield the outputs that the local MLflow has of the use case."""
    database = mlflow.database(request.outputs, request.settings.tracking.model_dump())
    for one in mlflow.sent(database, request.usecase.name) if database else ():
        yield Output(
            run_id=one.run_id,
            stage=one.stage,
            name=one.name,
            digest=one.digest,
            path=one.path,
            folder=one.folder,
        )


def _notes(there: Evidence) -> Iterator[list[str]]:
    for run_dir in there.runs:
        state = run_files.state(run_dir)
        yield [*state.notes, *(note for stage in state.stages.values() for note in stage.notes)]


def _tell(request: Request[Options], found: Found) -> None:
    verb = "would be removed" if request.options.dry_run else "removing"
    runs = {one.run_id for one in found.there.outputs if one.digest in found.doomed.digests}
    count = len(found.doomed.digests) - len(found.packages)
    print(f"{verb}: {plural(count, 'artifact')} of {plural(len(runs), 'run')}")
    print(f"packages to replace by others without the person: {len(found.packages)}")


def _remove(
    request: Request[Options], store: Store, work: Path, found: Found, words: Words
) -> None:
    """Remove everything in an order that lets an interrupted command be repeated."""
    rewritten = {old: (store.add("rewritten", path), path) for old, path in found.packages.items()}
    rewritten = {old: (new, _named(store, new, work)) for old, (new, _) in rewritten.items()}
    changed = {
        run_dir.name: (run_dir, run_files.state(run_dir))
        for run_dir in found.there.runs
        if _clean_run(run_dir, found, rewritten, store, words)
    }
    _clean_mlflow(request, found, rewritten, changed, words)
    for folder in ("requests", "corrupt"):  # caches, and damaged artifacts of unknown content
        for path in (store.root / folder).glob("*"):
            handles.remove(path)
    _clean_store(store, found)


def _named(store: Store, digest: str, work: Path) -> Path:
    """Return a folder with the artifact that is called `package`, as MLflow has it."""
    path = work / digest.replace(":", "-") / "package"
    store.materialise(digest, path)
    return path


def _clean_run(
    run_dir: Path,
    found: Found,
    rewritten: Mapping[str, tuple[str, Path]],
    store: Store,
    words: Words,
) -> bool:
    """Remove or replace the artifacts in a run's folder, and the name in its files."""
    with cursors.held(run_dir, _SENDER_S) as is_mine:
        if not is_mine:
            what = "MLflow's sender is still recording this run"
            raise UserError(as_typed(run_dir), what, "repeat the command when it has ended")
        mine = [one for one in found.there.outputs if one.folder == run_dir]
        lost = [one for one in mine if one.digest in found.doomed.digests]
        for one in lost:
            _replace(one.path, rewritten.get(one.digest, ("", None))[0], store)
        digests = {old: new for old, (new, _) in rewritten.items()}
        return run_texts.clean(run_dir, words, digests, _render, bool(lost)) or bool(lost)


def _replace(path: Path, digest: str, store: Store) -> None:
    """Remove an output from a run's folder, and put the artifact with this digest there, if any."""
    partial = path.with_name(f".{path.name}.part")
    handles.remove(partial)
    if digest:
        store.materialise(digest, partial)
    handles.remove(path)
    if digest:
        partial.rename(path)


def _render(state: RunState, run_dir: Path) -> None:
    """Write the report and the model card again."""
    text = card.card(run_dir, state)
    if text is None:
        handles.remove(run_dir / card.FILE)
    else:
        write_whole(run_dir / card.FILE, text.encode(), durable=False)
    write_whole(run_dir / "report.html", report.render(state, run_dir).encode(), durable=False)


def _clean_mlflow(
    request: Request[Options],
    found: Found,
    rewritten: Mapping[str, tuple[str, Path]],
    changed: Mapping[str, tuple[Path, RunState]],
    words: Words,
) -> None:
    tracking = request.settings.tracking.model_dump()
    if database := mlflow.database(request.outputs, tracking):
        change = Change(
            doomed=found.doomed.digests,
            rewritten=rewritten,
            has_name=words.are_in_bytes,
            without_name=words.replaced,
        )
        count = mlflow.clean(database, request.usecase.name, change, changed)
        print(f"changed in MLflow: {plural(count, 'record')}, tagged {mlflow.TAG}")


def _clean_store(store: Store, found: Found) -> None:
    """Remove the artifacts, those computed from others first: what is left still leads to the rest."""
    doomed, left = set(found.doomed.digests), list[str]()
    for record in reversed(found.doomed.records):
        own = [digest for digest in record.outputs.values() if digest in doomed]
        left += store.remove(own, record.fingerprint)
    left += store.remove(sorted(doomed))
    for digest in dict.fromkeys(left):
        print(
            f"kept: {as_typed(store.path(digest))}: it belongs to another user; remove it manually"
        )
    for summary in found.there.runs.values():
        for stage in summary.stages.values():
            if stage.fingerprint and stage.state != "finished":
                store.drop_checkpoint(stage.fingerprint)


def _tell_rest(request: Request[Options], there: Evidence, person: str) -> None:
    """Print where the name still is, and where this command cannot look."""
    print("the next run makes what was removed again, without the person if the pictures are gone")
    for path in remains.pictures(there.runs, person):
        print(
            f"left: your pictures in {as_typed(path)}; if you keep them, the next run enrols the person"
        )
    files = remains.files(request.outputs, Words(person))
    for path in files[:MOST_NAMED]:
        print(f"left: {as_typed(path)} still has the name")
    if len(files) > MOST_NAMED:
        print(f"left: {len(files) - MOST_NAMED} more files still have the name")
    print(
        "not searched: devices to which a package was deployed, other MLflow servers, exported copies, "
        "outputs of predict, other outputs folders, backups, your shell's history"
    )
