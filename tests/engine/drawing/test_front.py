"""The charts of a Pareto front."""

import re

import pytest

from engine.drawing import front
from engine.sweeps.record import Facts, Job

NAMES = ("s.accuracy", "b.latency_ms", "p.size_bytes", "s.loss", "s.f1")


def job(number: int, *values: float, state: str = "finished", **facts) -> Job:
    names = NAMES[: len(values)]
    directions = {one: "maximise" if one in ("s.accuracy", "s.f1") else "minimise" for one in names}
    known = {"changes": (f"params.n={number}<b>",), "prefer": "s.accuracy", **facts}
    measured = dict(zip(names, values, strict=True))
    return Job(number, Facts(directions=directions, values=measured, **known), state)


def kinds(html: str) -> list[str]:
    charts = html[html.index('<div class="fronts">') :]
    return re.findall(r'<g class="([\w-]+)">', charts)


TWO = [job(1, 0.9, 9), job(2, 0.7, 3), job(3, 0.6, 5), job(4, 0.95, 1, state="rejected")]


def test_the_best_job_the_front_and_rejected_jobs_differ():
    assert kinds(front.draw(TWO)) == ["off-front", "rejected", "on-front", "best"]


def test_two_objectives_have_a_line_along_the_front():
    (points,) = re.findall(r'class="front" points="([^"]*)"', front.draw(TWO))
    assert len(points.split()) == 3  # two jobs, and the corner between them


@pytest.mark.parametrize(("count", "charts"), [(2, 1), (3, 3), (5, 6)])
def test_each_pair_of_objectives_has_a_chart(count, charts):
    html = front.draw([job(1, *range(1, count + 1))])
    assert html.count('role="img"') == charts


@pytest.mark.parametrize("jobs", [[], [job(1, 0.9)], [job(1, 0.9, float("inf"))]])
def test_nothing_is_drawn_without_two_measured_objectives(jobs):
    assert front.draw(jobs) == ""


def test_it_says_what_was_not_measured_on_the_device():
    html = front.draw([job(1, 0.9, 9, measured_on={"b.latency_ms": "simulated on x86_64"})])
    assert "b.latency_ms: simulated on x86_64" in html


def test_values_of_the_command_line_are_escaped():
    assert "<b>" not in front.draw(TWO) and "&lt;b&gt;" in front.draw(TWO)
