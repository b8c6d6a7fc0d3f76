"""Says in plain words why a server could not be reached. Pure.

requests and urllib3 wrap the error of the operating system several times, and their own messages show
how: `HTTPSConnectionPool(host=..., port=443): Max retries exceeded with url: ...`.
"""

import socket
import ssl
from collections.abc import Iterator

MOST_CAUSES = 20
_NO_TLS = "WRONG_VERSION_NUMBER"  # as OpenSSL says of an answer without TLS
_WORDS = (  # the first whose type is among the causes; subclasses of OSError before OSError
    (socket.gaierror, "no host of this name is found"),
    (ConnectionRefusedError, "the connection is refused: no server listens at this address"),
    (TimeoutError, "it does not answer in time"),
    (ConnectionError, "it closes the connection without an answer"),
)


def explained(error: BaseException) -> str:
    """Return the reason for a failed connection, as a clause."""
    causes = [*_causes(error)]
    for cause in causes:
        if isinstance(cause, ssl.SSLError):
            return _of_tls(cause)
    for kind, words in _WORDS:
        if any(isinstance(cause, kind) for cause in causes):
            return words
    if any("Timeout" in type(cause).__name__ for cause in causes):
        return "it does not answer in time"  # of requests and urllib3
    of_system = [one.strerror for one in causes if isinstance(one, OSError) and one.strerror]
    said = of_system[0] if of_system else str(causes[-1])
    return " ".join(said.split())[:200] or type(error).__name__


def is_of_tls(error: BaseException) -> bool:
    """Return whether the server was reached, and TLS failed."""
    return any(isinstance(cause, ssl.SSLError) for cause in _causes(error))


def _of_tls(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its TLS certificate is not trusted: {error.verify_message}"
    if _NO_TLS in str(error):
        return "its TLS connection fails: the server answers without TLS"
    return f"its TLS connection fails: {error.reason or error}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and what it wraps, from the outside inwards."""
    left, seen = [error], 0
    while left and seen < MOST_CAUSES:
        found = left.pop(0)
        seen += 1
        yield found
        inner = [*found.args, getattr(found, "reason", None), found.__cause__, found.__context__]
        left += [one for one in inner if isinstance(one, BaseException)]
