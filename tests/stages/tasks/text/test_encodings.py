"""The encoding of text that is not Unicode, from a few words of it."""

import pytest

from stages.tasks.text.encodings import decoded, guessed

SAMPLES = {
    "cp1252": [
        "Öffne die Tür",
        "größer",
        "Größe",
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


@pytest.mark.parametrize(
    ("encoding", "name"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("utf-16", "UTF-16"), ("cp1252", "cp1252")],
)
def test_text_is_decoded_with_the_name_of_its_encoding(encoding, name):
    assert decoded("größer\n".encode(encoding)) == ("größer\n", name)
