"""The task `intents`: what is understood, answered and remembered, and which packages are refused."""

import json
import shutil

import pytest

pytest.importorskip("numpy", reason="the extra 'runtime' is not installed")

from engine.stage import StageError
from stages.edge._items import answers
from stages.edge.predict import predict
from stages.tasks.task import open_task
from stages.tasks.text.rules import Context, Rules
from tests.stages.tasks import chatbots, packages


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return chatbots.write(tmp_path_factory.mktemp("chatbot") / "package")


@pytest.fixture(scope="module")
def task(package):
    return open_task(package)


def test_a_sentence_gets_intent_confidence_entities_and_answer(task):
    text = "Book a TABLE for domani, order AB1234"
    [row] = task.rows(task.answer(text, task.new_state()))
    assert list(row) == ["text", "intent", "score", "entities", "answer"]
    assert (row["text"], row["intent"], row["answer"]) == (text, "book", "A table for tomorrow?")
    assert 0.5 <= row["score"] <= 1
    answer = task.answer(text, task.new_state())
    assert task.detections(answer) == [
        {"label": "book", "score": answer["score"], "box": None, "id": None}
    ]
    assert json.loads(row["entities"]) == [
        {"entity": "day", "value": "tomorrow"},
        {"entity": "order", "value": "AB1234"},
    ]


@pytest.mark.parametrize(
    ("text", "intent"), [("θέλω ένα τραπέζι", "book"), ("👋", "greet"), ("CIAO!", "greet")]
)
def test_no_script_and_no_emoji_is_lost(task, text, intent):
    assert task.answer(text, task.new_state())["intent"] == intent


@pytest.mark.parametrize("text", ["", "   ", "\0", "zzz", "7777"])
def test_what_resembles_nothing_is_not_understood(task, text):
    answer = task.answer(text, task.new_state())
    [row] = task.rows(answer)
    assert (row["intent"], row["answer"]) == ("", "I did not understand that.")
    assert task.detections(answer) == []


def test_a_conversation_remembers_contexts_and_entities(task):
    state = task.new_state()
    first = task.answer("yes please", state)
    assert (first["intent"], first["requires"]) == ("", ["booking"])
    assert task.answer("book a table today", state)["contexts"] == ["booking"]
    last = task.answer("yes please", state)
    assert (last["intent"], last["answer"]) == ("confirm", "Booked for today.")
    assert task.remembered(state) == {"contexts": ["none"], "entities": ["day = today"]}


def test_an_answer_is_explained_by_scores_and_similar_sentences(task):
    why = task.why(task.answer("book a table", task.new_state()))
    assert why["intent"] == ["book"] and why["contexts"] == ["booking"]
    assert why["confidence"][0].endswith("answered from 50.0%")
    assert why["scores"][0].endswith("%  book") and len(why["scores"]) == 3
    assert why["similar"][0].endswith("%  book a table for tomorrow  (book)")


def test_an_intent_without_responses_is_named(task):
    answer = {"answer": "", "intent": "book"}
    assert task.said(answer) == "[book]" and task.said({**answer, "answer": "When?"}) == "When?"


def test_the_sentences_of_a_file_are_no_conversation(task, tmp_path):
    (tmp_path / "a.txt").write_text("book a table today\nyes please\n", encoding="utf-8")
    assert [row["intent"] for row in answers(task, tmp_path / "a.txt")] == ["book", ""]


def test_a_folder_of_files_is_predicted(package, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("text\nhello there\n", encoding="utf-8")
    (tmp_path / "in" / "b.txt").write_bytes("good morning\n".encode("utf-16"))
    (tmp_path / "in" / "empty.txt").touch()
    found = predict(package, tmp_path / "out", tmp_path / "in", task="intents")
    assert found == {"predictions": 2, "inputs": 2, "skipped": 1}
    lines = (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()
    assert [json.loads(line)["intent"] for line in lines] == ["greet", "greet"]


def test_a_picture_is_no_file_of_sentences(package, tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    with pytest.raises(StageError, match=r"a.png contains no sentences: give a .txt"):
        predict(package, tmp_path / "out", tmp_path / "a.png", task="intents")


def test_a_very_long_sentence_is_answered(task):
    assert task.answer("hello there " * 100_000, task.new_state())["intent"] == "greet"


def test_a_model_for_other_labels_is_refused(package, tmp_path):
    shutil.copytree(package, tmp_path / "p")
    (tmp_path / "p" / "labels.txt").write_text("a\nb\nc\nd\ne\nf\ng\n")
    manifest = json.loads((tmp_path / "p" / "manifest.json").read_text())
    packages.seal(tmp_path / "p", manifest)
    with pytest.raises(StageError, match="package the model again"):
        open_task(tmp_path / "p")


def test_a_package_without_rules_is_refused(tmp_path):
    folder = packages.write(tmp_path / "p", "intents", {}, model=packages.always((1, 2), [1.0]))
    with pytest.raises(StageError, match=r"no data/rules\.json"):
        open_task(folder)


def test_an_intent_may_require_what_no_other_sets(tmp_path):
    rules = Rules(contexts={"greet": Context(requires=["never"])})
    task = open_task(chatbots.write(tmp_path / "p", rules=rules))
    assert task.answer("hello there", task.new_state())["requires"] == ["never"]
