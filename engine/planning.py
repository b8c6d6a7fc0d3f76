"""Turns a request into a plan: checks the use case, chooses an executor, digests assets, and looks up
every job.

Reads sources, assets and the store, and asks executors what they can run; starts nothing.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine import (
    check,
    defined,
    dispatch,
    extensions,
    fetch,
    layout,
    magic,
    ordinary,
    origin,
    run_names,
    when,
)
from engine import graph as graphs
from engine.asset import Asset
from engine.check import Checked
from engine.dispatch import Dispatcher, Stages
from engine.errors import UserError, did_you_mean, raise_all
from engine.foreach import base_of, value_of
from engine.interfaces import Say
from engine.placement import CLUSTER_EXECUTOR
from engine.plan import Job, Plan, ResolvedAsset, from_device_on, settle_all
from engine.request import Request
from engine.settings import Settings
from engine.signature import Library
from engine.spec import StageSpec, UseCase
from engine.store import Store
from engine.tools import definition
from engine.wording import as_typed, listed

NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Planning:
    """A plan with what it was made from."""

    plan: Plan
    store: Store
    executors: Dispatcher
    warnings: Sequence[str]


def plan(
    request: Request,
    refused: Mapping[str, str] = NOTHING,
    without: Mapping[str, str] = NOTHING,
) -> Planning:
    """Return the plan; raise every mistake of the request together.

    refused: executors that are excluded although they can run the stages, and without: environments that
    cannot be provided, each with the reason. One whose installation failed is planned only if a stage
    that names it has to run anyway.
    """
    made = _plan(request, refused, without)
    failed = _failed(made)
    if not failed:
        return made
    other = _plan(request, refused, {**without, **failed})
    is_cached = not any(one.job.spec.image in failed for one in other.plan.to_run)
    chosen, unused = (other, made) if is_cached else (made, other)
    unused.executors.close()
    return chosen


def _plan(request: Request, refused: Mapping[str, str], without: Mapping[str, str]) -> Planning:
    _refuse_unknown(request.settings)
    if request.settings.run_name is not None:
        run_names.check(request.outputs, request.settings.run_name)
    store = Store(layout.store_dir(request.outputs))
    usecase = _with_makers(request)
    library = Library(request.settings.stage_packages, request.roots, store.root / "sources.json")
    chosen = request.settings.executor
    context = dispatch.executor_context(request, without)
    executors = Dispatcher(context, chosen.name, chosen.first_of)
    left_out = when.left_out(
        usecase.stages, request.target, usecase.params, _given(request), usecase.task
    )
    there = {name: spec for name, spec in usecase.stages.items() if name not in left_out}
    why = executors.choose(_readable(there, library), refused)
    library.remember()
    checked = _checked(request, usecase, library, executors, left_out)
    if chosen.driver == CLUSTER_EXECUTOR:
        executors.keep_here(from_device_on(checked.jobs, request.target))
    kept = _kept(checked, request, left_out)
    jobs = {name: job for name, job in checked.jobs.items() if name in kept}
    forced = _forced(request, checked.graph, kept, left_out)
    raise_all([*_other_files(request, jobs), *_other_functions(request, jobs)])
    needed = _assets_of(jobs)
    assets = {
        key: _resolved(key, request.assets[key], store) for key in request.assets if key in needed
    }
    found = {key: asset for key, asset in assets.items() if asset}
    made = Plan(
        usecase.name,
        request.target,
        usecase.params,
        next(iter(usecase.objectives), None),
        found,
        settle_all(jobs, found, store, forced),
        checked.graph.only(kept),
        (*request.notes, *_notes(request, needed | kept), *_of_stages(jobs), *filter(None, [why])),
        Counter(map(base_of, checked.jobs)),
        forced,
        left_out,
        usecase.objectives,
        usecase.best,
    )
    return Planning(made, store, executors, checked.warnings)


def fetch_assets(request: Request, planning: Planning, say: Say) -> None:
    """Fetch the declared assets that the jobs to run will read; raise the mistakes of all failures
    together.
    """
    mirror = _mirror(request)
    mistakes: list[UserError] = []
    refs = [ref for one in planning.plan.to_run for ref in one.job.inputs.values() if ref]
    for key in sorted({ref.name for ref in refs if ref.stage is None}):
        asset = request.assets[key]
        try:
            if isinstance(asset, Asset) and asset.path is None:
                fetch.fetch(asset, planning.store, mirror, say)
        except UserError as mistake:
            mistakes.append(mistake)
    if mistakes:
        raise ExceptionGroup("assets are missing", mistakes)


def _failed(planning: Planning) -> dict[str, str]:
    """Return the environments of stages to run whose installation failed before, each with the reason."""
    failed: dict[str, str] = {}
    for one in planning.plan.to_run:
        tools = one.job.placement.tools
        if tools and (failure := tools.failure(planning.store.root)):
            failed.setdefault(tools.name, definition.why(*failure, one.job.stage))
    return failed


def _refuse_unknown(settings: Settings) -> None:
    """Raise UserError for unknown sinks and an unknown driver."""
    named = [("sinks", "sink", name) for name in settings.sinks]
    named.append(("executor.driver", "driver", settings.executor.driver))
    raise_all(
        [
            UserError(f"{key}={name}", f"there is no such {kind}", did_you_mean(name, known))
            for key, kind, name in named
            if name not in (known := extensions.names(f"{kind}s"))
        ]
    )


def _readable(stages: Mapping[str, StageSpec], library: Library) -> Stages:
    """Return the stages whose contract can be read; the check reports the others."""
    found = []
    for name, spec in stages.items():
        try:
            found.append((spec, check.contract_of(spec, library, name)))
        except* UserError:
            pass
    return found


def _given(request: Request) -> dict[str, object]:
    """Return the value of each asset; one that is wrong, and hence not among the request's, is given too."""
    return {**request.usecase.assets, **request.assets}


