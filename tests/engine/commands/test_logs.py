"""`logs`: what the stages of a run printed."""

import pytest

TALKING = (
    "from engine.stage import In, Out\ndef {name}(data: Out{more}) -> None:\n    print('this is "
    "{name}')\n    data.write_text('1')\n"
)
SLOWLY = """
    import time
    from pathlib import Path
    from engine.stage import Out
    def only(data: Out, *, here: str) -> None:
        print("first", flush=True)
        Path(here).touch()
        while Path(here).exists():
            time.sleep(0.02)
        print("second", flush=True)
        data.write_text("1")
"""


@pytest.fixture
def talked(project, give):
    """A run of two stages that print."""
    project.stage("one", TALKING.format(name="one", more=""))
    project.stage("two", TALKING.format(name="two", more=", before: In | None = None"))
    project.usecase(
        "talk",
        "stages: {a: {uses: mystages.one}, b: {uses: mystages.two, inputs: {before: a.data}}}",
    )
    assert give("usecase=talk").status == 0
    return project


def test_the_logs_of_all_stages_come_in_the_order_of_their_ends(talked, give):
    assert give("logs", "usecase=talk").lines == ["--- a", "this is one", "--- b", "this is two"]


def test_one_stage_may_be_asked_for(talked, give):
    assert give("logs", "usecase=talk", "stage=b").lines == ["--- b", "this is two"]


def test_an_unknown_stage_is_refused(talked, give):
    said = give("logs", "usecase=talk", "stage=c")
    assert (said.status, said.err) == (
        2,
        "stage=c\n  there is no such stage\n  choose one of: a, b\n",
    )


def test_a_run_without_a_word_prints_none(ran, give):
    assert give("logs").out == ""


def test_an_earlier_run_may_be_asked_for(talked, give):
    first = talked.last.name
    give("usecase=talk")
    assert give("logs", f"run={first}").lines == ["--- a", "this is one", "--- b", "this is two"]


def test_the_logs_of_cached_stages_are_those_of_the_run_that_printed_them(talked, give):
    first = talked.last.name
    give("usecase=talk")
    said = [
        f"--- a (cached; from run {first})",
        "this is one",
        f"--- b (cached; from run {first})",
        "this is two",
    ]
    assert give("logs", "usecase=talk").lines == said


@pytest.mark.parametrize("command", ["status", "logs"])
def test_outputs_that_were_moved_say_what_they_said(command, talked, give, tmp_path):
    before = give(command, "usecase=talk").lines
    talked.outputs.rename(tmp_path / "elsewhere")
    after = give(command, "usecase=talk", f"outputs={tmp_path / 'elsewhere'}").lines
    assert [line for line in after if "elsewhere" not in line] == [
        line for line in before if talked.outputs.name not in line
    ]
    assert len(after) == len(before) > 2


def test_following_shows_what_comes_and_ends_with_the_run(project):
    project.only_stage(SLOWLY, params={"here": str(project.path / "here")})
    engine = project.start("usecase=one")
    project.until((project.path / "here").exists)
    reader = project.start("logs", "follow=true", "usecase=one")
    assert [reader.stdout.readline().rstrip() for _ in range(2)] == ["--- s", "first"]
    (project.path / "here").unlink()
    out, err = reader.communicate(timeout=300)
    assert (out, err, reader.returncode) == ("second\n", "", 0)
    engine.communicate(timeout=300)


def test_the_run_that_was_chosen_is_named_beside_the_output(talked, give):
    said = give("logs", "run=talk", "stage=b")
    assert (said.lines, said.err) == (["--- b", "this is two"], f"run {talked.last.name} (talk)\n")
