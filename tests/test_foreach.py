"""`foreach`, `when` and `exclusive` on the command line: a user's YAML, and the results of a run."""

import json

import pytest

GATHER = """
    from engine.stage import In, Out
    def gather(numbers: In, extra: In | None, total: Out) -> None:
        found = {entry.name: int(entry.read_text()) for entry in numbers.iterdir()}
        total.write_text(f"{sorted(found.items())} {extra and extra.read_text()}")
"""
FOLDS = """
    params: {folds: [1, 2], n: 10}
    objective: twice.total.mean
    stages:
      number:
        foreach: {fold: "${params.folds}", size: [s, m]}
        exclude: [{fold: 2, size: m}]
        uses: mystages.make
        params: {n: "${each.fold}"}
      twice:
        foreach: {of: [1-s, 1-m, 2-s]}
        uses: mystages.double
        inputs: {number: "number@${each.of}.data"}
        env: {OF: "x ${each.of}"}
      gather:
        uses: mystages.gather
        inputs: {numbers: "twice@*.data", extra: coral.data}
      coral:
        uses: mystages.make
        when: {accelerator: edgetpu}
"""


@pytest.fixture
def folds(project):
    """The use case `folds`: a stage per value, one that collects them, one only for targets with a Coral."""
    project.stage("gather", GATHER)
    project.usecase("folds", FOLDS)
    return project


CROSS = """
    params: {folds: [0, 1, 2, 3], size: 8}
    objective: score.accuracy.mean
    stages:
      score:
        foreach: {fold: "${params.folds}"}
        uses: mystages.score
        params: {fold: "${each.fold}", size: "${params.size}"}
"""
SCORE = """
    from typing import TypedDict
    from engine.stage import Out
    class Score(TypedDict):
        accuracy: float
    def score(data: Out, *, fold: int, size: int) -> Score:
        data.write_text("x")
        return {"accuracy": (size + fold) / 16}
"""


def test_cross_validation_in_one_run_has_mean_and_spread_everywhere(project):
    project.stage("score", SCORE)
    project.usecase("cross", CROSS)
    result = project.run("usecase=cross")
    assert result.returncode == 0, result.stderr
    line = "score.accuracy.mean 0.5938 ± 0.08069 (standard deviation over 4 values)"
    assert line in result.stdout
    metrics = json.loads((project.last / "metrics.json").read_text())
    assert round(metrics["score.accuracy.sd"], 5) == 0.08069
    assert "score over 4 values" in (project.last / "report.html").read_text()


def test_a_sweep_over_cross_validations_is_ordered_by_their_means(project):
    project.stage("score", SCORE)
    project.usecase("cross", CROSS)
    result = project.run("-m", "usecase=cross", "params.size=8,10")
    rows = result.stdout[result.stdout.index("\nsweep ") :].splitlines()[3:5]
    assert [row.split()[:7] for row in rows] == [
        ["2", "*", "10", "0.7188", "(0.6381", "to", "0.7994)"],
        ["1", "8", "0.5938", "(0.5131", "to", "0.6744)", "finished"],
    ]


def _last(project, target="x86_64"):
    return project.outputs / "folds" / target / "latest"


def test_a_stage_for_each_value_runs_and_what_they_make_is_gathered(folds):
    folds.done("usecase=folds")
    artifacts = _last(folds) / "artifacts"
    assert sorted(path.name for path in artifacts.iterdir()) == [
        "gather",
        "number@1-m",
        "number@1-s",
        "number@2-s",
        "twice@1-m",
        "twice@1-s",
        "twice@2-s",
    ]
    assert (
        artifacts / "gather" / "total"
    ).read_text() == "[('1-m', 2), ('1-s', 2), ('2-s', 4)] None"
    assert json.loads((_last(folds) / "metrics.json").read_text()) == {
        "twice@1-s.total": 2,
        "twice@1-m.total": 2,
        "twice@2-s.total": 4,
        "twice.total.mean": pytest.approx(8 / 3),
        "twice.total.sd": pytest.approx((4 / 3) ** 0.5),
    }


def test_a_stage_that_the_target_has_is_read_by_those_that_could_do_without(folds):
    folds.done("usecase=folds", "target=rpi4_coral")
    total = (_last(folds, "rpi4_coral") / "artifacts" / "gather" / "total").read_text()
    assert total.endswith(" 1")


def test_the_command_line_changes_the_stages_of_all_values(folds, give):
    said = give("plan", "usecase=folds", "stages.number.params.n=7", "params.folds=[1,2]")
    assert said.status == 0
    folds.done("usecase=folds", "stages.number.params.n=7")
    assert {path.read_text() for path in (_last(folds) / "artifacts").glob("number@*/data")} == {
        "7"
    }


@pytest.mark.parametrize(
    ("until", "stages"),
    [
        ("number", {"number@1-s", "number@1-m", "number@2-s"}),
        ("twice@2-s", {"number@2-s", "twice@2-s"}),
    ],
)
def test_until_names_the_stage_of_one_value_or_of_all(folds, give, until, stages):
    said = give("plan", "usecase=folds", f"until=[{until}]", "format=json")
    assert {one["stage"] for one in json.loads(said.out)} == stages


def test_until_cannot_name_a_stage_that_the_target_lacks(folds, give):
    said = give("plan", "usecase=folds", "until=[coral]")
    assert said.status == 2
    assert said.err.splitlines()[:2] == [
        "until=coral",
        "  'coral' is left out: accelerator must be edgetpu, but x86_64's is none",
    ]


def test_explain_and_graph_know_the_stages_of_values(folds, give):
    folds.done("usecase=folds")
    assert give("explain", "usecase=folds", "stage=twice@2-s").out == "twice@2-s: cached\n"
    (folds.path / "mystages" / "double.py").write_text(
        (folds.path / "mystages" / "double.py").read_text() + "# edited\n"
    )
    said = give("explain", "usecase=folds", "stage=gather").out
    assert "input numbers: twice@1-s runs again" in said
    assert "twice@2-s" in give("graph", "usecase=folds").out


def test_logs_are_found_by_the_stage_of_a_value(folds, give):
    folds.done("usecase=folds")
    assert give("logs", "usecase=folds", "stage=number@1-s").status == 0


def test_a_wrong_foreach_ends_with_status_2_and_nothing_started(folds):
    result = folds.run("usecase=folds", "params.folds=[linux/amd64]")
    assert (result.returncode, folds.outputs.exists()) == (2, False)
    assert result.stderr.splitlines() == [
        "conf/usecases/folds.yaml: stages.number.foreach.fold",
        "  'linux/amd64' cannot be part of a file name",
        "  use only letters, digits, '_', '.', '+' and '-'",
    ]


def test_a_mistake_in_a_stage_of_many_values_is_reported_once_as_it_is_written(folds, give):
    said = give("plan", "usecase=folds", "+stages.twice.params.m=1")
    assert said.status == 2
    assert said.err.splitlines()[0] == "+stages.twice.params.m=1"
    assert len(said.err.splitlines()) == 3
