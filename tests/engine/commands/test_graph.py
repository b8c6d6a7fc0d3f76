"""`graph`: the DAG in the terminal and as a picture."""

import os
import xml.etree.ElementTree as ElementTree

import pytest


def test_the_dag_is_drawn_in_the_terminal(give):
    said = give("graph")
    assert [line.split()[:2] for line in said.lines] == [["○", "a"], ["●", "b"], ["●", "c"]]


def test_what_the_store_has_is_marked(ran, give):
    assert all("store" in line for line in give("graph").lines)


def test_a_picture_is_written_as_svg(give, project):
    said = give("graph", "output=dag.svg")
    assert said.lines == ["dag.svg"]
    words = {
        one.text
        for one in ElementTree.parse(project.path / "dag.svg").iter(
            "{http://www.w3.org/2000/svg}text"
        )
    }
    assert {"a", "b", "c"} <= words


def test_a_picture_is_written_as_png(give, project):
    pytest.importorskip("PIL", reason="the extra 'runtime' is not installed")
    give("graph", "output=dag.png")
    assert (project.path / "dag.png").read_bytes().startswith(b"\x89PNG")


def test_an_asset_is_drawn_too(give, project):
    (project.path / "mine.txt").write_text("1")
    project.usecase(
        "one",
        'assets: {mine: mine.txt}\nstages: {a: {uses: mystages.double, inputs: {number: "asset:mine"}}}',
    )
    assert "asset:mine" in give("graph", "usecase=one").out


def test_what_a_live_run_is_at_work_on_is_shown_as_running(at_work, give):
    assert "running" in give("graph", "usecase=one").lines[0]


@pytest.mark.parametrize("place", ["pipe.svg", "/dev/zero", "/proc/version"])
def test_what_would_never_take_a_picture_is_refused(give, project, place):
    os.mkfifo(project.path / "pipe.svg")
    said = give("graph", f"output={place}")
    assert said.status == 2 and (
        "neither a file nor a folder" in said.err or "a file system of the kernel" in said.err
    )


@pytest.mark.parametrize("place", ["/", ".", "..", "dag"])
def test_a_picture_without_a_suffix_is_refused_with_a_name(give, place):
    said = give("graph", f"output={place}")
    assert said.status == 2 and said.err.splitlines()[1:] == [
        "  a picture is written as .svg or .png",
        "  write output="
        + {"/": "/dag.svg", ".": "dag.svg", "..": "../dag.svg", "dag": "dag.svg"}[place],
    ]
