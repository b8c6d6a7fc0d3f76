"""The kinds of faults in a data set of sentences, fixed or left out (stages.training.findings)."""

from stages.training import findings
from stages.training.findings import Kind

KINDS = {
    "ignored_files": Kind("ignored", "file", " not used by this data set"),
    "recoded": Kind("converted", "file", " from other encodings than UTF-8"),
    "blank": Kind("skipped", "empty sentence"),
    "broken_marks": Kind("ignored", "mark", " without the name of an entity"),
    "broken_rows": Kind("skipped", "row", " that cannot be used"),
    "too_long": Kind("skipped", "sentence", " longer than 1,000 characters"),
    "repeated": Kind("dropped", "sentence", " repeated under the same intent"),
    "ambiguous": Kind("skipped", "sentence", " found under two intents"),
    "empty_intents": Kind("left out", "intent", " without a sentence"),
    "respelt": Kind("found", "intent", " spelt like another except for upper and lower case"),
    "unknown_variables": Kind("found", "response", " with a variable that no entity fills"),
    "unanswered": Kind("found", "intent", " without a response"),
    "unreachable": Kind("found", "intent", " whose context no intent sets"),
    "unused_responses": Kind("ignored", "response", " of an intent that does not exist"),
    "unused_synonyms": Kind("ignored", "synonym", " of a value that no entity has"),
}


class Findings(findings.Findings):
    """What is wrong in a data set of sentences."""

    def __init__(self) -> None:
        super().__init__(KINDS)
