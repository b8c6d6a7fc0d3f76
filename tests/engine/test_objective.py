"""The direction of a plan's objective."""

from dataclasses import replace

import pytest

from engine import objective
from engine.spec import BestJob
from tests.strategies import stages


def _directions(bench, wanted: str | None, **keys) -> dict[str, str]:
    plan = bench.plan(stages({"train": []}))
    planned = plan.jobs["train"]
    job = replace(planned.job, spec=planned.job.spec.model_copy(update=keys))
    jobs = {"train": replace(planned, job=job)}
    return objective.directions(
        replace(plan, objectives={wanted: None} if wanted else {}, jobs=jobs)
    )


def test_without_an_objective_there_is_none(bench):
    assert _directions(bench, None) == {}


@pytest.mark.parametrize(
    ("wanted", "keys", "direction"),
    [
        ("train.accuracy", {}, "maximise"),
        ("train.loss", {}, "minimise"),
        ("train.score", {"require": {"score": "<= 3"}}, "minimise"),
        ("train.score.mean", {"require": {"score": "<= 3"}}, "minimise"),
        ("train.accuracy.sd", {}, "minimise"),
        ("evaluate.score", {"require": {"score": "<= 3"}, "formerly": "evaluate"}, "minimise"),
    ],
)
def test_its_gate_or_its_name_decides(bench, wanted, keys, direction):
    assert _directions(bench, wanted, **keys) == {wanted: direction}


def test_a_given_direction_counts(bench):
    plan = replace(bench.plan(stages({"train": []})), objectives={"train.loss": "maximise"})
    assert objective.directions(plan) == {"train.loss": "maximise"}


@pytest.mark.parametrize(("prefer", "decides"), [(None, "a.x"), ("a.y", "a.y")])
def test_the_rule_prefers_the_first_objective_unless_it_names_one(bench, prefer, decides):
    best = BestJob(prefer=prefer, limits={"a.y": "<= 3"})
    plan = replace(bench.plan(stages({"a": []})), objective="a.x", best=best)
    assert objective.rule(plan) == {"prefer": decides, "limits": {"a.y": "<= 3"}}
