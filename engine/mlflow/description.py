"""The text that people read about a run in MLflow: its name and its description. Pure."""

import re
from collections.abc import Iterator

from engine import run_names
from engine.events import RunState
from engine.run_annotations import Annotations
from engine.vocabulary import Event
from engine.wording import command_line, listed, stand_ins

NOTHING = Annotations()
_LONGEST_NAME = 200
_MOST_GATES = 30
VERDICTS = {False: "rejected", True: "passed", None: "not evaluated"}


def run_name(start: Event) -> str:
    """Return the run's name, the target and the use case: `epochs-5 on rpi4 (pose_activity)`.

    A run of a version without names is called after what its command changed. The name comes first
    because MLflow's list shows only the first 15 characters or so of it.
    """
    target = f"{start['target']} ({start['usecase']})"
    first = start.get("name") or ", ".join(run_names.changes(start.get("command", ())))
    words = f"{first} on {target}" if first else target
    name = words.encode("utf-8", "replace").decode().replace("\0", "?")
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 4]} ..."


def gates_in_words(state: RunState) -> str:
    """Return the verdicts of the gates: `5 passed`, or `1 rejected, 4 passed`; empty without gates."""
    gates = [gate for stage in state.stages.values() for gate in stage.gates]
    counts = {
        word: sum(gate["passed"] is passed for gate in gates) for passed, word in VERDICTS.items()
    }
    return ", ".join(f"{count} {word}" for word, count in counts.items() if count)


def of_run(
    state: RunState, report: str, model: str | None, cached: str, added: Annotations = NOTHING
) -> str:
    """Return the description of a run as Markdown.

    report, model: the addresses of their pages; model is None if the run has none
    cached: a paragraph of links to the stages that were cached; may be empty
    added: what people added to the run
    """
    pages = [f"[report]({report})", *([f"[model]({model})"] if model else [])]
    paragraphs = [
        " · ".join([*_headline(state), *pages]),
        *(_one_line(text) for _, text in reversed(added.notes)),
        *_failures(state),
        *_reservations(state),
        "\n".join(_gate_table(state)),
        cached,
        f"Run again with `{_one_line(command_line(state))}`",
    ]
    return "\n\n".join(filter(None, paragraphs))


def _headline(state: RunState) -> Iterator[str]:
    objective = state.start.get("objective")
    if objective in state.metrics:
        yield f"**{objective} = {state.metrics[objective]:.4g}**"
    if gates := gates_in_words(state):
        yield f"gates: {gates}"


def _failures(state: RunState) -> Iterator[str]:
    for stage in state.stages.values():
        if stage.state == "failed" and stage.failure:
            yield f"**{stage.name} failed**: {_one_line(str(stage.failure['message']))}"


def _reservations(state: RunState) -> Iterator[str]:
    """Yield the reasons not to trust the figures."""
    samples = [str(one["name"]) for one in state.start["assets"] if one.get("sample")]
    if samples:
        yield (
            f"**Sample data** ({listed(samples)}): the figures show that the pipeline works, not"
            " how good the model is on your data."
        )
    for where, stages in stand_ins(state).items():
        yield f"**Not measured on the device**, but {where}: {', '.join(stages)}."


def _gate_table(state: RunState) -> Iterator[str]:
    gates = [(stage.name, gate) for stage in state.stages.values() for gate in stage.gates]
    if gates:
        yield "| Gate | Value | Rule | Result |"
        yield "| --- | --- | --- | --- |"
    for stage, gate in gates[:_MOST_GATES]:
        value = "–" if gate["value"] is None else f"{gate['value']:.4g}"
        verdict = VERDICTS[gate["passed"]]
        yield f"| {stage}.{gate['metric']} | {value} | {gate['rule']} | {verdict} |"


def _one_line(words: str) -> str:
    return re.sub(r"[\s`]+", " ", words).strip()[:500]
