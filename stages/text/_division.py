"""Removes repeated and contradictory sentences, and divides the others into training, validation and test."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from engine.stage import StageError, note
from stages.tasks.text.normalise import normalised
from stages.tasks.text.rules import Context
from stages.text.formats._corpus import Corpus, Sentence
from stages.text.formats._findings import Findings
from stages.training.findings import listed
from stages.training.parts import divide

MOST_CHARACTERS = 1000  # of a sentence
NAMED = 8  # maximum number of intents named in one note
_RANKS = {"test": 2, "val": 1}  # a sentence in two parts stays in the one that is not trained on
Parts = Mapping[str, list[Sentence]]


def usable(corpus: Corpus, findings: Findings) -> list[Sentence]:
    """Return each sentence once, in the order of the files.

    A sentence under two intents is left out, unless they require different contexts. If the data set
    has its own split, a sentence in two parts is left out of the one that is trained on.
    """
    equal: dict[str, list[Sentence]] = defaultdict(list)
    for sentence in _settled(corpus.sentences):
        if len(sentence.text) > MOST_CHARACTERS:
            findings.add("too_long", sentence.source)
        elif key := normalised(sentence.text):
            equal[key].append(sentence)
        else:
            findings.add("blank", sentence.source)
    return [
        sentence
        for together in equal.values()
        for sentence in _unequal(together, corpus.contexts, findings)
    ]


def split(
    sentences: Sequence[Sentence],
    contexts: Mapping[str, Context],
    shares: tuple[float, float],
    seed: int,
) -> Parts:
    """Return the sentences of each part; shares: of test and validation.

    An existing split is kept. Otherwise sentences that differ only in punctuation stay together, and one
    that belongs to several intents, by context, is only trained on. StageError: an intent without a
    training sentence; no test sentence; fewer than two intents.
    """
    import numpy as np

    has_split = any(one.split for one in sentences)
    keys = [one.text if has_split else _key(one.text) for one in sentences]
    numbers = {key: at for at, key in enumerate(dict.fromkeys(keys))}
    group = np.array([numbers[key] for key in keys], np.int64)
    shared = _of_several_intents(sentences)
    rows = [at for at in range(len(sentences)) if at not in shared]
    found = divide(
        [one.intent or "" for one in sentences],
        [one.split for one in sentences],
        group,
        rows,
        shares,
        seed,
        "sentence",
    )
    parts = {name: [sentences[at] for at in rows] for name, rows in found.items()}
    parts["train"] += [sentences[at] for at in sorted(shared)]
    _check(parts)
    return parts


def _settled(sentences: Sequence[Sentence]) -> Sequence[Sentence]:
    """Return the sentences with the data set's own split, if it has training and another part."""
    found = {one.split for one in sentences} - {None}
    if "train" not in found or len(found) == 1:
        return [replace(one, split=None) for one in sentences]
    renamed = {"val": "test"} if "test" not in found else {}
    parts = [one.split or "train" for one in sentences]
    return [
        replace(one, split=renamed.get(part, part))
        for one, part in zip(sentences, parts, strict=True)
    ]


def _unequal(
    together: Sequence[Sentence], contexts: Mapping[str, Context], findings: Findings
) -> list[Sentence]:
    """Return one of several equal sentences for each intent that it may have."""
    part = max((one.split for one in together), key=lambda one: _RANKS.get(one or "", 0))
    by_intent: dict[str | None, Sentence] = {}
    for one in (one for one in together if one.split == part):
        if one.intent in by_intent:
            findings.add("repeated", one.source, _short(one.text))
        by_intent.setdefault(one.intent, one)
    for one in (one for one in together if one.split != part):
        kind = "repeated" if one.intent in by_intent else "ambiguous"
        findings.add(kind, one.source, _short(one.text))
    if len(by_intent) == 1 or _are_told_apart(by_intent, contexts):
        return list(by_intent.values())
    for intent, one in by_intent.items():
        findings.add("ambiguous", one.source, f"'{_short(one.text)}' is {intent or 'out of scope'}")
    return []


def _are_told_apart(
    intents: "Mapping[str | None, Sentence]", contexts: Mapping[str, Context]
) -> bool:
    """Return whether each intent requires other contexts than the rest."""
    required = [
        contexts[one].requires if one in contexts else () for one in intents if one is not None
    ]
    named = [name for some in required for name in some]
    return len(required) == len(intents) and all(required) and len(named) == len(set(named))


def _of_several_intents(sentences: Sequence[Sentence]) -> set[int]:
    places: dict[str, list[int]] = defaultdict(list)
    for at, one in enumerate(sentences):
        places[normalised(one.text)].append(at)
    return {at for several in places.values() if len(several) > 1 for at in several}


def _check(parts: Parts) -> None:
    intents = {one.intent for part in parts.values() for one in part if one.intent}
    trained, tested = ({one.intent for one in parts[name]} for name in ("train", "test"))
    if missing := sorted(intents - trained):
        raise StageError(
            f"there are no training sentences of {listed(missing, NAMED)}: add some, or remove the intent"
        )
    if len(intents) < 2:
        raise StageError(
            f"a chatbot needs at least two intents with sentences of their own, but there "
            f"{'is' if len(intents) == 1 else 'are'} {len(intents)}: add sentences"
        )
    if not tested - {None}:
        raise StageError("there are no test sentences: give each intent at least three sentences")
    if untested := sorted(intents - tested):
        note(
            f"{len(untested)} of {len(intents)} intents cannot be tested, because they have too few "
            f"sentences: {listed(untested, NAMED)}; write at least three, better ten"
        )


def _key(text: str) -> str:
    """Return the letters and digits of a sentence, or all of it if it has none, such as emoji."""
    plain = normalised(text)
    return "".join(filter(str.isalnum, plain)) or plain


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."
