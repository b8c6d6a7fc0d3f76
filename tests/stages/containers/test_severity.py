"""The severity of vulnerabilities; the scores come from FIRST's calculator and examples for CVSS 3.1."""

import pytest

from stages.containers._severity import base_score, level


@pytest.mark.parametrize(
    ("vector", "score"),
    [
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8),
        ("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1),
        ("CVSS:3.1/AV:L/AC:H/PR:L/UI:N/S:U/C:H/I:N/A:N", 4.7),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 10.0),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H", 7.5),
        ("CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N", 1.6),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0.0),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:P/RL:O", 9.8),
    ],
)
def test_a_vector_has_the_published_score(vector, score):
    assert base_score(vector) == score


@pytest.mark.parametrize(
    "vector",
    [
        "",
        "AV:N/AC:L/Au:N/C:P/I:P/A:P",
        "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N",
        "CVSS:3.1/AV:N",
        "CVSS:3.1/AV:X/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
        "CVSS:3.1/" + "A:N/" * 10_000,
    ],
)
def test_what_is_no_vector_of_cvss_3_has_no_score(vector):
    assert base_score(vector) is None


@pytest.mark.parametrize(
    ("record", "wanted"),
    [
        ({}, "unknown"),
        ({"severity": [{"score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"}]}, "high"),
        (
            {
                "severity": [{"score": "CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N"}],
                "database_specific": {"severity": "MODERATE"},
            },
            "medium",
        ),
        (
            {
                "severity": [{"score": "CVSS:4.0/AV:N"}],
                "database_specific": {"severity": "CRITICAL"},
            },
            "critical",
        ),
        ({"affected": [{"ecosystem_specific": {"urgency": "low"}}]}, "low"),
        ({"affected": [{"ecosystem_specific": {"urgency": "not yet assigned"}}]}, "unknown"),
        ({"severity": 3, "affected": [4], "database_specific": []}, "unknown"),
    ],
)
def test_the_worst_word_or_score_counts(record, wanted):
    assert level(record) == wanted
