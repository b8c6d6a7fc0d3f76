"""The page of a comparison: self-contained, with the figures of each run beside those of the others."""

import html
import re

from engine.events import replay
from engine.report import compare_page, side_by_side
from engine.report.side_by_side import Side
from tests.run_events import EventBuilder, job

MATRIX = {"kind": "confusion_matrix", "labels": ["cat", "dog"], "matrix": [[7, 1], [0, 9]]}


def _side(folder, name: str, *figures: str, **more) -> Side:
    builder = EventBuilder().start([job("train")], name=name, **more).started("train")
    for figure in figures:
        builder.add("figure", stage="train", name=figure, **MATRIX)
    state = replay(builder.finished("train", accuracy=0.9).done().events)
    return Side(folder / "u" / "t" / name, state, {})


def _page(folder, *sides: Side) -> str:
    return compare_page.render(side_by_side.sheet(sides), folder / "comparisons")


def test_the_page_needs_nothing_from_elsewhere(tmp_path):
    page = _page(tmp_path, _side(tmp_path, "a", "int8"), _side(tmp_path, "b", "int8"))
    assert "default-src 'none'" in html.unescape(page) and "<script" not in page
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", page)


def test_figures_of_one_name_are_side_by_side(tmp_path):
    page = _page(tmp_path, _side(tmp_path, "a", "int8"), _side(tmp_path, "b", "int8", "float"))
    assert page.count("<h3>") == 2 and page.count("<figure>") == 3
    assert page.count("This run has no such figure.") == 1


def test_too_many_figures_are_counted(tmp_path):
    names = [f"f{n}" for n in range(compare_page.MOST_FIGURES + 2)]
    page = _page(tmp_path, _side(tmp_path, "a", *names), _side(tmp_path, "b"))
    assert "2 more are in the reports of the runs." in page


def test_links_lead_to_reports_that_exist(tmp_path):
    first = _side(tmp_path, "a")
    first.run_dir.mkdir(parents=True)
    (first.run_dir / "report.html").touch()
    page = _page(tmp_path, first, _side(tmp_path, "b"))
    assert re.findall(r'href="([^"]+)"', page) == ["../u/t/a/report.html"]


def test_no_word_of_a_run_becomes_markup(tmp_path):
    odd = _side(tmp_path, "b", params={"<b>x": "<i>"}, target="<u>", command=["<s>"])
    page = _page(tmp_path, _side(tmp_path, "a"), odd)
    assert not re.findall("<[bisu]>(?:x|$)", page) and "&lt;i&gt;" in page


def test_runs_that_do_not_differ_say_so_and_fold_what_is_the_same(tmp_path):
    page = _page(tmp_path, _side(tmp_path, "a"), _side(tmp_path, "b"))
    assert "The runs do not differ." in page and "The same: metrics (1)" in page


def test_a_curve_has_the_same_axis_in_each_run(tmp_path):
    def curve(name: str, top: float) -> Side:
        axes = {"x": "recall", "y": "precision", "x_unit": None, "y_unit": None}
        series = [{"name": "int8", "x": [0.0, 1.0], "y": [0.0, top]}]
        side = _side(tmp_path, name)
        figure = {"kind": "curves", "name": "PR", "series": series, **axes}
        side.state.stages["train"].figures.append(figure)
        return side

    page = _page(tmp_path, curve("a", 1.0), curve("b", 50.0))
    first, second = page.split("<figure>")[1:3]
    ticks = [re.findall(r'class="tick end"[^>]*>([^<]+)<', one) for one in (first, second)]
    assert ticks[0] == ticks[1] and "40" in ticks[0]
