"""Labels the output of a job that shares the terminal with others."""

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TextIO


class Labelled(io.TextIOBase):
    """A text stream that writes whole lines, each with a label, to another one.

    A line is one write, so that the lines of several processes do not mix. It is no terminal:
    nothing is drawn over what another job wrote.
    """

    def __init__(self, stream: TextIO, label: str) -> None:
        self._stream, self._label, self._rest = stream, label, ""

    def write(self, text: str) -> int:
        """Write the complete lines, and keep the rest until its line is complete."""
        *lines, self._rest = (self._rest + text).split("\n")
        if lines:
            self._stream.write("".join(f"{self._label} | {line}\n" for line in lines))
            self._stream.flush()
        return len(text)

    def flush(self) -> None:
        """Do nothing: complete lines are written at once."""

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the descriptor of the other stream."""
        return self._stream.fileno()

    def end(self) -> None:
        """Write the last line, if it is incomplete."""
        if self._rest:
            self.write("\n")


@contextmanager
def labelled(label: str) -> Iterator[None]:
    """Label everything that this process prints inside the context."""
    out, err = Labelled(sys.stdout, label), Labelled(sys.stderr, label)
    with redirect_stdout(out), redirect_stderr(err):
        try:
            yield
        finally:
            out.end()
            err.end()
