"""`cancel [RUN]`: end a run on the cluster; without a run, the newest that still goes on there.

What its finished stages wrote is kept, and the next run of the same plan uses it.
"""

from dataclasses import replace

from pydantic import Field

from engine import layout, run_names
from engine.errors import UserError
from engine.kubeflow import following, submission
from engine.kubeflow.client import Client, Json, NotFound, Unreachable
from engine.kubeflow.submission import Submission, Submissions
from engine.options import CommandOptions
from engine.request import Request

RETRY_FOR_S = 20.0  # how long a server that does not answer is asked


class Options(CommandOptions):
    """The options of `cancel`."""

    WORD = "run"

    run: str | None = Field(
        None,
        description="a run's name, its id or the beginning of it; null: the newest that has not ended "
        "on the cluster",
    )


def main(request: Request[Options]) -> tuple[int, None]:
    """Ask the cluster to end the run, and print what became of it."""
    records = Submissions(layout.store_dir(request.outputs) / submission.FOLDER)
    chosen = _chosen(request, records)
    client = Client.of(request.settings.kubeflow, chosen.host, RETRY_FOR_S)
    client.namespace = chosen.namespace
    try:
        print(_cancelled(client, chosen))
    except Unreachable as error:
        fix = "repeat the command when the server answers"
        raise UserError(client.where, str(error), fix) from None
    records.write(replace(chosen, has_ended=True))
    return 0, None


def _chosen(request: Request[Options], records: Submissions) -> Submission:
    """Return the submission that the user means; raise UserError if there is none."""
    found = records.newest_first()
    if request.options.run is not None:
        run_dir = run_names.find(request.outputs, request.options.run)
        found = [one for one in found if run_dir.name in one.followers]
        if not found:
            what = f"{run_names.label(run_dir)} did not run on a cluster"
            raise UserError(f"run={request.options.run}", what, "name a run of executor=kubeflow")
        return found[0]
    running = [one for one in found if not one.has_ended]
    if not running:
        what = "no run of this outputs folder goes on on a cluster"
        fix = "name a run, or the other folder: outputs=DIR"
        raise UserError(str(request.outputs), what, fix)
    return running[0]


def _cancelled(client: Client, chosen: Submission) -> str:
    """End the run, and return a sentence for the user."""
    run = _found(client, chosen)
    if run is None:
        return f"{chosen.name}: {chosen.host} has no such run"
    if following.has_ended(run):
        return f"{chosen.name} has already ended: {following.state(run)}"
    client.terminate(str(run["run_id"]))
    return f"{chosen.name}: cancelled on {chosen.host}"


def _found(client: Client, chosen: Submission) -> Json | None:
    """Return the run; by its name if its id is not known."""
    if chosen.run_id is None:
        return next(iter(client.runs_named(chosen.name)), None)
    try:
        return client.run(chosen.run_id)
    except NotFound:
        return None
