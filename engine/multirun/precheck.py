"""Plans the jobs of a sweep before any of them starts, and reports the mistakes of all of them together."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from engine import compose, layout, planning
from engine.registration import CommandLine
from engine.store import Store

MOST_PLANNED = 32  # jobs; planning one takes about 0.3 s
Words = Sequence[str]  # the overrides of a job


def check(jobs: Sequence[Words], line: CommandLine) -> None:
    """Compose and plan the jobs; raise every mistake together. Nothing is started.

    Of a sweep with more than MOST_PLANNED jobs, as many are planned as are needed for each value of each
    key; mistakes that only a combination of values has are then reported by its job.
    """
    planned = jobs if len(jobs) <= MOST_PLANNED else list(covering(jobs))
    found: list[Exception] = []
    for number, words in enumerate(planned, 1):
        try:
            _plan(replace(line, words=tuple(words)), number)
        except Exception as mistake:  # of ours or Hydra's: `mistakes` tells them apart
            found.append(mistake)
    if found:
        raise ExceptionGroup("the sweep is invalid", found)


def covering(jobs: Sequence[Words]) -> Iterator[Words]:
    """Yield the jobs that have a value that no earlier job has."""
    known: set[str] = set()
    for words in jobs:
        if not known.issuperset(words):
            known.update(words)
            yield words


def _plan(line: CommandLine, number: int) -> None:
    request = compose.numbered(compose.single(line), number)
    layout.make_outputs(request.outputs)
    with Store(layout.store_dir(request.outputs)).locks.in_use():
        planning.plan(request).executors.close()
