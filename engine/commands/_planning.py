"""From a request to a plan: assets digested, the use case checked, every job looked up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine import check, digest, fetch, layout, ordinary
from engine import graph as graphs
from engine.asset import Asset
from engine.check import Checked
from engine.commands._executors import Executors
from engine.compose import Request
from engine.errors import UserError, did_you_mean, raise_all
from engine.plan import Plan, ResolvedAsset, settle_all
from engine.signature import Library
from engine.spec import StageSpec, UseCase
from engine.store import Store


@dataclass(frozen=True, slots=True)
class Planning:
    """A plan with what made it."""

    plan: Plan
    store: Store
    executors: Executors
    warnings: Sequence[str]


def plan(request: Request, no_containers: str = "") -> Planning:
    """Return the plan; raise every mistake of the request together.

    `no_containers`: why `executor=auto` must do without them.
    """
    executors = Executors(request, no_containers)
    store = Store(layout.store_dir(request.outputs))
    usecase = _with_makers(request)
    library = Library(request.settings.stage_packages, request.roots)
    checked = _checked(request, usecase, library, executors)
    if executors.refusal:
        return plan(request, executors.refusal)
    kept = _kept(checked, request)
    jobs = {name: job for name, job in checked.jobs.items() if name in kept}
    needed = {ref.name for job in jobs.values() for ref in job.inputs.values() if ref and ref.stage is None}
    assets = {
        key: _resolved(key, asset, store)
        for key, asset in request.assets.items()
        if key in needed and asset is not None
    }
    planned = settle_all(jobs, assets, store)
    made = Plan(
        usecase.name,
        request.target,
        usecase.params,
        usecase.objective,
        assets,
        planned,
        checked.graph.subgraph(kept).copy(),
        (*request.notes, *_notes(request), *filter(None, [executors.why])),
    )
    return Planning(made, store, executors, checked.warnings)


def _checked(request: Request, usecase: UseCase, library: Library, executors: Executors) -> Checked:
    """Check the use case, or raise every mistake of its file: of form and of meaning, in the order of the
    stages.
    """
    mistakes, checked = list(request.mistakes), None
    try:
        checked = check.check(usecase, library, executors.place, request.where)
    except ExceptionGroup as found:
        told = {mistake.where for mistake in mistakes}
        malformed = {_place(mistake)[1] for mistake in mistakes}
        mistakes += [
            one
            for one in found.exceptions
            if isinstance(one, UserError)
            and one.where not in told
            and not (_place(one)[1] in malformed and _is_of_absence(one))
        ]
    order = {
        name: at for at, name in enumerate(usecase.stages)
    }  # what is no stage, or none that can be read, comes first
    raise_all(sorted(mistakes, key=lambda mistake: order.get(_place(mistake)[1], -1)))
    assert checked is not None
    return checked


def _place(mistake: UserError) -> tuple[list[str], str]:
    """Return the key at which the mistake stands, in parts, and its stage.

    An empty one for what is no stage's.
    """
    parts = mistake.where.rpartition(": ")[2].split(".")
    return parts, parts[1] if parts[0] == "stages" and len(parts) > 1 else ""


def _is_of_absence(mistake: UserError) -> bool:
    """True where a stage is said to lack something: in a malformed one it may stand in what could not be
    read.
    """
    parts, _ = _place(mistake)
    return len(parts) <= 3 and parts[-1] != "uses"


def _kept(checked: Checked, request: Request) -> set[str]:
    last = request.settings.until
    return graphs.until(checked.graph, last, f"until={','.join(last)}") if last else set(checked.jobs)


def _with_makers(request: Request) -> UseCase:
    """Return the use case with a stage for each sample that a stage makes, in the asset's name."""
    stages: dict[str, StageSpec] = dict(request.usecase.stages)
    assets: dict[str, str | None] = dict(request.usecase.assets)
    renamed: dict[str, str] = {}
    for key, asset in request.assets.items():
        if key not in assets:  # its name cannot be one: a mistake, and in the use case no more
            continue
        if isinstance(asset, Asset) and asset.made_by:
            if key in stages:
                raise UserError(
                    f"{request.where}: stages.{key}",
                    f"the asset '{key}' is made by a stage of that name",
                    "give the stage another name",
                )
            stages[key] = StageSpec(uses=asset.made_by.uses, params=asset.made_by.params)
            renamed[f"asset:{key}"] = f"{key}.{asset.made_by.output}"
            del assets[key]
        elif asset is None:
            assets[key] = None
    for name, spec in stages.items():
        inputs = {key: renamed.get(text, text) for key, text in spec.inputs.items()}
        stages[name] = spec.model_copy(update={"inputs": inputs})
    return request.usecase.model_copy(update={"stages": stages, "assets": assets})


