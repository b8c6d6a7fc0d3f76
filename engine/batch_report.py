"""Reports the predictions for a folder: rows on one stream, notes and progress on the other."""

import shutil
import time
from pathlib import Path
from typing import TextIO

from engine import predictions
from engine.batch import Answered, Skipped
from engine.pace import Pace
from engine.wording import duration, plural, printable

PROGRESS_S = 10.0  # between two progress lines


class Report:
    """The report of one folder; output: the path for annotated pictures, or None."""

    def __init__(
        self, form: predictions.Format, output: Path | None, out: TextIO, err: TextIO
    ) -> None:
        self._form, self._output, self._out, self._err = form, output, out, err
        self._lines, self._pace = predictions.Lines(form), Pace()
        self._noted: set[str] = set()
        self._written: set[str] = set()  # names of annotated pictures
        self._told_s = time.time()
        self._total = self._rows = self._inputs = self._skipped = 0

    def begin(self, total: int, kept: int) -> None:
        """Print how many of the files earlier commands have processed."""
        self._total = total
        self._pace.show({"event": "job_started", "stage": "", "time": time.time()})
        if kept:
            self._say(f"{kept:,} of {total:,} files were processed earlier")

    def hear(self, done: int, total: int, message: str) -> None:
        """Print the progress and the estimated time left, at intervals."""
        now_s = time.time()
        event = {"event": "progress", "stage": "", "time": now_s, "done": done, "total": total}
        self._pace.show(event)
        if now_s - self._told_s < PROGRESS_S:
            return
        self._told_s = now_s
        left_s = self._pace.left_s("", now_s)
        left = "" if left_s is None else f", {duration(left_s)} left"
        self._say(f"{done:,} of {total:,} files{left}")

    def show(self, result: Answered | Skipped) -> None:
        """Print a part's notes and rows."""
        if isinstance(result, Skipped):
            self._skipped += 1
            self._say(f"note: {result.name} was skipped: {result.why}")
            return
        for note in result.record.notes:
            if note not in self._noted:
                self._noted.add(note)
                self._say(f"note: {note}")
        self._count(result, self._print(_folder(result)))

    def copy(self, result: Answered | Skipped) -> None:
        """Copy a part's annotated pictures without replacing those of another part."""
        if self._output is None or isinstance(result, Skipped):
            return
        if self._total == 1:
            predictions.deliver(_folder(result), self._output)
            return
        for path in predictions.annotated(_folder(result)):
            self._output.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, self._output / self._unused(path))

    def resume(self, done: int) -> None:
        """Print how many files of an unfinished folder are processed."""
        self._say(f"{done:,} of {self._total:,} files processed; repeat the command to resume")

    def end(self) -> int:
        """Print the number of processed files, and return the exit status."""
        if not self._rows and self._form == "table":
            self._out.write(predictions.shown([], "table") + "\n")
        answered = f"{plural(self._inputs, 'input')} processed"
        self._say(f"{answered}, {self._skipped:,} skipped" if self._skipped else answered)
        if self._output:
            self._say(str(self._output))
        return 0 if self._inputs else 1

    def _print(self, folder: Path) -> int:
        rows = predictions.rows(folder)
        if rows is None:
            self._say("the stage wrote no predictions.jsonl with a JSON object on each line")
            return 0
        for line in self._lines.of(rows):
            self._out.write(line + "\n")
        self._out.flush()
        return len(rows)

    def _count(self, result: Answered, rows: int) -> None:
        metrics = result.record.metrics
        self._rows += rows
        self._inputs += int(metrics.get("inputs", len(result.names)))
        self._skipped += int(metrics.get("skipped", 0))

    def _unused(self, path: Path) -> str:
        name, copies = path.name, 1
        while name in self._written:
            copies += 1
            name = f"{path.stem}-{copies}{path.suffix}"
        self._written.add(name)
        return name

    def _say(self, text: str) -> None:
        self._err.write(printable(text) + "\n")
        self._err.flush()


def _folder(result: Answered) -> Path:
    """Return the stage's output with its predictions."""
    return next(iter(result.outputs.values()))
