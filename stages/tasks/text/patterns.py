"""The entities that every chatbot finds: dates, times, numbers, e-mail and web addresses.

Each pattern runs in linear time. The value is the text as it was written: 3/4 is a different day in
different countries.
"""

import re

_MONTHS = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|"
    "oct(?:ober)?|nov(?:ember)?|dec(?:ember)?|"
    "januar|jänner|februar|märz|mai|juni|juli|oktober|dezember|"
    "gennaio|febbraio|marzo|aprile|maggio|giugno|luglio|agosto|settembre|ottobre|novembre|dicembre|"
    "ιανουαρίου|φεβρουαρίου|μαρτίου|απριλίου|μαΐου|ιουνίου|ιουλίου|αυγούστου|σεπτεμβρίου|"
    "οκτωβρίου|νοεμβρίου|δεκεμβρίου"
)
_ALONE, _END = r"(?<![0-9A-Za-z.,:/-])", r"(?![0-9A-Za-z])"  # not in the middle of another number
_HOUR = r"(?:[01]?[0-9]|2[0-4])"


def _compiled(*alternatives: str) -> "re.Pattern[str]":
    return re.compile("|".join(f"(?:{one})" for one in alternatives), re.IGNORECASE)


BUILT_IN = {
    "email": _compiled(r"(?<![\w.+-])[\w.+-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"),
    "url": _compiled(r"(?<!\w)(?:https?://|www\.)[^\s<>\"]*[^\s<>\".,;:!?)\]]"),
    "date": _compiled(
        rf"{_ALONE}[0-9]{{4}}-[0-9]{{1,2}}-[0-9]{{1,2}}{_END}",
        rf"{_ALONE}[0-9]{{1,2}}([./-])[0-9]{{1,2}}\1(?:[0-9]{{4}}|[0-9]{{2}}){_END}",
        rf"{_ALONE}[0-9]{{1,2}}\.[0-9]{{1,2}}\.(?![0-9])",
        rf"{_ALONE}[0-9]{{1,2}}(?:\.|st|nd|rd|th|º)? (?:of |de )?(?:{_MONTHS})\b(?: [0-9]{{4}}{_END})?",
        rf"\b(?:{_MONTHS}) [0-9]{{1,2}}(?:st|nd|rd|th)?(?:,? [0-9]{{4}})?{_END}",
        r"(?:[0-9]{4}年)?[0-9]{1,2}月[0-9]{1,2}[日号]",
    ),
    "time": _compiled(
        rf"{_ALONE}{_HOUR}:[0-5][0-9](?::[0-5][0-9])?(?: ?[ap]\.?m\b)?{_END}",
        rf"{_ALONE}{_HOUR}(?:[.h][0-5][0-9])? ?(?:[ap]\.?m\b|uhr\b|h\b)",
        rf"(?<![0-9])(?:{_HOUR}|[一二三四五六七八九十]{{1,3}})[点點時](?:[0-5]?[0-9]分|半)?",
    ),
    "number": _compiled(rf"(?<![0-9A-Za-z.,:/])[+-]?[0-9]+(?:[.,'][0-9]+)*{_END}"),
}
