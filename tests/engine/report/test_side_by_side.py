"""Several runs side by side: what counts as a difference, and what is said about it."""

from pathlib import Path

import pytest

from engine.events import replay
from engine.report import side_by_side
from engine.report.side_by_side import Side
from tests.run_events import EventBuilder, job

PARTS = {
    "source": {"stages.demo.train": "a" * 64},
    "parameter": {},
    "input": {},
    "environment": {"python": "3.11", "numpy": "1.26"},
}


@pytest.fixture
def side():
    """Make one run: its name, its metrics, and other fields of its start."""

    def make(name: str, parts=PARTS, jobs=None, **more) -> Side:
        metrics = more.pop("metrics", {"accuracy": 0.9})
        place = more.pop("measured_on", "x86_64")
        builder = EventBuilder().start(jobs or [job("train")], name=name, **more)
        builder.started("train", measured_on=place).finished("train", **metrics)
        state = replay(builder.done().events)
        return Side(Path(f"/o/u/t/{name}"), state, {"train": parts} if parts else {})

    return make


def _differing(*sides: Side) -> dict[str, list[str]]:
    sections = side_by_side.sheet(sides).sections
    found = {name: [row.name for row in rows if row.differs] for name, rows in sections.items()}
    return {name: rows for name, rows in found.items() if rows}


def _row(name: str, section: str, *sides: Side):
    rows = side_by_side.sheet(sides).sections[section]
    return next(row for row in rows if row.name == name)


def test_equal_runs_do_not_differ(side):
    assert _differing(side("a"), side("b")) == {}


def test_parameters_of_the_use_case_and_of_stages_are_listed_once(side):
    def jobs(epochs, rate):
        return [job("train", params={"epochs": epochs, "rate": rate})]

    first = side("a", params={"epochs": 3}, jobs=jobs(3, 0.1))
    second = side("b", params={"epochs": 5, "flip": None}, jobs=jobs(5, 0.2))
    assert _differing(first, second) == {"parameters": ["epochs", "train.rate"]}
    row = _row("flip", "parameters", first, second)
    assert row.shown == (side_by_side.ABSENT, "null")


def test_parameters_may_be_lists_and_mappings(side):
    first = side("a", params={"model": {"units": 32}, "drop": ["id"]})
    second = side("b", params={"model": {"units": 64}, "drop": ["id"]})
    assert _differing(first, second) == {"parameters": ["model"]}


def test_data_differ_by_name_or_digest(side):
    def assets(digest):
        about = {"key": "videos", "name": "yoga", "source": "s", "licence": None}
        return [{**about, "digest": f"tree:{digest * 64}", "path": None, "sample": False}]

    first, second = side("a", assets=assets("1")), side("b", assets=assets("2"))
    assert _row("videos", "data", first, second).shown == ("yoga 111111111111", "yoga 222222222222")


def test_a_changed_source_is_named_with_the_stages_that_read_it(side):
    other = {**PARTS, "source": {"stages.demo.train": "b" * 64}}
    row = _row("stages.demo.train", "source", side("a"), side("b", other))
    assert row.differs and row.shown == ("aaaaaaaaaaaa", "bbbbbbbbbbbb")
    assert row.remark == "source of train"


def test_commits_and_packages_are_compared(side):
    other = {**PARTS, "environment": {"python": "3.11", "numpy": "2.1"}}
    first, second = side("a"), side("b", other, git_commit="f" * 40, git_modified=True)
    assert _differing(first, second) == {
        "source": ["commit"],
        "environment": ["numpy"],
    }
    assert _row("commit", "source", first, second).shown[1] == "ffffffffffff, modified"


def test_a_run_whose_records_were_removed_says_so(side):
    notes = side_by_side.sheet([side("a"), side("b", parts=None)]).notes
    assert notes == ["b: source and environment of 1 stage are not in the store: train"]


@pytest.mark.parametrize(
    ("low", "remark"),
    [(0.81, "+0.05; intervals overlap"), (0.91, "+0.05; intervals do not overlap")],
)
def test_intervals_that_do_not_overlap_are_marked(side, low, remark):
    first = side("a", metrics={"accuracy": 0.85, "accuracy_low": 0.8, "accuracy_high": 0.9})
    second = side("b", metrics={"accuracy": 0.9, "accuracy_low": low, "accuracy_high": 0.95})
    row = _row("train.accuracy", "metrics", first, second)
    assert (row.shown[0], row.remark) == ("0.85 (0.8 to 0.9)", remark)
    names = [row.name for row in side_by_side.sheet([first, second]).sections["metrics"]]
    assert names == ["train.accuracy"]


def test_of_several_runs_those_apart_from_the_first_are_named(side):
    def ends(value):
        return {"accuracy": value, "accuracy_low": value - 0.01, "accuracy_high": value + 0.01}

    runs = [side(name, metrics=ends(value)) for name, value in (("a", 0.5), ("b", 0.7), ("c", 0.5))]
    assert _row("train.accuracy", "metrics", *runs).remark == "intervals do not overlap: b"


def test_a_speed_says_where_it_was_measured(side):
    first = side("a", metrics={"latency_ms": 2.0})
    second = side("b", metrics={"latency_ms": 3.0}, measured_on="device")
    remark = _row("train.latency_ms", "metrics", first, second).remark
    assert remark.replace("\N{NO-BREAK SPACE}", " ") == "+50 %; measured on x86_64 and device"


def test_the_objective_comes_first_and_former_names_are_left_out(side):
    jobs = [job("train", formerly="fit")]
    one = side("a", jobs=jobs, metrics={"loss": 1.0, "accuracy": 0.9})
    names = [row.name for row in side_by_side.sheet([one, one]).sections["metrics"]]
    assert names == ["train.accuracy", "train.loss"]


def test_runs_of_different_use_cases_and_targets_are_noted(side):
    notes = side_by_side.sheet([side("a"), side("b", usecase="other", target="rpi5")]).notes
    assert notes == [
        "these are runs of different use cases: demo and other",
        "these are runs of different targets: rpi4 and rpi5",
    ]


def test_of_runs_of_different_use_cases_only_what_all_have_is_compared(side):
    runs = [side("a", params={"n": 1, "m": 1}), side("b", params={"n": 2, "k": 1}, usecase="other")]
    found = side_by_side.sheet(runs)
    assert [row.name for row in found.telling("parameters")] == ["n"]
    assert [row.name for row in found.partial("parameters")] == ["m", "k"]
    alike = side_by_side.sheet([runs[0], side("c", params={"n": 2, "k": 1})])
    assert [row.name for row in alike.telling("parameters")] == ["n", "m", "k"]
    assert alike.partial("parameters") == []


def test_as_json_equal_values_are_left_out_unless_they_are_wanted(side):
    found = side_by_side.sheet(
        [side("a", params={"n": 1, "m": 1}), side("b", params={"n": 2, "m": 1})]
    )
    [row] = side_by_side.as_json(found, False)["parameters"]
    assert row == {"name": "n", "values": (1, 2), "differs": True, "remark": ""}
    assert len(side_by_side.as_json(found, True)["parameters"]) == 2
    assert [one["id"] for one in side_by_side.as_json(found, False)["runs"]] == ["a", "b"]
