"""The encoding of text that is not Unicode, from a few words of it."""

import pytest

from stages.text.formats._encoding import guessed, whole

SAMPLES = {
    "cp1252": [
        "Öffne die Tür",
        "Perché è così",
        "où est l'hôtel ?",
        "¿Qué hora es?",
        "Ça va bien, merci",
        "book a table at Café Paris",
        "für zwei Personen, bitte\ndanke schön",
        "“quoted” – yes",
        "é",
        "caffè",
        "ÄÖÜ sind Umlaute",
        "señor Muñoz pidió café",
        "naïve façade",
    ],
    "cp1253": [
        "Καλημέρα",
        "Θέλω ένα τραπέζι για δύο",
        "τι ώρα ανοίγετε;",
        "ευχαριστώ πολύ",
        "ναι",
        "ok ναι",
        "ΚΑΛΗΜΕΡΑ",
        "η πίτσα ή η σούπα",
    ],
    "iso8859_7": ["Άνοιξε την πόρτα, παρακαλώ", "Άκυρο\nθέλω να ακυρώσω", "Άκυρο"],
    "gb18030": [
        "你好",
        "我想订一张桌子",
        "明天晚上七点 ok",
        "取消我的订单",
        "早上好\n你好吗",
        "不",
        "谢谢",
        "没有，再见！",
        "我要2个披萨",
    ],
}


@pytest.mark.parametrize(
    ("encoding", "text"), [(name, text) for name, texts in SAMPLES.items() for text in texts]
)
def test_a_few_words_are_enough(encoding, text):
    data = text.encode(encoding)
    assert data.decode(guessed(data)) == text


def test_half_a_character_is_replaced():
    assert whole("a\ud83d b 👋") == "a\ufffd b 👋"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "a.json",
            r'{"intents": [{"tag": "a", "patterns": ["hi \ud83d"], "responses": ["\ude00 \ud83d\udc4b"]}]}',
        ),
        ("a.yml", 'nlu: [{intent: a, examples: ["hi \\ud83d"]}]\nresponses: {a: ["\\ude00 👋"]}'),
    ],
)
def test_half_a_character_in_a_file_is_replaced(read, name, text):
    corpus = read(**{name: text}).corpus
    assert corpus.sentences[0].text == "hi \ufffd" and corpus.responses["a"] == ["\ufffd 👋"]
