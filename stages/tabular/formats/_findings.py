"""The kinds of faults in a table, fixed or left out (stages.training.findings)."""

from stages.training import findings
from stages.training.findings import Kind

KINDS = {
    "ignored_files": Kind("ignored", "file", " not used by this data set"),
    "recoded": Kind("converted", "file", " from other encodings than UTF-8"),
    "broken_rows": Kind("skipped", "row", " that cannot be used"),
    "stray_quotes": Kind("ignored the quotes in", "file", ", because one of them never ends"),
    "repeated_names": Kind("renamed", "column", " with the name of another"),
    "unlabelled": Kind("skipped", "row", " without a value of the target"),
    "untrained_classes": Kind("skipped", "row", " of a class without a training row"),
    "words_in_numbers": Kind("replaced", "word", " among numbers by a missing value"),
    "infinite": Kind("replaced", "infinite or enormous number", " by a missing value"),
    "respelt": Kind("joined", "category", " with one that differs only in letter case"),
    "empty_columns": Kind("left out", "column", " without a value"),
    "constant_columns": Kind("left out", "column", " with the same value in every row"),
    "id_columns": Kind("left out", "column", " with identifiers of rows"),
    "text_columns": Kind("left out", "column", " of free text"),
    "mixed_decimals": Kind(
        "left out",
        "column",
        " with both decimal points and decimal commas (write all numbers alike)",
    ),
    "copied_columns": Kind("left out", "column", " with the same values as another"),
    "dropped_columns": Kind("left out", "column", " as requested"),
}


class Findings(findings.Findings):
    """What is wrong in a table."""

    def __init__(self) -> None:
        super().__init__(KINDS)
