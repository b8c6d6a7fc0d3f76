"""Turns what the user's files say beside the sentences into the rules that are packaged."""

from collections.abc import Mapping

from stages.tasks.text.aligned import align
from stages.tasks.text.dialogue import VARIABLE
from stages.tasks.text.patterns import BUILT_IN
from stages.tasks.text.rules import Context, Rules
from stages.text import _patterns
from stages.text.formats._corpus import Corpus, is_fallback
from stages.text.formats._findings import Findings

Lists = Mapping[str, Mapping[str, list[str]]]


def rules(corpus: Corpus, labels: list[str], not_understood: str, findings: Findings) -> Rules:
    """Return the rules for the intents `labels`; StageError: a pattern that cannot be used.

    not_understood: the answer to a sentence that is not understood, unless the files have one
    """
    patterns = {entity: list(dict.fromkeys(some)) for entity, some in corpus.patterns.items()}
    _patterns.check(patterns)
    fallback = [
        one
        for intent, several in corpus.responses.items()
        if intent not in labels and is_fallback(intent)
        for one in several
    ]
    found = Rules(
        responses={one: corpus.responses[one] for one in labels if corpus.responses.get(one)},
        not_understood=fallback or [not_understood],
        contexts={one: corpus.contexts[one] for one in labels if one in corpus.contexts},
        lookups=_lists(corpus, findings),
        patterns=patterns,
    )
    _tell(found, corpus, labels, findings)
    return found


def _lists(corpus: Corpus, findings: Findings) -> Lists:
    """Return entity -> value -> other forms; equal values in another letter case are one."""
    lists: dict[str, dict[str, list[str]]] = {}
    for entity, values in corpus.lookups.items():
        own: dict[str, list[str]] = {}
        spelt: dict[str, str] = {}
        for value, forms in values.items():
            main = spelt.setdefault(align(value).text, value)
            own.setdefault(main, []).extend(forms)
        lists[entity] = own
    for value, forms in corpus.synonyms.items():
        joined = [_join(value, forms, own) for own in lists.values()]  # in each list
        if not any(joined):
            findings.add("unused_synonyms", value)
    return lists


def _join(value: str, forms: list[str], own: dict[str, list[str]]) -> bool:
    """Add a synonym to an entity's list that has any of its forms; return whether it does."""
    wanted = {align(one).text for one in (value, *forms)}
    known = [one for one in own if align(one).text in wanted]
    if not known:
        return False
    for one in known:
        forms = [*forms, one, *own.pop(one)]
    own[value] = [one for one in dict.fromkeys(forms) if one != value]
    return True


def _tell(found: Rules, corpus: Corpus, labels: list[str], findings: Findings) -> None:
    known = {*found.lookups, *found.patterns, *BUILT_IN}
    for intent, several in found.responses.items():
        for one in several:
            if unknown := sorted(set(VARIABLE.findall(one)) - known):
                findings.add("unknown_variables", intent, f"{{{unknown[0]}}}")
    if found.responses:
        for intent in labels:
            if intent not in found.responses:
                findings.add("unanswered", intent)
    for intent, said in corpus.responses.items():
        if said and intent not in labels and not is_fallback(intent):
            findings.add("unused_responses", intent)
    _check_contexts(found.contexts, findings)


def _check_contexts(contexts: Mapping[str, Context], findings: Findings) -> None:
    """Report an intent that can never be chosen, because no intent sets what it requires."""
    settable = {name for one in contexts.values() for name in one.sets}
    for intent, one in contexts.items():
        if one.requires and settable.isdisjoint(one.requires):
            findings.add("unreachable", intent, f"it requires {' or '.join(one.requires)}")
