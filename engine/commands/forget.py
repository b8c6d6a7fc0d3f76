"""`forget person=NAME`: remove a person from the artifacts, packages and records of a use case.

The use case's `forget:` names the stage that knows what a person's data look like. Artifacts with data
of the person are removed, and the next run makes them again; packages are replaced by others without the
person.
"""

import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from engine import interrupts, layout, run_files, single_job
from engine.contract import Contract
from engine.errors import UserError, did_you_mean
from engine.forgetting import evidence, remains, removal
from engine.forgetting.evidence import Evidence, Output
from engine.forgetting.removal import Found
from engine.forgetting.words import Words, normal
from engine.mlflow import forgetting as mlflow
from engine.options import CommandOptions
from engine.request import Request
from engine.signature import Library
from engine.store import Store
from engine.wording import as_typed, plural

MOST_NAMED = 20  # files in a list
_NEEDS = {"inputs": {"artifacts"}, "outputs": {"found", "rewritten"}, "params": {"person"}}


class Options(CommandOptions):
    """The options of `forget`."""

    IS_CACHED: ClassVar[bool] = False  # the person's name is one of them

    person: str | None = Field(
        None, description="the name, as that of the person's folder of pictures"
    )
    dry_run: bool = Field(False, description="only show what would be removed")


def main(request: Request[Options]) -> tuple[int, None]:
    """Remove the person's data, and print what was removed and where copies may remain."""
    person, contract = _person(request), _contract(request)
    _require_outputs(request.outputs)
    layout.make_outputs(request.outputs)
    store = Store(layout.store_dir(request.outputs))
    with interrupts.terminable(), store.locks.unused() as is_unused:
        if not is_unused:
            what, fix = "a run is in progress", "wait until it has ended, and repeat the command"
            raise UserError(f"outputs={as_typed(request.outputs)}", what, fix)
        store.locks.sweep()
        with store.locks.work(f"forget-{time.time_ns()}") as work:
            there = evidence.gather(
                request.outputs, request.usecase.name, store, _recorded(request)
            )
            done = _asked(request, contract, there, work, person)
            if not done.succeeded:
                print(done.log_tail, file=sys.stderr)
                return 1, None
            about = json.loads(done.outputs["found"].read_text(encoding="utf-8"))
            folders = remains.folders(there.runs)
            words = Words(person, [*about["names"], *(path.name for path in folders)])
            found = _found(request, there, done, about, words)
            _tell(request, found)
            if not request.options.dry_run:
                database = mlflow.database(request.outputs, request.settings.tracking.model_dump())
                for line in removal.remove(found, words, store, work, database):
                    print(line)
    if not request.options.dry_run:
        _tell_rest(request, folders, words)
    return 0, None


def _person(request: Request[Options]) -> str:
    person = normal(request.options.person or "")
    if not person:
        raise UserError("person", "forget needs the name of a person", "add person=NAME")
    return person


def _require_outputs(outputs: Path) -> None:
    """Raise UserError if nothing was ever run there, so that a typo creates no folder."""
    if not layout.store_dir(outputs).is_dir():
        fix = "name the outputs folder of your runs: outputs=DIR"
        raise UserError(f"outputs={as_typed(outputs)}", "there are no outputs of runs", fix)


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


def _asked(
    request: Request[Options], contract: Contract, there: Evidence, work: Path, person: str
) -> single_job.Done:
    """Run the stage on links to all artifacts, each called like its digest."""
    (work / "artifacts").mkdir()
    for digest, path in there.artifacts.items():
        (work / "artifacts" / _entry(digest)).symlink_to(path.absolute())
    (work / "stage").mkdir()
    inputs = {"artifacts": work / "artifacts"}
    return single_job.run(request, contract, work / "stage", inputs, {"person": person})


def _entry(digest: str) -> str:
    return digest.replace(":", "-")


def _found(
    request: Request[Options],
    there: Evidence,
    done: single_job.Done,
    about: Mapping[str, list[str]],
    words: Words,
) -> Found:
    """Return what to remove; raise UserError if nothing is known of the person.

    about: what the stage found
    """
    for note in done.notes:
        print(f"note: {note}")
    digests = {_entry(digest): digest for digest in there.artifacts}
    holding, whole = ([digests[one] for one in about[key]] for key in ("holding", "packages"))
    doomed = there.of(holding, whole, words)
    if not doomed.digests and not any(map(words.of_pictures.are_in, _notes(there))):
        what = f"no artifact of {request.usecase.name} in {as_typed(request.outputs)} has this name"
        raise UserError(f"person={words.name}", what, did_you_mean(words.name, about["names"]))
    made = sorted(done.outputs["rewritten"].iterdir())
    packages = {digests[path.name]: path for path in made}
    return Found(request.usecase.name, there, doomed, packages)


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
    for run_dir, summary in found.there.runs.items():
        if summary.damage:
            print(f"kept: {as_typed(run_dir)}: {summary.damage}; remove the folder manually")


def _tell_rest(request: Request[Options], folders: Iterable[Path], words: Words) -> None:
    """Print where the name still is, and where this command cannot look."""
    print("the next run makes what was removed again, without the person if the pictures are gone")
    for path in (one for one in folders if words.are(one.name)):
        print(
            f"left: your pictures in {as_typed(path)}; if you keep them, the next run enrols the person"
        )
    events = layout.serving_dir(request.outputs, request.usecase.name) / "events"
    if events.is_dir() and any(events.iterdir()):
        print(f"left: the pictures of events in {as_typed(events)} may show the person")
    files = remains.files(request.outputs, words)
    for path in files[:MOST_NAMED]:
        print(f"left: {as_typed(path)} still has the name")
    if len(files) > MOST_NAMED:
        print(f"left: {len(files) - MOST_NAMED} more files still have the name")
    print(
        "not searched: devices to which a package was deployed, other MLflow servers, exported copies, "
        "outputs of predict, other outputs folders, backups, your shell's history"
    )
