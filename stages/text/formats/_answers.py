"""Reads what is beside the sentences: responses, contexts and entities, in responses.yml or a Rasa domain.

responses: {greet: ["Hello!", "Hi {name}."]}
contexts: {confirm: {requires: booking, sets: done}}
entities: {city: [Rome, Milan], dish: {pizza: [pizzas]}, order: "[A-Z]{2}[0-9]{4}"}
"""

from collections.abc import Mapping
from typing import Any

from engine.stage import StageError
from stages.tasks.text.rules import Context
from stages.text.formats._corpus import Corpus, intent_name
from stages.text.formats._fields import field, filled, mapping

_UTTER = "utter_"  # Rasa's prefix for the response to an intent


def is_form(data: Any) -> bool:
    """Return whether the data of a YAML file has anything of this."""
    return isinstance(data, Mapping) and any(
        field(data, key) is not None for key in ("responses", "contexts", "entities")
    )


def read(data: Mapping[str, Any], name: str, corpus: Corpus) -> None:
    """Add what a file says to the corpus; StageError: it cannot be used."""
    found = mapping(field(data, "responses"), f"{name}: responses", "{greet: [Hello!, Hi!]}")
    for intent, said in found.items():
        key = intent_name(str(intent).removeprefix(_UTTER), f"{name}: responses")
        corpus.responses[key] += filled(_plain(said), f"{name}: responses: {intent}")
    found = mapping(field(data, "contexts"), f"{name}: contexts", "{confirm: {requires: booking}}")
    for intent, one in found.items():
        where = f"{name}: contexts: {intent}"
        key = intent_name(str(intent), f"{name}: contexts")
        corpus.contexts[key] = context(mapping(one, where, "{requires: booking}"), where)
    entities = field(data, "entities")
    if not isinstance(entities, list):  # Rasa's domain only lists their names
        add_entities(entities, f"{name}: entities", corpus)


def context(entry: Mapping[str, Any], where: str) -> Context:
    """Return the contexts that an object names."""
    requires = filled(field(entry, "requires", "in"), f"{where}: requires")
    return Context(requires, filled(field(entry, "sets", "out"), f"{where}: sets"))


def add_entities(value: Any, where: str, corpus: Corpus) -> None:
    """Add entities: a list of values, an object with the other forms of each, or a pattern as text."""
    if isinstance(value, list) and not any(value):
        return
    for name, one in mapping(value, where, "{city: [Rome, Milan]}").items():
        own = f"{where}: {name}"
        check_name(str(name), own)
        if isinstance(one, str):
            corpus.patterns[str(name)].append(one)
        elif isinstance(one, Mapping):
            for text, forms in one.items():
                corpus.lookups[str(name)].setdefault(str(text), []).extend(filled(forms, own))
        else:
            for text in filled(one, own):
                corpus.lookups[str(name)].setdefault(text, [])


def check_name(name: str, where: str) -> None:
    """Raise StageError if a response cannot have a variable of this name."""
    if not name.isidentifier():
        raise StageError(
            f"{where}: '{name}' cannot be used in a response as {{{name}}}: write letters, digits and _"
        )


def _plain(said: Any) -> Any:
    """Return responses as texts; Rasa has objects with `text`, and others without, such as pictures."""
    if not isinstance(said, list):
        return said
    return [one.get("text") or "" if isinstance(one, Mapping) else one for one in said]