def _checked(
    request: Request,
    usecase: UseCase,
    library: Library,
    executors: Dispatcher,
    left_out: Mapping[str, str],
) -> Checked:
    """Check the use case, or raise all its mistakes, validation errors included, ordered by stage."""
    conditions = when.mistakes(usecase.stages, usecase.params, request.where, _given(request))
    mistakes, checked = [*request.mistakes, *conditions], None
    try:
        checked = check.check(usecase, library, executors.place, request.where, left_out)
    except ExceptionGroup as found:
        mistakes += _independent(found, mistakes)
    order = {
        base_of(name): at for at, name in enumerate(usecase.stages)
    }  # mistakes outside stages come first
    unique = {str(one): one for one in (_as_written(mistake, usecase) for mistake in mistakes)}
    by_stage = sorted(unique.values(), key=lambda mistake: order.get(_location(mistake)[1], -1))
    traced = (
        origin.traced(mistake, request.command, request.config_dirs, request.assets.values())
        for mistake in by_stage
    )
    raise_all([*{str(mistake): mistake for mistake in traced}.values()])
    assert checked is not None
    return checked


def _as_written(mistake: UserError, usecase: UseCase) -> UserError:
    """Return the mistake, located in the file, where a foreach is one stage for all its values."""
    where, before = mistake.where, ": stages."
    for name in sorted(usecase.stages, key=len, reverse=True):  # a@10 before a@1
        if value_of(name) and f"{before}{name}" in where:
            where = where.replace(f"{before}{name}", f"{before}{base_of(name)}")
    return UserError(where, mistake.what, mistake.fix)


def _independent(
    found: ExceptionGroup[Exception], mistakes: Sequence[UserError]
) -> list[UserError]:
    """Return the found mistakes that do not merely follow from the validation errors."""
    reported = {mistake.where for mistake in mistakes}
    malformed = {_location(mistake)[1] for mistake in mistakes}
    errors = [
        one for one in found.exceptions if isinstance(one, UserError) and one.where not in reported
    ]
    return [one for one in errors if not (_location(one)[1] in malformed and _is_of_absence(one))]


