"""What a user's files say, whatever their format."""

import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field

from engine.stage import StageError
from stages.tasks.text.rules import Context

_OUT_OF_SCOPE = {"oos", "outofscope", "nlufallback"}
_JOINERS = "\u200c\u200d"  # Persian and emoji need them
_FALLBACK = {"fallback", "noanswer", "default", "defaultfallback", "unknown", "notunderstood"}


@dataclass(frozen=True)
class Sentence:
    """A sentence with its intent, None if it is out of scope, and where it was written."""

    text: str
    intent: str | None
    source: str
    split: str | None = None  # train, val or test, if the data set says so


@dataclass
class Corpus:
    """Everything that the files of a data set contain."""

    sentences: list[Sentence] = field(default_factory=list)
    intents: dict[str, str] = field(default_factory=dict)  # in order -> where it was named first
    responses: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    contexts: dict[str, Context] = field(default_factory=dict)
    # entity -> value -> its other forms
    lookups: dict[str, dict[str, list[str]]] = field(default_factory=lambda: defaultdict(dict))
    synonyms: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    patterns: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, text: str, intent: str, source: str, split: str | None = None) -> None:
        """Add a sentence; the name of an intent may say that it is out of scope."""
        name = intent_name(intent, source)
        outside = is_out_of_scope(name)
        self.name(name, source)
        plain = " ".join(text.split())
        self.sentences.append(Sentence(plain, None if outside else name, source, split))

    def name(self, intent: str, source: str) -> None:
        """Record an intent, whether or not it has sentences."""
        self.intents.setdefault(intent_name(intent, source), source)


def intent_name(text: str, source: str) -> str:
    """Return the name on one line, as labels.txt needs it; StageError: it has an invisible character."""
    name = " ".join(text.split())
    for one in name:
        if unicodedata.category(one) in ("Cc", "Cf", "Cs") and one not in _JOINERS:
            raise StageError(
                f"{source}: the name of the intent {name!a} has the invisible character "
                f"U+{ord(one):04X}: remove it"
            )
    return name


def is_out_of_scope(intent: str) -> bool:
    """Return whether this is the name of what the chatbot must not answer: oos, out_of_scope."""
    return _letters(intent) in _OUT_OF_SCOPE


def is_fallback(intent: str) -> bool:
    """Return whether an intent of this name without sentences has the answers to everything else."""
    return is_out_of_scope(intent) or _letters(intent) in _FALLBACK


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))
