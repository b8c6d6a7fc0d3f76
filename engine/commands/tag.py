"""`tag RUN key=value ...`: set tags of a run; `key=` removes one; without a tag, print the run's tags.

A key that the command line itself has, such as outputs or usecase, cannot be the key of a tag.
"""

from typing import ClassVar

from pydantic import Field

from engine import annotate, run_annotations, run_names
from engine.errors import UserError
from engine.options import CommandOptions, Words
from engine.request import Request

_OTHERS = ("params.", "assets.", "stages.", "objective")


class Options(CommandOptions):
    """The options of `tag`."""

    IS_CACHED: ClassVar[bool] = False  # what people write about a run is in its folder only

    WORD = "run"
    MORE = "tags"

    run: str | None = Field(
        None, description="a run's name, its id or the beginning of it; also as a word: tag RUN"
    )
    tags: Words = Field((), description="KEY=VALUE, also as words after the run")


def main(request: Request[Options]) -> tuple[int, None]:
    """Append the tags to the run's annotations, and show them in the report and in MLflow."""
    options = request.options
    if not options.run or "=" in options.run:
        raise UserError("tag", "the run is missing", "write: python run.py tag RUN key=value")
    _refuse_other_keys(request)
    run_dir = run_names.find(request.outputs, options.run)
    if options.tags:
        run_annotations.add_tags(run_dir, dict(map(_pair, options.tags)))
        annotate.show(request.outputs, request.settings.tracking.model_dump(), run_dir)
    print(f"run {run_names.label(run_dir)}")
    for line in run_annotations.lines(run_annotations.read(run_dir)):
        print(f"  {line}")
    return 0, None


def _refuse_other_keys(request: Request[Options]) -> None:
    """Raise UserError for keys that the command line takes as those of a use case or of a new run."""
    words = [one for one in request.command if one.lstrip("+~").startswith(_OTHERS)]
    if request.settings.run_name is not None:
        words.append(f"name={request.settings.run_name}")
    if words:
        what = f"'{words[0].partition('=')[0]}' is a key of the command line, and no tag"
        raise UserError(words[0], what, f"choose another key: my.{words[0].lstrip('+~')}")


def _pair(word: str) -> tuple[str, str]:
    key, equals, value = word.partition("=")
    if not equals:
        raise UserError(word, "a tag needs a value", f"write {word}=VALUE; {word}= removes the tag")
    return key, value
