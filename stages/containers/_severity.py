"""The severity of a vulnerability: the base score of a CVSS vector, or a database's rating."""

import math
import re
from collections.abc import Mapping
from typing import Any

LEVELS = (
    "unknown",
    "low",
    "medium",
    "high",
    "critical",
)  # in ascending order; an unrated one may be anything

_WORDS = {
    "low": "low",
    "moderate": "medium",
    "medium": "medium",
    "important": "high",
    "high": "high",
    "critical": "critical",
}
_WEIGHTS: Mapping[
    str, Mapping[str, float]
] = {  # https://www.first.org/cvss/v3.1/specification-document, table 16
    "AV": {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2},
    "AC": {"L": 0.77, "H": 0.44},
    "UI": {"N": 0.85, "R": 0.62},
    "C": {"H": 0.56, "L": 0.22, "N": 0},
    "I": {"H": 0.56, "L": 0.22, "N": 0},
    "A": {"H": 0.56, "L": 0.22, "N": 0},
}
_PRIVILEGES = {"U": {"N": 0.85, "L": 0.62, "H": 0.27}, "C": {"N": 0.85, "L": 0.68, "H": 0.5}}


def level(record: Mapping[str, Any]) -> str:
    """Return one of LEVELS for a record in OSV's format: the highest of its vectors or its database's
    ratings.

    CVSS 3 vectors are computed; for CVSS 2 and 4, the database's rating is used.
    """
    rated = [
        _of_score(score)
        for entry in _list(record.get("severity"))
        if (score := base_score(str(_get(entry, "score")))) is not None
    ]
    words = [
        _get(record.get("database_specific"), "severity"),
        *(
            _get(_get(affected, key), word)
            for affected in _list(record.get("affected"))
            for key, word in (
                ("ecosystem_specific", "severity"),
                ("ecosystem_specific", "urgency"),
                ("database_specific", "severity"),
            )
        ),
    ]
    rated += [
        _WORDS[word.lower()] for word in words if isinstance(word, str) and word.lower() in _WORDS
    ]
    return max(rated, key=LEVELS.index, default="unknown")


def base_score(vector: str) -> float | None:
    """Return the base score of a CVSS 3.0 or 3.1 vector, 0 to 10; None if it is not one."""
    found = re.fullmatch(r"CVSS:3\.[01]/((?:[A-Z]{1,3}:[A-Z])(?:/[A-Z]{1,3}:[A-Z])*)", vector[:300])
    parts = dict(part.split(":") for part in found[1].split("/")) if found else {}
    try:
        weight = {name: weights[parts[name]] for name, weights in _WEIGHTS.items()}
        privileges = _PRIVILEGES[parts["S"]][parts["PR"]]
    except KeyError:
        return None
    missed = 1 - (1 - weight["C"]) * (1 - weight["I"]) * (1 - weight["A"])
    is_changed = parts["S"] == "C"
    impact = 7.52 * (missed - 0.029) - 3.25 * (missed - 0.02) ** 15 if is_changed else 6.42 * missed
    ease = 8.22 * weight["AV"] * weight["AC"] * privileges * weight["UI"]
    return (
        0.0 if impact <= 0 else _rounded_up(min((1.08 if is_changed else 1) * (impact + ease), 10))
    )


def _rounded_up(score: float) -> float:
    """Round up to a tenth, ignoring binary rounding errors (appendix A of the specification)."""
    tenths = math.ceil(round(score * 100_000) / 10_000)
    return tenths / 10


def _of_score(score: float) -> str:
    return "critical" if score >= 9 else "high" if score >= 7 else "medium" if score >= 4 else "low"


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _get(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None