def bring(request: Request, planning: Planning, say: fetch.Say) -> None:
    """Bring the declared assets that a job which is to run will read; raise for all that cannot be had."""
    mirror = _mirror(request)
    mistakes: list[UserError] = []
    wanted = {
        ref.name
        for p in planning.plan.jobs.values()
        if p.record is None
        for ref in p.job.inputs.values()
        if ref and ref.stage is None
    }
    for key in sorted(wanted):
        asset = request.assets[key]
        try:
            if isinstance(asset, Asset):
                fetch.bring(asset, planning.store, mirror, say)
        except UserError as mistake:
            mistakes.append(mistake)
    if mistakes:
        raise ExceptionGroup("assets are missing", mistakes)


def _mirror(request: Request) -> Path | None:
    if request.settings.mirror is None:
        return None
    mirror = Path(request.settings.mirror).expanduser().absolute()
    if not mirror.is_dir():
        raise UserError(
            f"mirror={request.settings.mirror}",
            "there is no such folder",
            "name a folder that holds copies of assets",
        )
    ordinary.refuse_kernels(f"mirror={request.settings.mirror}", mirror.stat())
    return mirror


def refuse_endless(where: str, path: Path) -> None:
    """Raise UserError if the path, or any file below it, is one that a stage could read for ever."""
    ordinary.check(where, path.stat())
    for _ in digest.files(path) if path.is_dir() else ():
        continue


def _resolved(key: str, asset: Asset | Path, store: Store) -> ResolvedAsset:
    """Digest the asset: a path by its files, a declared one by its declaration, without reading it."""
    if isinstance(asset, Path):
        return ResolvedAsset(key, str(asset), asset, store.assets.of(asset), None, str(asset), False)
    return ResolvedAsset(
        key,
        asset.name,
        fetch.place(asset, store),
        fetch.digest(asset),
        asset.licence,
        asset.source,
        asset.sample,
    )


def _notes(request: Request) -> list[str]:
    """Say what the user should know of the data: no licence, or a sample."""
    notes = []
    for key, asset in request.assets.items():
        if isinstance(asset, Asset) and asset.licence is None:
            notes.append(
                f"{asset.name} has no licence: use it for tests of your own, and do not pass on what "
                "is made of it"
            )
        if isinstance(asset, Asset) and asset.sample:
            own = f"{request.settings.data}/{request.usecase.name}/"
            notes.append(
                f"{key} is a sample ({asset.name}): put your own data into {own}, or name it with "
                f"assets.{key}="
            )
    return notes


def describe(plan: Plan) -> list[dict[str, object]]:
    """Return the jobs as `run_started` holds them."""
    return [
        {
            "stage": name,
            "uses": p.job.uses,
            "doc": (p.job.signature.doc.partition("\n")[0] if p.job.signature else ""),
            "inputs": {key: str(ref) for key, ref in p.job.inputs.items() if ref},
            "outputs": list(p.job.outputs),
            "params": dict(p.job.params),
            "platform": p.job.place.platform,
            "runs_on": p.job.spec.runs_on,
            "needs": p.job.needs,
        }
        for name, p in plan.jobs.items()
    ]


def table(rows: Sequence[Sequence[str]], indent: str = "") -> str:
    """Return the rows with their columns aligned."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return "\n".join(
        indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def stage_named(name: str, known: Mapping[str, object]) -> str:
    """Return the stage's name, or raise with the nearest one."""
    if name not in known:
        raise UserError(f"stage={name}", "there is no such stage", did_you_mean(name, known))
    return name
