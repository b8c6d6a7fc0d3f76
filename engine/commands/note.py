"""`note RUN "text"`: add a note to a run; without a text, print the run's notes and tags."""

from typing import ClassVar

from pydantic import Field

from engine import annotate, run_annotations, run_names
from engine.errors import UserError
from engine.options import CommandOptions, Words
from engine.request import Request


class Options(CommandOptions):
    """The options of `note`."""

    IS_CACHED: ClassVar[bool] = False  # what people write about a run is in its folder only

    WORD = "run"
    MORE = "text"

    run: str | None = Field(
        None, description="a run's name, its id or the beginning of it; also as a word: note RUN"
    )
    text: Words = Field((), description="the note; also as words after the run")


def main(request: Request[Options]) -> tuple[int, None]:
    """Append the note to the run's annotations, and show it in the report and in MLflow."""
    options = request.options
    if not options.run:
        raise UserError("note", "the run is missing", 'write: python run.py note RUN "text"')
    run_dir = run_names.find(request.outputs, options.run)
    if options.text:
        run_annotations.add_note(run_dir, " ".join(options.text))
        annotate.show(request.outputs, request.settings.tracking.model_dump(), run_dir)
    print(f"run {run_names.label(run_dir)}")
    for line in run_annotations.lines(run_annotations.read(run_dir)):
        print(f"  {line}")
    return 0, None
