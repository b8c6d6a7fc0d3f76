"""Data sets of sentences, written as people write them, and what the readers make of them."""

from dataclasses import dataclass

import pytest

from stages.text.formats import _find
from stages.text.formats._corpus import Corpus
from stages.text.formats._findings import Findings
from tests.stages.files import write


@dataclass(frozen=True)
class Read:
    """What the readers found in a data set, and what was wrong with it."""

    corpus: Corpus
    findings: Findings

    @property
    def sentences(self) -> list[tuple[str, str | None]]:
        return [(one.text, one.intent) for one in self.corpus.sentences]

    @property
    def splits(self) -> list[str | None]:
        return [one.split for one in self.corpus.sentences]

    @property
    def counts(self) -> dict[str, float]:
        """The kinds of findings that are not zero."""
        return {kind: count for kind, count in self.findings.counts().items() if count}


@pytest.fixture
def read(tmp_path):
    """Write these files, and read them as a data set; `only`: read this file instead of the folder."""

    def done(only: str = "", **files: str | bytes) -> Read:
        root = tmp_path / "data"
        write(root, files)
        findings = Findings()
        return Read(_find.read(root / only, findings), findings)

    return done
