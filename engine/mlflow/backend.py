"""Where runs are recorded: the tracking settings, checked and resolved, with credentials kept
separate.

Pure, except that paths become absolute. Does not import mlflow. Show users only `shown`, never
`uri`.
"""

import hashlib
import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from engine import layout
from engine.errors import UserError
from engine.wording import redact

ARTIFACT_MAX_BYTES = 50_000_000
_TRACKING = re.compile(  # variables that MLflow, its databases and its artifact stores read
    r"(MLFLOW|AWS|AZURE|GOOGLE|GCLOUD|DATABRICKS|PG|MYSQL|SSL|REQUESTS)[A-Z_]*$|(https?|no|all)_proxy$",
    re.I,
)
_NAMES_FILES = re.compile(r"SSL_CERT_(FILE|DIR)$|(AWS|REQUESTS)_CA_BUNDLE$")  # not a secret
_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
_NOT_IN_A_URI = re.compile(r"[\s\"'<>\\^`{|}]")  # RFC 3986: quoted in a password


@dataclass(frozen=True, slots=True)
class Backend:
    """An MLflow to record runs in, and the size limit for its artifacts."""

    uri: str  # without credentials if MLflow takes them separately, as it does for http(s)
    shown: str
    username: str | None
    password: str | None
    artifact_root: str | None  # None: the server's own
    lock: str  # held while a database is checked and created
    experiment: str | None  # None: the use case's name
    artifact_max_bytes: int

    @property
    def is_database(self) -> bool:
        """Return whether this process writes the tables itself, without a server."""
        return urlsplit(self.uri).scheme.split("+")[0] in _DATABASES

    @property
    def database_path(self) -> Path | None:
        """Return the file of an sqlite database."""
        database = self.uri.partition(":///")[2].partition("?")[0]
        return Path(unquote(database)) if self.uri.startswith("sqlite") else None

    @property
    def key(self) -> str:
        """Identify the backend in a cursor: each MLflow has its own records."""
        return hashlib.sha256(f"{self.shown} {self.experiment}".encode()).hexdigest()[:16]

    def sender_key(self) -> str:
        """Return the name of the sender that may serve a run: same backend, credentials, user and
        program.

        The key is part of a path. If it depends on secrets, a slow hash protects them from
        guessing.
        """
        environment = {
            name: os.environ[name] for name in sorted(os.environ) if _TRACKING.match(name)
        }
        program = [sys.executable, __file__, os.getuid()]
        words = json.dumps([asdict(self), environment, program]).encode()
        may_be_secret = not all(map(_NAMES_FILES.match, environment))
        if may_be_secret or self.password is not None or self.shown != self.uri:
            return hashlib.scrypt(words, salt=self.key.encode(), n=1 << 13, r=8, p=1, dklen=8).hex()
        return hashlib.sha256(words).hexdigest()[:16]

    def to_json(self) -> dict[str, object]:
        """Return the backend as plain data. It contains credentials: send it only through a pipe."""
        return asdict(self)


def resolve(outputs: Path, tracking: Mapping[str, Any]) -> Backend:
    """Return the backend that the tracking options name; by default, sqlite below outputs/."""
    outputs = outputs.absolute()
    layout.check_name(outputs)
    uri, username, password = _checked(tracking.get("uri") or sqlite_uri(outputs / "mlflow.db"))
    database = urlsplit(uri).scheme.split("+")[0] in _DATABASES
    return Backend(
        uri=uri,
        shown=redact(uri),
        username=username,
        password=password,
        artifact_root=(outputs / "mlartifacts").as_uri() if database else None,
        lock=str(outputs / "mlflow.lock"),
        experiment=tracking.get("experiment") or None,
        artifact_max_bytes=int(tracking.get("artifact_max_bytes") or ARTIFACT_MAX_BYTES),
    )


def is_supported(uri: str) -> bool:
    """Return whether runs can be recorded at this address: a server or a database."""
    return uri.partition(":")[0].split("+")[0] in (*_DATABASES, "http", "https")


def sqlite_uri(path: Path, query: str = "") -> str:
    """Return the URI by which SQLAlchemy opens exactly this file.

    SQLAlchemy unquotes the path. MLflow does not when it creates the folder of a URI that begins
    with `sqlite:///`, so the URI of a quoted path also names the driver.
    """
    quoted = quote(str(path))
    scheme = "sqlite" if quoted == str(path) else "sqlite+pysqlite"
    return f"{scheme}:///{quoted}{query and '?'}{query}"


def _checked_sqlite(uri: str) -> str:
    """Return the URI with an absolute path. Users quote the path as for SQLAlchemy: `%25` for `%`,
    `%3F` for `?`.
    """
    scheme, _, rest = uri.partition("://")
    database, _, query = rest.removeprefix("/").partition("?")
    what = f"{redact(uri)!r} is not the path of a database file"
    fix = "write sqlite:////path/to/mlflow.db, with %25 for % and %3F for ? in the path"
    try:
        path = unquote(database, errors="strict")
        path.encode()
    except UnicodeError:
        raise UserError("tracking.uri", what, fix) from None
    is_file = path and not path.startswith((":memory:", "file:")) and "\0" not in path
    if scheme not in ("sqlite", "sqlite+pysqlite") or not rest.startswith("/") or not is_file:
        raise UserError("tracking.uri", what, fix)
    return sqlite_uri(Path(path).absolute(), query)


def _checked(uri: str) -> tuple[str, str | None, str | None]:
    """Return the URI as MLflow accepts it, and the user and password that it contained."""
    what = f"{redact(uri)!r} is not an address of MLflow"
    fix = "write http://host:port, https://host or sqlite:////path/to/mlflow.db"
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:  # an unclosed bracket, a port that is not a number
        raise UserError("tracking.uri", what, fix) from None
    scheme = parts.scheme.split("+")[0]
    if scheme != "sqlite":
        _refuse_odd_letters(uri)
    if scheme in ("http", "https") and parts.hostname:
        bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        return bare, _unquoted(parts.username), _unquoted(parts.password)
    if scheme == "sqlite":
        return _checked_sqlite(uri), None, None
    if scheme in _DATABASES:
        return uri, None, None
    if scheme in ("", "file"):
        refused = (
            "MLflow no longer records in a folder of files (its file store is refused since 3.13)"
        )
        raise UserError(
            "tracking.uri",
            refused,
            "leave it null, or set a database: sqlite:////path/to/mlflow.db",
        )
    raise UserError("tracking.uri", what, fix)


def _unquoted(word: str | None) -> str | None:
    return unquote(word) if word is not None else None


def _refuse_odd_letters(uri: str) -> None:
    """Raise UserError for a URI whose user and password are ambiguous."""
    authority = uri.partition("://")[2].partition("/")[0]
    if _NOT_IN_A_URI.search(uri) or authority.count("@") > 1:
        what = "it contains characters that must be escaped in a URI"
        raise UserError("tracking.uri", what, "write them as %20, %22, %40 and so on")
