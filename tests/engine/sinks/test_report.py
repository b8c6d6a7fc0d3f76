"""The report: what a reader finds on it, and what cannot get into it."""

import json
import re
import subprocess
import sys
import time
from html.parser import HTMLParser

import pytest

from engine import figure_kinds, run_annotations
from engine.events import replay
from engine.report.charts import MOST_CHARTS
from engine.sinks.report import MOST_ROWS, Sink, render
from tests.run_events import EventBuilder

SIMULATED = {"measured_on": "simulated on x86_64", "platform": "linux/arm64", "emulated": False}
EVIL = "<script>alert(1)</script>"


class Tags(HTMLParser):
    """Collects the tags of a page and the addresses that it would load."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.loads: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.loads += [
            f"{tag} {name}" for name, _ in attrs if name in ("src", "href", "srcset", "data")
        ]


def page_of(builder) -> str:
    return render(replay(builder.events))


@pytest.fixture
def trained(events, make_job):
    """A run whose training draws curves and whose evaluation is simulated."""
    events.start(
        [
            make_job("train", doc="Train."),
            make_job("evaluate", {"m": "train.model"}, runs_on="target"),
        ]
    )
    events.started("train")
    for step in range(3):
        events.add("metric", stage="train", name="loss", value=1 / (step + 1), step=step)
        events.add("metric", stage="train", name="val_loss", value=2 / (step + 1), step=step)
    events.finished("train", accuracy=0.9875).started("evaluate", **SIMULATED)
    events.add(
        "figure",
        stage="evaluate",
        kind="confusion_matrix",
        name="int8",
        labels=["cat", "dog"],
        matrix=[[7, 1], [0, 9]],
    )
    return events.finished("evaluate", latency_ms=4.5).done()


def test_the_report_is_written_only_when_the_run_has_ended(tmp_path, trained):
    sink, state = Sink(tmp_path), None
    for event in trained.events[:-1]:
        state = replay([event], state)
        sink.show(event, state)
    assert list(tmp_path.iterdir()) == []
    sink.show(trained.events[-1], replay(trained.events[-1:], state))
    sink.close()
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_nothing_heavy_is_imported_before_the_run_has_ended(tmp_path):
    code = "import sys, engine.sinks.report; print({'jinja2', 'networkx', 'PIL', 'rich'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


def test_the_page_needs_nothing_from_elsewhere(trained):
    tags = Tags(page_of(trained))
    assert not tags.tags & {"script", "link", "img", "iframe", "object"}
    assert tags.loads == []


def test_the_header_says_what_ran_and_how_to_run_it_again(trained):
    page = page_of(trained)
    for words in (
        "demo",
        "rpi4",
        "linux/arm64",
        "42 s",
        "0123456789ab",
        "python run.py usecase=demo target=rpi4",
    ):
        assert words in page


def test_a_figure_not_taken_on_the_device_says_so_in_a_banner(trained):
    page = page_of(trained)
    assert "Not measured on the device." in page
    assert "The figures of evaluate were simulated on x86_64" in page


def test_a_figure_taken_on_the_device_has_no_banner(events, make_job):
    events.start([make_job("bench", runs_on="target")]).started(
        "bench", measured_on="device"
    ).finished("bench", ms=4.0)
    assert "Not measured on the device." not in page_of(events.done())


def test_train_and_validation_share_a_chart(trained):
    page = page_of(trained)
    assert page.count('aria-label="loss over step"') == 1
    assert page.count("<polyline") == 2


def test_curves_and_matrices_of_a_cached_stage_are_shown(events, make_job):
    figure = {
        "kind": "confusion_matrix",
        "name": "int8",
        "labels": ["cat", "dog"],
        "matrix": [[7, 1], [0, 9]],
    }
    points = [["loss", 0, 1.0, 0.0], ["loss", 1, 0.5, 1.0]]
    events.start([make_job("train")]).cached("train", points=points, figures=[figure]).done()
    page = page_of(events)
    assert "<polyline" in page and "train: int8" in page and ">cached<" in page


def test_the_operators_of_a_model_are_drawn(events, make_job):
    events.start([make_job("edgetpu_report")]).started("edgetpu_report")
    nodes = [
        {"type": "CONV_2D", "mapped": True, "reason": None},
        {"type": "CAST", "mapped": False, "reason": "Operation not supported"},
    ]
    events.add(
        "figure",
        stage="edgetpu_report",
        kind="op_graph",
        name="predicted mapping",
        nodes=nodes,
        edges=[[0, 1]],
    )
    page = page_of(events.finished("edgetpu_report").done())
    assert "edgetpu_report: predicted mapping" in page
    assert "<title>1 CAST: Operation not supported</title>" in page
    assert (
        page.count('class="op-mapped"') == page.count('class="op-left"') == 2
    )  # one operator and one entry of the legend each


def test_a_failure_shows_its_log_and_the_way_on(events, make_job):
    events.start([make_job("train"), make_job("test", {"m": "train.m"})]).started("train").failed(
        "train"
    )
    events.add("job_skipped", stage="test", because="train failed")
    page = page_of(events.done("failed"))
    for words in (
        "ValueError: no frames",
        "logs/train.log",
        "To resume: ",
        "train failed",
    ):
        assert words in page


def test_a_failed_gate_is_named_with_its_rule(events, make_job):
    events.start([make_job("evaluate")]).started("evaluate").finished("evaluate", accuracy=0.5)
    events.add("gate", stage="evaluate", metric="accuracy", rule=">= 0.85", value=0.5, passed=False)
    page = page_of(events.done("rejected"))
    assert "&gt;= 0.85" in page and ">failed<" in page


def test_a_gate_that_was_not_judged_is_shown_as_neither_passed_nor_failed(events, make_job):
    events.start([make_job("scan")]).started("scan").finished("scan")
    events.add(
        "gate", stage="scan", metric="critical", rule="<= 0 if measured", value=None, passed=None
    )
    page = page_of(events.done())
    assert "not evaluated" in page and ">passed<" not in page and ">failed<" not in page


def test_an_asset_shows_its_licence_and_whether_it_is_a_sample(events, make_job):
    asset = {
        "key": "data",
        "name": "flowers",
        "digest": "sha256:" + "ab" * 32,
        "source": None,
        "path": "data/flowers",
        "licence": "CC-BY-4.0",
        "sample": True,
    }
    page = page_of(events.start([make_job("train", {"d": "asset:data"})], assets=[asset]).done())
    assert "CC-BY-4.0" in page and '<span class="tag warn">sample</span>' in page


def test_no_word_of_the_run_becomes_markup(events, make_job):
    asset = dict.fromkeys(("key", "name", "digest", "source", "licence", "path"), EVIL) | {
        "sample": True
    }
    jobs = [
        make_job("train", {"a": f"asset:{EVIL}"}, doc=EVIL),
        make_job(EVIL, {"b": f"train.{EVIL}"}),
    ]
    events.start(
        jobs, usecase=EVIL, target=EVIL, command=[EVIL], params={EVIL: EVIL}, assets=[asset]
    )
    events.started(EVIL, measured_on=f"simulated on {EVIL}").add("note", stage=EVIL, text=EVIL)
    events.add("note", stage=None, text=EVIL)
    events.add("metric", stage=EVIL, name=EVIL, value=1.0, step=0)
    events.add(
        "figure",
        stage=EVIL,
        kind="confusion_matrix",
        name=EVIL,
        labels=[EVIL, "b"],
        matrix=[[1, 0], [0, 1]],
    )
    events.add(
        "figure",
        stage=EVIL,
        kind="op_graph",
        name=EVIL,
        nodes=[{"type": EVIL, "mapped": False, "reason": EVIL}],
        edges=[],
    )
    events.add("gate", stage=EVIL, metric=EVIL, rule=EVIL, value=1.0, passed=False)
    events.failed(EVIL, message=EVIL, log=EVIL, log_tail=EVIL)
    page = page_of(events.done("failed"))
    assert "script" not in Tags(page).tags
    assert page.count("&lt;script&gt;") > 15


def test_a_run_that_has_not_ended_can_be_rendered(events, make_job):
    page = page_of(events.start([make_job("train")]).started("train"))
    assert "running" in page


@pytest.mark.parametrize("cached", [True, False], ids=["cached", "run"])
def test_a_thousand_stages_take_less_than_a_second(events, make_job, cached):
    events.start([make_job(f"s{i}") for i in range(1000)])
    for i in range(1000):
        if cached:
            events.cached(f"s{i}", metrics={"accuracy": 0.5})
        else:
            events.started(f"s{i}").add(
                "metric", stage=f"s{i}", name="loss", value=1.0, step=0
            ).finished(f"s{i}")
    state = replay(events.done().events)
    render(state)  # the imports, which a run pays once
    before = time.perf_counter()
    page = render(state)
    assert time.perf_counter() - before < 1
    assert "A picture of 1000 stages would not be readable" in page
    assert f"{1000 - MOST_ROWS} more stages not listed here" in page


def test_stages_that_are_not_planned_are_listed_with_the_reason(events, make_job):
    events.start([make_job("a")], left_out={"b": "params.m must be x, but it is 'y'"})
    page = page_of(events.cached("a").done("finished"))
    assert "Left out: b (params.m must be x, but it is &#39;y&#39;)." in page


def test_the_stages_left_out_of_a_long_table_are_the_cached_ones(events, make_job):
    events.start([make_job(f"s{i}") for i in range(500)])
    for i in range(499):
        events.cached(f"s{i}")
    page = page_of(events.started("s499").failed("s499").done("failed"))
    assert "<b>s499</b>" in page and "<b>s498</b>" not in page


@pytest.mark.parametrize(
    "values",
    [[1.0], [float("nan"), 2.0], [float("inf")], [1e308, -1e308], list(map(float, range(50_000)))],
    ids=["one point", "not a number", "no number at all", "as large as floats are", "many"],
)
def test_any_curve_of_a_metric_is_drawn(events, make_job, values):
    events.start([make_job("train")]).started("train")
    for step, value in enumerate(values):
        events.add("metric", stage="train", name="loss", value=value, step=step)
    page = page_of(events.finished("train").done())
    assert 'aria-label="loss over step"' in page and "cannot be drawn" not in page
    assert ">nan<" not in page and len(page) < 60_000


def test_figures_of_every_kind_are_drawn_and_one_of_a_newer_version_is_passed_over(
    events, make_job
):
    events.start([make_job("score")]).started("score")
    events.add("figure", stage="score", kind="globe", name="unheard of", phase=1)
    for kind in figure_kinds.names():
        example = figure_kinds.of(kind).EXAMPLE
        events.add("figure", stage="score", kind=kind, name=f"a {kind}", **example)
    page = page_of(events.finished("score").done())
    assert all(f"score: a {kind}" in page for kind in figure_kinds.names())
    assert "cannot be drawn" not in page and "unheard of" not in page


def test_of_many_figures_of_a_kind_the_first_are_drawn_and_the_others_counted(events, make_job):
    example = figure_kinds.of("table").EXAMPLE
    events.start([make_job("score")]).started("score")
    for index in range(MOST_CHARTS + 3):
        events.add("figure", stage="score", kind="table", name=f"t{index}", **example)
    page = page_of(events.finished("score").done())
    assert page.count("score: t") == MOST_CHARTS and "3 more are in MLflow" in page


def test_a_stage_without_figures_is_not_named_in_the_banner(events, make_job):
    events.start([make_job("package")]).started("package", **SIMULATED).finished("package")
    assert "Not measured on the device." not in page_of(events.done())


def test_headlines_come_before_the_figures_and_all_metrics_last_and_folded(trained):
    page = page_of(trained)
    order = ('class="tiles"', "Not measured on", ">Curves<", ">Confusion", ">Stages<", "<details>")
    assert [page.index(words) for words in order] == sorted(page.index(words) for words in order)
    assert "All metrics (2)" in page and page.index("All metrics") > page.index(">Provenance<")


def test_a_metric_is_listed_with_its_unit(trained):
    assert "4.5\N{NO-BREAK SPACE}ms" in page_of(trained)


def test_sample_data_has_a_banner(events, make_job):
    asset = {"key": "data", "name": "flowers", "digest": None, "sample": True}
    page = page_of(events.start([make_job("train")], assets=[asset]).done())
    assert "Sample data.</strong>\n  flowers only shows" in page
    assert "made by a stage of this run" in page
    assert "None" not in page


def test_the_timeline_shows_the_time_of_the_table(events, make_job):
    events.start([make_job("train")]).started("train").finished("train", seconds=0.27)
    page = page_of(events.done())  # by the clock of the events it took a second
    assert page.count(">0.3 s<") == 2


def test_descriptions_are_whole_and_backticks_are_code(events, make_job):
    doc = "Compile each role's model with `edgetpu_compiler`, which exists for x86-64 Linux only."
    events.start([make_job("compile", doc=doc)]).started("compile")
    events.add("note", stage="compile", text="set `window` lower").finished("compile")
    page = page_of(events.done())
    assert "<code>edgetpu_compiler</code>, which exists for x86-64 Linux only." in page
    assert "set <code>window</code> lower" in page and "`" not in page and "…" not in page


def test_a_note_of_several_stages_stands_once(events, make_job):
    events.start([make_job("a"), make_job("b")])
    for name in ("a", "b"):
        events.started(name).add("note", stage=name, text="no Edge TPU").finished(name)
    page = page_of(events.done())
    assert page.count("no Edge TPU") == 1 and ">a, b<" in page


def test_the_page_links_outputs_logs_and_files_of_the_run(events, make_job, tmp_path):
    (tmp_path / "artifacts/train").mkdir(parents=True)
    (tmp_path / "artifacts/train/out.json").touch()
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/train.log").touch()
    events.start([make_job("train")]).started("train").finished("train")
    page = render(replay(events.done().events), tmp_path)
    for address in ("artifacts/train/out.json", "logs/train.log", "artifacts"):
        assert f'<a href="{address}">' in page


def test_the_page_is_compared_with_the_previous_run(events, make_job, tmp_path):
    before = EventBuilder().start([make_job("train")], params={"epochs": 1}).started("train")
    before.finished("train", accuracy=0.5).done()
    folder = tmp_path / "20270115-070000-000-abcd"
    folder.mkdir()
    lines = "".join(json.dumps(event) + "\n" for event in before.events)
    (folder / "journal.jsonl").write_text(lines)
    events.start([make_job("train")]).started("train").finished("train", accuracy=0.75)
    page = render(replay(events.done().events), tmp_path / "20270115-080000-000-abcd")
    for words in ("Compared with the previous run", "+0.25", "params.epochs", "1 → 3"):
        assert words in page


def test_the_first_run_is_compared_with_nothing(trained, tmp_path):
    assert "Compared" not in render(replay(trained.events), tmp_path / "20270115-080000-000-abcd")


def test_the_model_card_is_written_beside_the_report(tmp_path, events, make_job):
    (tmp_path / "artifacts/pack/out").mkdir(parents=True)
    (tmp_path / "artifacts/pack/out/card.md").write_text("# animals\n")
    events.start([make_job("pack")]).started("pack").finished("pack").done()
    sink = Sink(tmp_path)
    sink.show(events.events[-1], replay(events.events))
    assert "## Provenance" in (tmp_path / "model_card.md").read_text()
    assert '<a href="model_card.md">' in (tmp_path / "report.html").read_text()


def test_parameters_are_written_as_in_yaml(events, make_job):
    params = {"deviation": None, "flip": True, "fit": "crop"}
    page = page_of(events.start([make_job("train")], params=params).done())
    for words in (">null<", ">true<", ">crop<"):
        assert words in page


def test_headings_go_down_one_level_at_a_time(trained):
    levels = [int(level) for level in re.findall(r"<h([1-6])", page_of(trained))]
    assert levels[0] == 1 and set(levels[1:]) == {2}


def test_pictures_have_a_text_and_rows_a_header(trained):
    page = page_of(trained)
    pictures = re.findall(r"<svg[^>]*>|<div class=.timeline[^>]*>", page)
    named = [one for one in pictures if 'aria-hidden="true"' not in one]
    assert len(named) > 3 and all('role="img" aria-label="' in one for one in named)
    bodies = re.findall(r"<tbody>(.*?)</tbody>", page.partition("<h2>Stages")[2], re.DOTALL)
    rows = [row for body in bodies for row in body.split("<tr>")[1:]]
    assert rows and all(row.startswith('<th scope="row"') for row in rows)


def test_the_graph_has_short_boxes_and_the_names_of_folders(events, make_job):
    asset = {"key": "data", "name": "/home/ann/pets", "source": "/home/ann/pets", "digest": "d:1"}
    jobs = [make_job("train", {"d": "asset:data"}, doc="Train a network.")]
    page = page_of(events.start(jobs, assets=[asset]).started("train").finished("train").done())
    graph = page[page.index('class="dag"') :].partition("</svg>")[0]
    assert ">pets<" in graph and "/home/ann" not in graph and "Train a network" not in graph


def test_what_people_added_is_shown_as_text(trained, tmp_path):
    run_annotations.add_note(tmp_path, "<b>too slow")
    run_annotations.add_tags(tmp_path, {"owner": "ann"})
    state = replay(trained.events)
    page = render(state, tmp_path)
    assert "&lt;b&gt;too slow" in page and "owner=ann" in page
    assert "Added to this run" not in render(state)
