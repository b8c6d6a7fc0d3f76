"""Runs one stage as a job of its own, for a command that needs what it makes and keeps none of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine import jobfolder
from engine.contract import Contract
from engine.dispatch import executor_context
from engine.executors import local
from engine.jobfolder import Launch, log_tail
from engine.plan import Job
from engine.request import Request
from engine.sealing import BadOutput, seal
from engine.spec import StageSpec

WAIT_S = 0.5
REFUSAL = "error: "  # how engine.stage begins what a StageError says


@dataclass(frozen=True, slots=True)
class Done:
    """How the job ended, where its outputs are, and the end of its log."""

    succeeded: bool
    outputs: Mapping[str, Path]
    log_tail: str

    @property
    def refusal(self) -> str | None:
        """Return what the stage says of the user's data, or None where it failed in another way."""
        return (
            self.log_tail.removeprefix(REFUSAL)
            if not self.succeeded and self.log_tail.startswith(REFUSAL)
            else None
        )


def run(
    request: Request,
    contract: Contract,
    work: Path,
    inputs: Mapping[str, Path | None],
    params: Mapping[str, object],
) -> Done:
    """Run the stage in a process of this machine and wait for its end."""
    function, spec = contract.invoke["function"], StageSpec()
    executor = local.Executor(executor_context(request))
    job = Job(function, spec, contract, {}, contract.outputs, {}, executor.place(spec, contract))
    folder, log = work / "job", work / "job.log"
    (folder / "out").mkdir(parents=True)
    made = jobfolder.identities(folder)
    outputs = {name: folder / "out" / name for name in contract.outputs}
    description = {
        **contract.invoke,
        "params": dict(params),
        "inputs": {name: str(path) if path else None for name, path in inputs.items()},
        "outputs": {name: str(path) for name, path in outputs.items()},
    }
    (folder / "job.json").write_text(json.dumps(description), encoding="utf-8")
    try:
        executor.launch(Launch(job, folder, log))
        while not (ended := executor.wait(WAIT_S)):
            continue
    finally:
        executor.close()
    if ended[0].status != 0:
        return Done(False, {}, log_tail(log))
    try:
        collected = jobfolder.take_out(folder, made, contract.outputs, work / "outputs")
        for name, path in collected.items():
            seal(name, path)
    except BadOutput as error:
        return Done(False, {}, f"{function}: {error}")
    return Done(True, collected, log_tail(log))
