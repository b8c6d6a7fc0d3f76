"""The overrides of a command line, `key=value`: finds the one that sets a key, and quotes text."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from engine.errors import UserError

_LONGEST = 80  # of a value in a message
_CHOSEN = ("target", "executor", "tracking")  # chosen by file name; the file sets the keys inside
_GROUP = re.compile(r"(?:.*/)?conf/(?P<name>target|executor|tracking)/[^/]+\.yaml")
_CHOICE = re.compile(r"(?P<name>executor)=\S+")
_WORD = re.compile(r"(?P<key>\+{0,2}[\w.@/]+=)(?P<value>.+)", re.ASCII | re.DOTALL)
# lists, mappings, quotes, interpolations, and functions such as range(1,9)
_OF_GRAMMAR = re.compile(r"^[\[{'\"]|\$\{|^\w+\(.*\)$|,\s*\w+\(|[\n\r]")
_PLAIN = re.compile(r"[\w /\\+.$%*@?|:\t-]*", re.ASCII)
_IN_QUOTES = re.compile(r'"(?P<text>(?:[^"\\]|\\.)*+)"', re.DOTALL)
# registration adds ++ to keys inside a parameter that is a mapping, and to the mapping
_INNER = re.compile(r"\+\+(?=params\.\w+(?:\.\w+=|=\{))")
_QUOTED = re.compile(r'in quotes: "(.*)"')


def value_of(key: str, overrides: Sequence[str]) -> str | None:
    """Return the value that the user wrote for the key, or None."""
    found = of(key, overrides)
    name, _, value = (found or "").partition("=")
    return value if name.lstrip("+~") == key else None


def of(key: str, overrides: Sequence[str]) -> str | None:
    """Return the last override of the key, or of the mapping or list that contains it."""
    found = [word for word in overrides if _sets(word, key)]
    return found[-1] if found else None


def as_text(key: str, value: str) -> str:
    """Return the override that sets the key to text, quoted for the shell."""
    escaped = value.replace('"', r"\"")
    return shlex.quote(f'{key}="{escaped}"')


def quoted(word: str) -> str:
    """Return the word with its value quoted for Hydra, if its grammar requires that: for a path with a
    non-ASCII character, a bracket or an apostrophe.

    The comma-separated values of a sweep are quoted one by one, unless they are a single path.
    """
    match = _WORD.fullmatch(word)
    if match is None or _OF_GRAMMAR.search(match["value"]):
        return word
    value = match["value"]
    is_one = "," not in value or _is_path(value)
    parts = [value] if is_one else value.split(",")
    return match["key"] + ",".join(part if _is_plain(part) else _in_quotes(part) for part in parts)


def as_typed(word: str) -> str:
    """Return the word without the quotes that `quoted` gave it, and without a ++ that may be left out."""
    word = _INNER.sub("", word)
    plain = _IN_QUOTES.sub(lambda found: found["text"].replace(r"\"", '"'), word)
    return plain if quoted(plain) == word else word


def _is_path(value: str) -> bool:
    """Return whether the value is an existing path; a long text or an unknown home folder is none."""
    try:
        return Path(value).expanduser().exists()
    except (OSError, RuntimeError):
        return False


def _is_plain(value: str) -> bool:
    return "," not in value and _PLAIN.fullmatch(value) is not None


def _in_quotes(value: str) -> str:
    escaped = re.sub(r'\\+(?="|$)', lambda found: 2 * found[0], value)  # those before a quote
    return '"' + escaped.replace('"', r"\"") + '"'


def located(mistake: UserError, overrides: Sequence[str]) -> UserError:
    """Return the mistake, located at the override that set its key, if there is one.

    mistake: located at "FILE: key" or "executor=docker: key", such as "conf/target/rpi4.yaml:
        platform", which target.platform=x sets
    """
    file, _, key = mistake.where.rpartition(": ")
    group = _GROUP.fullmatch(file) or _CHOICE.fullmatch(file)
    key = f"{group['name']}.{key}" if group else key
    word = of(key, overrides) if file else None
    if word is None:
        return mistake
    name, _, value = word.partition("=")
    fix = mistake.fix
    if name.lstrip("+~") == key:
        fix = _QUOTED.sub(lambda _: f"in quotes: {as_text(name, value[:_LONGEST])}", fix)
    return UserError(_INNER.sub("", f"{name}={value:.{_LONGEST}}"), mistake.what, fix)


def _sets(word: str, key: str) -> bool:
    name, equals, _ = word.partition("=")
    name = name.lstrip("+~")
    is_inside = key.startswith(f"{name}.") and name not in _CHOSEN
    return bool(equals) and (key == name or is_inside)
