"""The labels of parallel jobs' output."""

import io
import subprocess
import sys

from engine.multirun.labels import Labelled, labelled


def test_each_line_gets_the_label_when_it_is_complete():
    stream = io.StringIO()
    out = Labelled(stream, "job 2")
    out.write("one\ntw")
    assert stream.getvalue() == "job 2 | one\n"
    out.write("o\n\n")
    assert stream.getvalue().splitlines()[1:] == ["job 2 | two", "job 2 | "]


def test_an_incomplete_last_line_is_completed():
    stream = io.StringIO()
    out = Labelled(stream, "job 2")
    out.write("no end")
    out.end()
    out.end()
    assert stream.getvalue() == "job 2 | no end\n"


def test_it_is_no_terminal(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    assert not Labelled(stream, "job 2").isatty()


def test_lines_that_arrive_together_are_one_write():
    class Counting(io.StringIO):
        writes = 0

        def write(self, text: str) -> int:
            self.writes += 1
            return super().write(text)

    stream = Counting()
    Labelled(stream, "job 1").write("a\nb\n")
    assert (stream.writes, stream.getvalue()) == (1, "job 1 | a\njob 1 | b\n")


def test_both_streams_of_the_process_are_labelled_until_the_job_ends(capsys):
    with labelled("job 3"):
        sys.stdout.write("out\n")
        sys.stderr.write("err\n")
    sys.stdout.write("after\n")
    found = capsys.readouterr()
    assert (found.out, found.err) == ("job 3 | out\nafter\n", "job 3 | err\n")


def test_its_descriptor_is_that_of_the_stream(tmp_path):
    with (tmp_path / "log").open("w") as file:
        assert Labelled(file, "job 1").fileno() == file.fileno()
        subprocess.run(["true"], stdout=Labelled(file, "job 1"), check=True)
