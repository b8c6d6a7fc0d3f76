"""The task `intents`: what a sentence asks for, the entities in it, and what to answer.

A sentence that resembles no intent is not understood: the model's confidence is below the threshold found
in training. Raw inputs are sentences. A conversation remembers entities and contexts; the sentences of a
file are answered independently of each other.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.stage import StageError
from stages.tasks.signature import ANY, Needs
from stages.tasks.text import decision, dialogue, explanation, features, nearest, reading, rules
from stages.tasks.text.decision import Decision
from stages.tasks.text.dialogue import State
from stages.tasks.text.entities import MOST_CHARACTERS, Finder
from stages.tasks.text.features import Features

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stages.tasks.package import Package
    from stages.tasks.task import Detection
    from stages.tasks.text.entities import Entity
    from stages.tasks.text.explanation import Sections

MODEL = "model"  # the role
SEES = None  # sentences are not frames
UNKNOWN = ""  # the intent of a sentence that is not understood
SHOWN = 5  # intents in an explanation


class Intents:
    """A packed chatbot."""

    takes = "sentences"
    follows = False
    picture_side = None

    def __init__(self, package: Package, accelerator: str, runtime: str) -> None:
        self._labels = list(package.labels)
        folder = package.data(rules.FILE, *features.FILES)
        self._features = Features.read(folder)
        self._rules = rules.read(folder)
        self._examples = nearest.read(folder)
        self._finder = Finder(self._rules.lookups, self._rules.patterns)
        self._decision = Decision.of(package.constants)
        self._model = package.open_role(MODEL, accelerator, runtime)
        self.ran_on = f"{self._model.runtime} on the {self._model.called}"
        _check_sizes(self._model, self._features, self._labels)

    def new_state(self, still: bool = False) -> State:
        return State()

    def answer(self, raw: str, state: State) -> dict[str, Any]:
        """Return the intent, its confidence, the entities and the response; the state moves on."""
        probabilities, confidence = self._judged(raw)
        found = self._finder.find(raw)
        intent, lacks = None, []
        if confidence >= self._decision.threshold:
            contexts = self._rules.contexts
            intent = dialogue.chosen(probabilities, self._labels, contexts, state.contexts)
            lacks = self._required(probabilities) if intent is None else []
        text = self._response(intent, raw, found, state)
        return {
            "text": raw,
            "intent": UNKNOWN if intent is None else intent,
            "score": round(confidence, 4),
            "entities": [one.as_json(raw) for one in found],
            "answer": text,
            "requires": lacks,  # contexts that are not active, without which it is not understood
            "contexts": sorted(state.contexts),
        }

    def said(self, answer: Mapping[str, Any]) -> str:
        """Return the response, or the intent's name in brackets if it has none."""
        return str(answer["answer"] or f"[{answer['intent']}]")

    def why(self, answer: Mapping[str, Any]) -> Sections:
        """Return the scores, entities and contexts of an answer, and similar training sentences."""
        text = answer["text"][:MOST_CHARACTERS]
        probabilities, _ = self._judged(text)
        order = (-probabilities).argsort(kind="stable")[:SHOWN]
        scores = {self._labels[at]: float(probabilities[at]) for at in order}
        similar = nearest.most_similar(text, self._examples)
        return explanation.why(answer, self._decision.threshold, scores, similar)

    def remembered(self, state: State) -> Sections:
        """Return the active contexts and the last entities."""
        return explanation.remembered(state)

    def finish(self, state: State) -> None:
        return None

    def rows(self, answer: dict[str, Any]) -> list[dict[str, Any]]:
        row = {name: answer[name] for name in ("text", "intent", "score")}
        found = [{name: one[name] for name in ("entity", "value")} for one in answer["entities"]]
        text = json.dumps(found, ensure_ascii=False) if found else ""
        return [{**row, "entities": text, "answer": answer["answer"]}]

    def detections(self, answer: dict[str, Any]) -> list[Detection]:
        if answer["intent"] == UNKNOWN:
            return []
        return [{"label": answer["intent"], "score": answer["score"], "box": None, "id": None}]

    def draw(self, picture: Any, answer: dict[str, Any]) -> Any:
        return picture

    def read(self, path: Path) -> Iterator[str] | None:
        return reading.sentences(path) if reading.is_readable(path) else None

    def _judged(self, raw: str) -> tuple[NDArray[np.float32], float]:
        """Return the probability of each intent (labels,), and the confidence."""
        vector = self._features.vector(raw[:MOST_CHARACTERS])
        (name,) = self._model.inputs
        (output,) = self._model.predict({name: vector[None]}).values()
        judged = self._decision.judge(output)
        return judged.probabilities[0], float(judged.confidence[0])

    def _required(self, probabilities: NDArray[np.float32]) -> list[str]:
        """Return the contexts of which the most probable intent requires one."""
        return list(self._rules.contexts[self._labels[int(probabilities.argmax())]].requires)

    def _response(self, intent: str | None, raw: str, found: list[Entity], state: State) -> str:
        if intent is None:
            said = dialogue.response(self._rules.not_understood, raw, found, state)
            dialogue.advance(state, None)
            return said
        dialogue.remember(state, found)
        said = dialogue.response(self._rules.responses.get(intent, ()), raw, found, state)
        dialogue.advance(state, self._rules.contexts.get(intent))
        return said


def load(package: Package, accelerator: str, runtime: str) -> Intents:
    return Intents(package, accelerator, runtime)


def needs(constants: Mapping[str, Any]) -> dict[str, Needs]:
    """Return the outputs that the model must have, by role."""
    return {MODEL: Needs("an intent classifier", {ANY: (1, "outputs")})}


def _check_sizes(model: Any, found: Features, labels: list[str]) -> None:
    (source,), (result,) = model.inputs.values(), model.outputs.values()
    wanted = (found.size, decision.outputs(len(labels)))
    if (source.shape[-1], result.shape[-1]) != wanted:
        raise StageError(
            f"the model has {source.shape[-1]} inputs and {result.shape[-1]} outputs, but the package's "
            f"features and labels need {wanted[0]} and {wanted[1]}: package the model again"
        )
