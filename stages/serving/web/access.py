"""The token: who may use the server.

A viewer shows it as `Authorization: Bearer TOKEN`, as the password of Basic, or once as `?token=` in the
page's URL, for which the browser gets a cookie. The cookie is derived from the token, so it survives
restarts and does not reveal the token. Wrong tokens are answered later and later; right ones at once, so
nobody can lock others out.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import stat
from collections import OrderedDict
from pathlib import Path
from typing import Optional

from stages.serving.mistakes import Mistakes, refused

FEWEST = 16  # characters of a user's own token
MONTH_S = 30 * 24 * 3600
REMOVE = "remove it, and a new token is made; or give token_file= another file"
ANOTHER = "give token_file= a file that this user can read and write"
_FIRST_DELAY_S = 0.1
_MOST_ADDRESSES = 1000


def read_or_make(path: Path) -> str:
    """Return the token in the file, which is made if it does not exist, for its owner alone.

    Mistakes: others can read the file, or it does not have a token.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return _read(path)
    except FileNotFoundError:
        return _make(path)
    except UnicodeDecodeError:
        raise _refused(path, "it is not a text of ASCII characters", REMOVE) from None
    except OSError as error:
        raise _refused(path, f"it cannot be read: {error.strerror}", ANOTHER) from None


class Access:
    """Checks tokens and cookies; token=None: everybody may use the server."""

    def __init__(self, token: Optional[str], port: int, is_tls: bool, longest_s: float) -> None:
        self._token = (token or "").encode()
        self._longest_s = longest_s
        self._cookie = hmac.new(self._token, b"cookie", hashlib.sha256).hexdigest()
        # __Host-: browsers accept it only over TLS, and from no other host
        self._name = f"__Host-serving-{port}" if is_tls else f"serving-{port}"
        self._is_tls = is_tls
        self._wrong: OrderedDict[str, int] = OrderedDict()  # address -> wrong tokens in a row
        self.is_open = token is None

    def is_token(self, text: str) -> bool:
        """Return whether the text is the token, in constant time."""
        return not self.is_open and hmac.compare_digest(text.encode(), self._token)

    def is_cookie(self, header: str) -> bool:
        """Return whether a Cookie header has our cookie."""
        for pair in header.split(";"):
            name, _, value = pair.strip().partition("=")
            if name == self._name:
                return hmac.compare_digest(value.encode(), self._cookie.encode())
        return False

    def set_cookie(self) -> str:
        """Return the Set-Cookie header for a viewer who has shown the token."""
        secure = "; Secure" if self._is_tls else ""
        return f"{self._name}={self._cookie}; Path=/; Max-Age={MONTH_S}; HttpOnly; SameSite=Strict{secure}"

    def is_authorised(self, header: str) -> bool:
        """Return whether an Authorization header carries the token."""
        scheme, _, value = header.partition(" ")
        if scheme.lower() == "bearer":
            return self.is_token(value.strip())
        if scheme.lower() == "basic":
            return self.is_token(_password(value.strip()))
        return False

    def delay_s(self, address: str) -> float:
        """Count a wrong token, and return how long its answer is delayed."""
        tries = self._wrong.pop(address, 0)
        self._wrong[address] = tries + 1
        while len(self._wrong) > _MOST_ADDRESSES:
            self._wrong.popitem(last=False)
        longer: float = _FIRST_DELAY_S * 2 ** min(tries, 20)
        return min(longer, self._longest_s)

    def forgive(self, address: str) -> None:
        """Forget the wrong tokens of an address that has shown the right one."""
        self._wrong.pop(address, None)


def _read(path: Path) -> str:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    found = os.fstat(file)
    if not stat.S_ISREG(found.st_mode) or found.st_mode & 0o077:
        os.close(file)
        if not stat.S_ISREG(found.st_mode):
            raise _refused(path, "it is not a regular file", ANOTHER)
        what = "it can be read by other users of this machine"
        fix = f"run chmod 600 {path}, or remove it, and a new token is made"
        raise _refused(path, what, fix)
    with os.fdopen(file, encoding="ascii") as opened:
        token = opened.read(4096).strip()
    if len(token) < FEWEST or not token.isprintable() or any(map(str.isspace, token)):
        what = f"it must have one word of at least {FEWEST} characters"
        raise _refused(path, what, REMOVE)
    return token


def _refused(path: Path, what: str, fix: str) -> Mistakes:
    return refused(f"token_file={path}", what, fix)


def _make(path: Path) -> str:
    token = secrets.token_urlsafe(24)
    # Linked into place complete, so that two servers that start at once share one token.
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        file = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "w", encoding="ascii") as opened:
            opened.write(f"{token}\n")
            opened.flush()
            os.fsync(file)
        os.link(partial, path)
    except FileExistsError:
        return _read(path)
    except OSError as error:
        raise _refused(path, f"it cannot be written: {error.strerror}", ANOTHER) from None
    finally:
        partial.unlink(missing_ok=True)
    return token


def _password(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""
