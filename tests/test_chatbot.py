"""The chatbot, from sentences to a verified package that answers them: on its sample."""

import json
import subprocess

import pytest

pytest.importorskip("numpy", reason="the extra 'runtime' is not installed")

pytestmark = pytest.mark.slow
HERE = ("stage_packages=[stages]", "usecase=chatbot", "target=rpi4_coral")
SENTENCES = {
    "hello there!": "greet",
    "Guten Tag": "greet",
    "vorrei prenotare un tavolo per domani": "book_table",
    "πόσο κάνει ρύζι;": "price",
    "你们今天几点开门": "opening_hours",
    "where is my order XY4711 🙏": "order_status",
}


def test_the_sample_becomes_a_package_that_answers_sentences(project):
    pytest.importorskip("tensorflow", reason="the extra 'train' is not installed")
    state = project.done(*HERE)
    score = state.stages["score"].metrics
    assert score["accuracy"] >= 0.9 and score["baseline_margin"] > 0
    assert state.stages["verify"].metrics["agreement"] == 1
    path = project.path / "sentences.txt"
    path.write_text("\n".join(SENTENCES), encoding="utf-8")
    said = project.run("predict", *HERE, f"input={path}", "format=jsonl")
    rows = [json.loads(line) for line in said.stdout.splitlines()]
    assert [row["text"] for row in rows] == list(SENTENCES)
    understood = [row["intent"] for row in rows]
    right = sum(a == b for a, b in zip(understood, SENTENCES.values(), strict=True))
    assert right >= 5
    assert json.loads(rows[2]["entities"]) == [{"entity": "day", "value": "tomorrow"}]
    with project.start("chat", *HERE, stdin=subprocess.PIPE) as process:
        out, _ = process.communicate("can I reserve a table Sunday 19:30\nyes\n", timeout=60)
    assert out.splitlines() == [
        "Shall I book a table for Sunday at 19:30?",
        "Your table for Sunday is booked.",
    ]