def _location(mistake: UserError) -> tuple[list[str], str]:
    """Return the parts of the mistake's key, and its stage; the stage is empty outside stages."""
    parts = mistake.where.rpartition(": ")[2].split(".")
    return parts, parts[1] if parts[0] == "stages" and len(parts) > 1 else ""


def _is_of_absence(mistake: UserError) -> bool:
    """Return whether the mistake reports something missing: an invalid stage may define it in a part
    that cannot be read.
    """
    parts, _ = _location(mistake)
    return len(parts) <= 3 and parts[-1] != "uses"


def _kept(checked: Checked, request: Request, left_out: Mapping[str, str]) -> set[str]:
    last = request.settings.until
    _refuse_left_out("until", last, left_out)
    if last:
        return graphs.until(checked.graph, last, f"until={','.join(last)}")
    return set(checked.jobs) - _unread_samples(checked.jobs, request)


def _unread_samples(jobs: Mapping[str, Job], request: Request) -> set[str]:
    """Return the stages that generate a sample which no other stage reads: its readers are left out, or
    read another asset.
    """
    read = {stage for job in jobs.values() for stage in job.needs}
    made = {key for key, one in request.assets.items() if isinstance(one, Asset) and one.made_by}
    return (made & set(jobs)) - read


def _forced(
    request: Request, graph: graphs.Dag, kept: set[str], left_out: Mapping[str, str]
) -> frozenset[str]:
    """Return the stages that run again although they are cached; raise UserError for one that is not
    planned.
    """
    names = request.settings.force
    if "all" in names:
        return frozenset(kept)
    _refuse_left_out("force", names, left_out)
    forced: set[str] = set()
    for name in names:
        found = kept.intersection(graphs.named(graph, name, f"force={','.join(names)}"))
        if not found:
            what = f"until={','.join(request.settings.until)} ends the plan before '{name}'"
            raise UserError(f"force={name}", what, "remove the stage from force= or change until=")
        forced |= found
    return frozenset(forced)


def _refuse_left_out(key: str, names: Sequence[str], left_out: Mapping[str, str]) -> None:
    for name in names:
        if name in left_out:
            what = f"'{name}' is left out: {left_out[name]}"
            fix = "name another stage, or change what leaves it out"
            raise UserError(f"{key}={name}", what, fix)


def _with_makers(request: Request) -> UseCase:
    """Return the use case with a stage, named like the asset, for each sample that a stage generates."""
    stages: dict[str, StageSpec] = dict(request.usecase.stages)
    assets: dict[str, str | None] = dict(request.usecase.assets)
    renamed: dict[str, str] = {}
    for key, asset in request.assets.items():
        if key not in assets:  # an invalid name: already reported, and removed from the use case
            continue
        if isinstance(asset, Asset) and asset.made_by:
            if key in stages:
                what = f"the asset '{key}' is generated by a stage of that name"
                raise UserError(f"{request.where}: stages.{key}", what, "rename the stage")
            made_by = {"uses": asset.made_by.uses, "params": asset.made_by.params}
            stages[key] = StageSpec.model_validate(made_by)
            renamed[f"asset:{key}"] = f"{key}.{asset.made_by.output}"
            del assets[key]
        elif asset is None:
            assets[key] = None
    for name, spec in stages.items():
        inputs = {key: _renamed(text, renamed) for key, text in spec.inputs.items()}
        stages[name] = spec.model_copy(update={"inputs": inputs})
    return request.usecase.model_copy(update={"stages": stages, "assets": assets})


def _renamed(text: str | list[str], renamed: Mapping[str, str]) -> str | list[str]:
    """Return an input with renamed references replaced."""
    if isinstance(text, list):
        return [renamed.get(one, one) for one in text]
    return renamed.get(text, text)


