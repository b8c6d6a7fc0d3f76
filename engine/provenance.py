"""The provenance that a run records: command, commit, parameters, assets, jobs."""

import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

from engine import digest, objective, ordinary
from engine.asset import Asset
from engine.catalogue import ROOT
from engine.errors import UserError
from engine.events import RunStarted
from engine.plan import Plan, ResolvedAsset, describe
from engine.request import Request, SweepJob
from engine.wording import redact

PARENT_RUN = "RPI_MLFLOW_PARENT_RUN"  # the environment variable that engine.mlproject sets
_MOST_BYTES = 100_000_000  # of packed-refs
_PATIENCE_S = 10


def run_started(request: Request, plan: Plan, run_id: str, name: str = "") -> RunStarted:
    """Return the first event of a run."""
    return RunStarted(
        event="run_started",
        run_id=run_id,
        name=name,
        usecase=plan.usecase,
        target=plan.target.name,
        platform=plan.target.platform,
        machine=platform.machine(),
        command=[*map(redact, request.command)],
        git_commit=(commit := git_commit(ROOT)),
        git_modified=is_modified(ROOT) if commit else None,
        parent_run=os.environ.get(PARENT_RUN),
        sweep=_sweep(request.sweep) if request.sweep else None,
        params=dict(plan.params),
        objective=plan.objective,
        objectives=objective.directions(plan),
        best=objective.rule(plan) if plan.objectives else None,
        assets=_assets(request, plan),
        until=list(request.settings.until),
        left_out=dict(plan.left_out),
        jobs=describe(plan),
    )


def _sweep(job: SweepJob) -> dict[str, Any]:
    changes = [*map(redact, job.changes)]
    return {"id": job.folder.name, "job": job.number, "jobs": job.count, "changes": changes}


def git_commit(folder: Path) -> str | None:
    """Return the commit of a project, or None if there is none or its repository is damaged.

    It is read from Git's own files, because starting git takes as long as a stage.
    """
    try:
        git = folder / ".git"
        if git.is_file():  # a worktree: the file names its folder
            git = folder / _word(git).removeprefix("gitdir: ")
        commit = _word(git / "HEAD")
        if commit.startswith("ref: "):
            common = git / _word(git / "commondir") if (git / "commondir").is_file() else git
            commit = _commit_of(common, commit.removeprefix("ref: "))
    except (OSError, UserError):
        return None
    return commit if re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", commit) else None


def is_modified(folder: Path) -> bool | None:
    """Return whether tracked files differ from the commit; None if Git is not available."""
    command = ["git", "-C", str(folder), "status", "--porcelain", "--untracked-files=no"]
    env = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}  # write nothing into the repository
    try:
        found = subprocess.run(
            command, capture_output=True, env=env, timeout=_PATIENCE_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return bool(found.stdout.strip())


def newest_file_time(asset: ResolvedAsset) -> float | None:
    """Return when the newest file of a user's own data was modified, in seconds since 1970.

    None for a declared asset: its files are pinned by digest, and may be copied at any time.
    """
    if asset.source != str(asset.path):
        return None
    try:
        if asset.path.is_file():
            return asset.path.stat().st_mtime
        return max((facts.st_mtime for _, facts in digest.files(asset.path)), default=None)
    except (OSError, UserError):  # it is changing, which the check of its digest reports
        return None


def _assets(request: Request, plan: Plan) -> list[dict[str, Any]]:
    """Return the assets of the plan, and the samples that its stages generate."""
    found = [
        {
            "key": asset.key,
            "name": asset.name,
            "digest": asset.digest,
            "source": asset.source,
            "licence": asset.licence,
            "path": str(asset.path),
            "sample": asset.sample,
            "modified": newest_file_time(asset),
        }
        for asset in plan.assets.values()
    ]
    for key, asset in request.assets.items():
        if isinstance(asset, Asset) and asset.made_by and key in plan.jobs:
            about = {"source": asset.source, "licence": asset.licence, "sample": asset.sample}
            found.append({"key": key, "name": asset.name, "digest": None, "path": None, **about})
    return found


def _commit_of(git: Path, name: str) -> str:
    """Return a branch's commit, from its file or from packed-refs; empty if it is in neither."""
    if (git / name).is_file():
        return _word(git / name)
    lines = (line.split(" ") for line in _word(git / "packed-refs").splitlines())
    return next((words[0] for words in lines if words[1:] == [name]), "")


def _word(path: Path) -> str:
    """Return the content of a file of Git's, which may name a branch in any encoding."""
    return os.fsdecode(ordinary.read(path, _MOST_BYTES)).strip().replace("\0", "")
