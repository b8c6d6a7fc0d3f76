"""Generates a sample of sentences, so that a first run needs no data and no download."""

from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from engine.stage import Out
from engine.stage.bounds import Range

if TYPE_CHECKING:
    from random import Random

TRIES = 30  # for each sentence, before a template counts as exhausted


class IntentsSampleMetrics(TypedDict):
    """Numbers of generated sentences and of intents, with the one that is out of scope."""

    sentences: float
    intents: float


def intents_sample(
    intents: Out,
    *,
    each: Annotated[int, Range(ge=6, le=200)] = 40,
    seed: Annotated[int, Range(ge=0)] = 7,
) -> IntentsSampleMetrics:
    """Write a restaurant's chatbot from templates: twelve intents in five languages, and questions out
    of scope.

    intents: a folder with intents.json

    each: number of sentences per intent; fewer if its templates have no more
    seed: determines the sentences

    The same seed gives the same bytes. Source: synthetic; only for trying out the pipeline.
    """
    import json
    from random import Random

    from stages.text import _sample_texts as texts

    entries, count = [], 0
    for number, (intent, templates) in enumerate(texts.TEMPLATES.items()):
        sentences = _sentences(templates, each, Random(1000 * seed + number))
        count += len(sentences)
        entry = {"tag": intent, "patterns": sentences, "responses": texts.RESPONSES[intent]}
        if context := texts.CONTEXTS.get(intent):
            entry["context"] = context
        entries.append(entry)
    intents.mkdir()
    data: dict[str, Any] = {"intents": entries, "entities": {**texts.LISTS, "order": texts.ORDER}}
    text = json.dumps(data, ensure_ascii=False, indent=1)
    (intents / "intents.json").write_text(text + "\n", encoding="utf-8")
    return IntentsSampleMetrics(sentences=float(count), intents=float(len(entries)))


def _sentences(templates: list[str], each: int, random: "Random") -> list[str]:
    """Return different sentences, from each template in turn."""
    found: dict[str, None] = {}
    for at in range(each * TRIES):
        if len(found) == each:
            break
        found.setdefault(_filled(templates[at % len(templates)], random))
    return list(found)


def _filled(template: str, random: "Random") -> str:
    from stages.text._sample_texts import EXTRA, FILLERS, LANGUAGES, LISTS

    language, _, sentence = template.partition("|")
    words = {name: random.choice(values) for name, values in FILLERS.items()}
    for name, values in LISTS.items():
        main = random.choice(sorted(values))
        in_language = language in LANGUAGES
        words[name] = values[main][LANGUAGES.index(language)] if in_language else main
    before, after = (random.choice(several) for several in EXTRA[language])
    return before + sentence.format(**words) + after + words["end"]
