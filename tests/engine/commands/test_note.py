"""`note`: adds text to a run, and shows it."""

import pytest

from engine import run_annotations


def test_a_note_is_kept_printed_and_shown_in_the_report(ran, give):
    give()  # with a report, unlike the copied run
    run_dir = ran.last
    said = give("note", "chain-2", "lr=0.1 was <too> high: ${params.n}")
    assert said.lines[0] == f"run {run_dir.name} (chain-2)"
    assert said.lines[1].startswith("note: lr=0.1 was <too> high: ${params.n} (20")
    page = (run_dir / "report.html").read_text()
    assert "lr=0.1 was &lt;too&gt; high: ${params.n}" in page


def test_several_words_are_one_note_and_known_keys_are_no_words(ran, give):
    give("note", ran.last.name[:12], "outputs are", "fine", f"outputs={ran.outputs}")
    [(_, text)] = run_annotations.read(ran.last).notes
    assert text == "outputs are fine"


def test_run_and_text_may_be_written_as_keys(ran, give):
    give("note", "run=chain", "text=hello")
    assert [text for _, text in run_annotations.read(ran.last).notes] == ["hello"]


def test_without_a_text_it_shows_what_is_there(ran, give):
    give("note", "chain", "first")
    assert [line.partition(" (")[0] for line in give("note", "chain").lines[1:]] == ["note: first"]


def test_the_text_is_not_kept_in_the_cache_of_requests(ran, give):
    give("note", "chain", "confidential")
    cached = (ran.outputs / ".engine").glob("requests/*")
    assert not [path for path in cached if "confidential" in path.read_text()]


@pytest.mark.parametrize("words", [[], ["chain", ""]], ids=["no run", "no text"])
def test_what_is_missing_is_said_with_how_to_write_it(ran, give, words):
    said = give("note", *words)
    assert said.status == 2 and 'write: python run.py note RUN "text"' in said.err


def test_a_run_at_work_may_be_annotated(at_work, give):
    assert give("note", "one", "hello", "usecase=one").status == 0
    assert [text for _, text in run_annotations.read(at_work.last).notes] == ["hello"]