def _mirror(request: Request) -> Path | None:
    if request.settings.mirror is None:
        return None
    where = f"mirror={request.settings.mirror}"
    mirror = Path(request.settings.mirror).expanduser().absolute()
    if not mirror.is_dir():
        raise UserError(where, "there is no such folder", "choose a folder with copies of assets")
    ordinary.refuse_kernels(where, mirror.stat())
    return mirror


def _resolved(key: str, asset: Asset | Path | None, store: Store) -> ResolvedAsset | None:
    """Digest the asset: a path by its files, a declared asset by its declaration, without reading it."""
    if asset is None:
        return None
    if isinstance(asset, Path):
        return ResolvedAsset(
            key, str(asset), asset, store.assets.of(asset), None, str(asset), False
        )
    if asset.path:
        path = Path(asset.path)
        digest = store.assets.of(path)
    else:
        path, digest = fetch.path_of(asset, store), fetch.digest(asset)
    return ResolvedAsset(key, asset.name, path, digest, asset.licence, asset.source, asset.sample)


def _other_files(request: Request, jobs: Mapping[str, Job]) -> Iterator[UserError]:
    """Yield a mistake for each of the user's files whose kind its stage does not read."""
    reported = set()
    for job in jobs.values():
        for key, kinds in job.contract.reads.items():
            ref = job.inputs.get(key)
            path = _on_disk(request.assets.get(ref.name)) if ref and ref.stage is None else None
            if path and path not in reported and not magic.is_of(path, kinds):
                reported.add(path)
                where = f"{request.where}: assets.{ref.name if ref else ''}"
                what = f"the stage '{job.stage}' cannot read this file as its {key}"
                found = UserError(where, what, f"give {listed(kinds, 'or')}")
                yield origin.traced(found, request.command, request.config_dirs)


def _other_functions(request: Request, jobs: Mapping[str, Job]) -> Iterator[UserError]:
    """Yield what is wrong with the Python files in the user's folders, once for each file."""
    reported = set()
    for job in jobs.values():
        for key in job.contract.defines:
            ref = job.inputs.get(key)
            path = _on_disk(request.assets.get(ref.name)) if ref and ref.stage is None else None
            if path is None:
                continue
            where = f"{request.where}: stages.{job.stage}"
            for mistake in defined.mistakes(job.contract, key, path, job.params, where):
                found = origin.traced(mistake, request.command, request.config_dirs)
                if (found.where, found.what) not in reported:
                    reported.add((found.where, found.what))
                    yield found


def _on_disk(asset: Asset | Path | None) -> Path | None:
    """Return the path of an asset that is the user's own, or None."""
    if isinstance(asset, Asset):
        return Path(asset.path) if asset.path else None
    return asset


def _assets_of(jobs: Mapping[str, Job]) -> set[str]:
    """Return the keys of the assets that the jobs read."""
    refs = [ref for job in jobs.values() for ref in job.inputs.values() if ref]
    return {ref.name for ref in refs if ref.stage is None}


def _of_stages(jobs: Mapping[str, Job]) -> list[str]:
    """Return the notes of the stages and of their placement, each once."""
    found = (note for job in jobs.values() for note in (*job.contract.notes, job.placement.note))
    return list(dict.fromkeys(filter(None, found)))


def _notes(request: Request, used: Collection[str]) -> list[str]:
    """Return notes on the data of this run: a missing licence, or a sample.

    used: keys of assets, and stages, some of which generate an asset
    """
    notes = []
    for key, asset in request.assets.items():
        if key not in used:
            continue
        if isinstance(asset, Asset) and asset.licence is None:
            notes.append(
                f"{asset.name} has no licence: use it only for your own tests, and do not "
                "distribute results derived from it"
            )
        if isinstance(asset, Asset) and asset.sample:
            own = as_typed(Path(request.settings.data) / request.usecase.name)
            notes.append(
                f"{key} is sample data ({asset.name}); to use your own, put it into {own}/ or set "
                f"assets.{key}=FOLDER"
            )
    return notes
