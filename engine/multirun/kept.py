"""Whether the result of a job that an interrupted sweep finished is still current."""

from engine import layout, planning, run_files
from engine.request import Request
from engine.store import Store
from engine.sweeps.record import Job


def is_current(request: Request, before: Job) -> bool:
    """Return whether the job would compute the same again: its run exists, and the stages that
    finished in it have the same fingerprints today and are cached.
    """
    if request.settings.force or not before.facts.run:
        return False
    ran = run_files.summary(request.outputs / before.facts.run)
    wanted = {
        name: stage.fingerprint
        for name, stage in ran.stages.items()
        if stage.state in ("finished", "rejected")
    }
    with Store(layout.store_dir(request.outputs)).locks.in_use():
        planned = planning.plan(request)
        planned.executors.close()
    jobs = planned.plan.jobs
    now = {name: jobs[name].fingerprint for name in wanted if name in jobs and jobs[name].record}
    return bool(wanted) and now == wanted
