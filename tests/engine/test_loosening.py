"""The command that loosens the gates of a rejected run."""

import math

import pytest

from engine import loosening
from engine.events import replay
from engine.stage.rules import holds
from tests.run_events import EventBuilder, job

COMMAND = ["run.py", "usecase=demo", "target=rpi4"]


def _command(*gates, command=COMMAND) -> str:
    """Return the command after a run with these gates: stage, metric, rule, value."""
    stages = dict.fromkeys(gate[0] for gate in gates)
    events = EventBuilder().start([job(stage) for stage in stages], command=command)
    for stage, metric, rule, value in gates:
        passed = holds(value, rule)
        events.add("gate", stage=stage, metric=metric, rule=rule, value=value, passed=passed)
    return loosening.command(replay(events.events))


def test_a_failed_gate_becomes_a_word_in_quotes_for_the_shell_and_for_hydra():
    assert _command(("score", "accuracy", ">= 0.8", 0.7512), ("score", "drop", "<= 1", 0.5)) == (
        "python run.py usecase=demo target=rpi4 'stages.score.require.accuracy=\">= 0.751\"'"
    )


def test_a_gate_of_the_command_line_is_replaced():
    words = [*COMMAND, "stages.score.require.accuracy=>= 0.9"]
    made = _command(("score", "accuracy", ">= 0.9", 0.75), command=words)
    assert made.count("require.accuracy") == 1


def test_the_gate_of_a_metric_that_was_not_returned_is_removed():
    assert _command(("a", "b", ">= 1", None)).endswith(" '~stages.a.require.b'")
    assert _command(("a", "b", ">= 1", math.nan)).endswith(" '~stages.a.require.b'")


def test_the_stages_of_a_foreach_share_the_loosest_gate():
    made = _command(("a@0", "b", ">= 1", 0.5), ("a@1", "b", ">= 1", 0.25), ("a@2", "b", ">= 1", 2))
    assert made.endswith("'stages.a.require.b=\">= 0.25\"'")


def test_nothing_is_loosened_if_no_gate_failed():
    assert _command(("a", "b", ">= 1", 2), ("a", "c", "<= 0 if measured", None)) == ""


@pytest.mark.parametrize("value", [0.0, 0.05558, -0.0123456, 123456.7, 1e-9, 29e-2, 1e300])
@pytest.mark.parametrize("rule", [">= 1", "> 0", "<= 0", "< 1", "== 3 if measured"])
def test_the_value_passes_the_loosened_rule(rule, value):
    looser = loosening.rule(rule, value)
    assert holds(value, looser)
    assert ("if measured" in looser) == ("if measured" in rule)
