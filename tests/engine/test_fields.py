"""Single values of YAML: durations, sizes, names, rules."""

import pytest

from engine import fields, spec


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), (90, 90), ("90s", 90), ("1.5m", 90), ("2h", 7200), ("1 d", 86400), ("5ms", 0.005)],
)
def test_a_duration(text, seconds):
    assert fields.duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "-1s", "1w", "1e3", "1m30s", None, "nan"])
def test_no_duration(text):
    with pytest.raises(ValueError, match="is not a duration; write 90s, 30m or 2h"):
        fields.duration_s(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512M", 512_000_000),
        ("2G", 2 * 10**9),
        ("2GiB", 2 * 10**9),
        ("10k", 10_000),
        (7, 7),
        ("0.3G", 300_000_000),
        ("9223372036854775807", (1 << 63) - 1),
    ],
)
def test_a_size(text, size):
    assert fields.size_bytes(text) == size


@pytest.mark.parametrize(
    "text", ["9223372036854775808", "9" * 400, "9" * 400 + "T", f"0.{'9' * 400}e"]
)
def test_a_size_that_no_machine_has_is_refused(text):
    with pytest.raises(ValueError, match=r"size|more than any machine has"):
        fields.size_bytes(text)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (">=0.85", ">= 0.85"),
        (" < 1e-3 ", "< 1e-3"),
        ("== -2", "== -2"),
        ("<=0 if  measured", "<= 0 if measured"),
    ],
)
def test_a_rule_has_one_spelling(text, rule):
    assert fields.rule(text) == rule


@pytest.mark.parametrize(
    "text",
    [
        "0.85",
        "=> 1",
        "> x",
        ">= nan",
        "> 1 or True",
        "if measured",
        "> 1 if true",
        "> 1if measured",
    ],
)
def test_no_rule(text):
    with pytest.raises(ValueError, match="is not a rule"):
        fields.rule(text)


@pytest.mark.parametrize(
    "name", ["../x", "a/b", ".x", "a.b", "", "x" * 65, "a b", "1a", "ä", "a\n", "a\0"]
)
def test_a_name_that_could_leave_its_folder_is_refused(name):
    _, mistakes = spec.read({"name": name, "stages": {}}, "f.yaml")
    assert mistakes[0].what.endswith("is not a valid name")


@pytest.mark.parametrize("text", ["9" * 400 + "s", "1000000000h", 10**30])
def test_a_duration_that_no_clock_counts_is_refused(text):
    with pytest.raises(ValueError, match="is longer than 100 years; write 90s"):
        fields.duration_s(text)


@pytest.mark.parametrize("text", [">= 1e999", "< " + "9" * 400, ">= nan", "<= inf"])
def test_a_rule_holds_against_a_finite_number(text):
    with pytest.raises(ValueError, match="is not a rule"):
        fields.rule(text)
