"""Calls the API of Kubeflow Pipelines (v2beta1), with time limits and bounded retries.

It uses urllib3, as kfp's generated client does, and leaves answers plain JSON: that client fails
with an AttributeError if an answer is not JSON or a certificate is not trusted. The token is read
for every request, because tokens in files are renewed; it is in no message. Redirects are not
followed, so the token reaches no other host.
"""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from engine import handles
from engine.errors import UserError
from engine.kubeflow import refusals
from engine.settings import Kubeflow

TOKEN = "KUBEFLOW_TOKEN"  # the environment variable with the token
RETRY_FOR_S = 120.0  # how long a request is repeated if the server does not answer or is overloaded
FIRST_DELAY_S, LONGEST_DELAY_S = 0.5, 15.0
ANSWER_MOST_BYTES = 50_000_000
TOKEN_MOST_BYTES = 32_000  # servers refuse longer headers
CONNECT_S = 10.0
NOTICE_S = 0.2  # how often a pause looks whether the request is still wanted
CONNECTIONS = 8  # kept open, for threads that read logs
PAGE, PAGES_MOST = 100, 100  # entries of a page, and pages of a list: all have the same name
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_V2 = "/apis/v2beta1"
_NOT_KFP = "give the address of the KFP API, such as https://kfp.example.org/pipeline"

Json = dict[str, Any]


class Unreachable(Exception):
    """The server did not answer, or answered with errors, until the retries ended."""


class NotFound(Exception):
    """The server does not know what was asked for."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer of the server: its status and body; `problem`: why there is none."""

    status: int = 0
    body: Any = None
    problem: str = ""


@dataclass(slots=True)
class Client:
    """A KFP server. `retry_for_s` bounds the retries of one request, `timeout_s` each attempt."""

    host: str
    namespace: str | None = None
    token_file: str | None = None
    ca_file: str | None = None
    timeout_s: float = 30.0
    retry_for_s: float = RETRY_FOR_S
    is_wanted: Callable[[], bool] = lambda: True  # if not, requests are no longer repeated
    _pool: Any = field(default=None, repr=False)

    @classmethod
    def of(
        cls, settings: Kubeflow, host: str | None = None, retry_for_s: float = RETRY_FOR_S
    ) -> "Client":
        """Return the client of the configured host, or of another; raise UserError if it is no address."""
        address = _address(host or settings.host or "")
        return cls(
            address,
            settings.namespace,
            settings.token_file,
            settings.ca_file,
            settings.timeout_s,
            retry_for_s,
        )

    @property
    def where(self) -> str:
        """Return the place that messages name."""
        return f"kubeflow.host={self.host}"

    def check(self) -> None:
        """Raise UserError if the server does not answer, is no KFP API, or refuses the token."""
        try:
            health = self._call("GET", f"{_V2}/healthz")
            self.runs_named("")
        except NotFound:
            raise self._not_kfp("it has no KFP API (404)") from None
        except Unreachable as error:
            fix = "check the address; or only write the pipeline: output=FILE.yaml"
            raise UserError(self.where, str(error), fix) from None
        if not isinstance(health, dict):
            raise self._not_kfp("it does not answer as a KFP API")

    def experiment(self, name: str) -> str:
        """Return the id of the experiment with this name; create it if there is none."""
        found = self._experiments(name)
        if found:
            return found[0]
        body = {"display_name": name, **({"namespace": self.namespace} if self.namespace else {})}
        try:
            made = self._call("POST", f"{_V2}/experiments", body=body, is_repeatable=False)
        except Unreachable:  # it may have been created all the same
            found = self._experiments(name)
            if not found:
                raise
            return found[0]
        return str(made["experiment_id"])

    def create_run(self, run: Mapping[str, Any]) -> Json:
        """Create a run, with one request: after an error it may exist, so look for its name first."""
        return self._object(self._call("POST", f"{_V2}/runs", body=dict(run), is_repeatable=False))

    def run(self, run_id: str) -> Json:
        """Return a run with its tasks; raise NotFound if the server does not know it."""
        return self._object(self._call("GET", f"{_V2}/runs/{run_id}"))

    def runs_named(self, name: str) -> list[Json]:
        """Return the runs with this display name, oldest first."""
        found = self._listed("runs", "display_name", name, sort_by="created_at asc")
        return [one for one in found if one.get("display_name") == name]

    def terminate(self, run_id: str) -> None:
        """Ask the server to end the run; one that has ended is no error."""
        try:
            self._call("POST", f"{_V2}/runs/{run_id}:terminate", is_ended_ok=True)
        except NotFound:
            return

    def log(self, run_id: str, pod: str) -> str | None:
        """Return the log of a pod; None if the server no longer has it. It is asked once."""
        path = f"/apis/v1alpha1/runs/{run_id}/nodes/{pod}/log"
        answer = self._ask("GET", path, {}, None, is_text=True)
        return answer.body if 200 <= answer.status < 300 and isinstance(answer.body, str) else None

    def _experiments(self, name: str) -> list[str]:
        found = self._listed("experiments", "name", name)
        return [str(one["experiment_id"]) for one in found if one.get("display_name") == name]

    def _listed(self, kind: str, key: str, value: str, sort_by: str = "") -> list[Json]:
        """Return the entries whose key has the value, from all pages."""
        predicate = {"key": key, "operation": "EQUALS", "string_value": value}
        query: dict[str, Any] = {
            "filter": json.dumps({"predicates": [predicate]}),
            "page_size": PAGE,
            **({"sort_by": sort_by} if sort_by else {}),
            **({"namespace": self.namespace} if self.namespace else {}),
        }
        found: list[Json] = []
        for _ in range(PAGES_MOST):
            page = self._object(self._call("GET", f"{_V2}/{kind}", query))
            found += page.get(kind) or []
            if not page.get("next_page_token"):
                return found
            query = {**query, "page_token": page["next_page_token"]}
        raise self._not_kfp(f"its list of {kind} does not end after {PAGES_MOST} pages")

    def _object(self, body: Any) -> Json:
        if not isinstance(body, dict):
            raise self._not_kfp("it does not answer with JSON")
        return body

    def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        body: Json | None = None,
        *,
        is_repeatable: bool = True,
        is_ended_ok: bool = False,
    ) -> Any:
        """Return the body of the answer; repeat a request that may be repeated."""
        delays, used = _delays(self.retry_for_s if is_repeatable else 0), self._token()
        while True:
            answer = self._ask(method, path, query or {}, body)
            if 200 <= answer.status < 300 or (is_ended_ok and answer.status in (400, 409)):
                return answer.body
            if answer.status == 401 and self._token() != used:
                used = self._token()  # it was renewed meanwhile
                continue
            self._refuse(answer)
            delay_s = next(delays, None)
            if delay_s is None or not self.is_wanted():
                raise Unreachable(answer.problem or f"it answers {_described(answer)}")
            self._sleep(delay_s)

    def _sleep(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while self.is_wanted() and (left_s := end - time.monotonic()) > 0:
            time.sleep(min(left_s, NOTICE_S))

    def _refuse(self, answer: _Answer) -> None:
        """Raise the error of an answer that would be the same at the next attempt."""
        if answer.status == 404:
            raise NotFound
        if answer.status == 401:
            raise UserError(self.where, "it does not accept the token (401)", self._renew())
        if answer.status == 403:
            what = f"it refuses the request (403): {_message(answer.body)}"
            raise UserError(
                self.where, what, "check kubeflow.namespace= and the rights of the token"
            )
        if 300 <= answer.status < 400:
            what = f"it redirects to another page, such as a login ({answer.status})"
            raise UserError(self.where, what, self._renew())
        if answer.status and answer.status not in _RETRIED:
            what = f"it refuses the request: {_described(answer)}"
            raise UserError(self.where, what, _NOT_KFP)

    def _renew(self) -> str:
        if self.token_file:
            return f"write a new token to {self.token_file}, and repeat the command"
        return (
            f"set a new token in the variable {TOKEN}, or name its file: kubeflow.token_file=FILE"
        )

    def _not_kfp(self, what: str) -> UserError:
        return UserError(self.where, what, _NOT_KFP)

    def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any],
        body: Json | None,
        *,
        is_text: bool = False,
    ) -> _Answer:
        """Send one request, and read its answer within the time limit."""
        import urllib3

        end = time.monotonic() + self.timeout_s
        try:
            response = self._connected().request(
                method,
                f"{self.host}{path}",
                fields=None if body is not None else {k: str(v) for k, v in query.items()},
                body=None if body is None else json.dumps(body).encode(),
                headers=self._headers(),
                timeout=urllib3.Timeout(min(self.timeout_s, CONNECT_S), self.timeout_s),
                retries=urllib3.Retry(0, raise_on_redirect=False),
                preload_content=False,
            )
            with response:
                data = _read(response, end)
            return _Answer(response.status, _decoded(data, is_text=is_text))
        except TimeoutError:
            return _Answer(problem=f"it does not finish an answer within {self.timeout_s:g} s")
        except urllib3.exceptions.HTTPError as error:
            self._refuse_certificate(error)
            return _Answer(problem=f"it cannot be reached: {refusals.explained(error)}")

    def _refuse_certificate(self, error: Exception) -> None:
        import urllib3

        cause = getattr(error, "reason", None) or error
        if isinstance(cause, urllib3.exceptions.SSLError):
            fix = "name the file with the certificates to trust: kubeflow.ca_file=FILE.pem"
            if "WRONG_VERSION_NUMBER" in str(error):  # as OpenSSL says of an answer without TLS
                fix = f"if the server has no TLS, write kubeflow.host=http://{self.host[8:]}"
            raise UserError(self.where, refusals.explained(error), fix)

    def _connected(self) -> Any:
        if self._pool is None:
            import urllib3

            trusted = _readable(self.ca_file) if self.ca_file else None
            proxy = _proxy(self.host)
            if proxy:
                self._pool = urllib3.ProxyManager(proxy, ca_certs=trusted, maxsize=CONNECTIONS)
            else:
                self._pool = urllib3.PoolManager(ca_certs=trusted, maxsize=CONNECTIONS)
        return self._pool

    def _headers(self) -> dict[str, str]:
        token = self._token()
        return {
            "Accept": "application/json",
            "Content-Type": "application/json",
            **({"Authorization": f"Bearer {token}"} if token else {}),
        }

    def _token(self) -> str:
        """Return the token, or "" if there is none."""
        where = f"kubeflow.token_file={self.token_file}" if self.token_file else TOKEN
        given = os.environ.get(TOKEN, "").strip()
        token = _token_in(self.token_file, where) if self.token_file else given
        if not all("!" <= letter <= "~" for letter in token):
            fix = "give the token alone, in one line"
            raise UserError(where, "it contains more than a token", fix)
        return token


def _token_in(token_file: str, where: str) -> str:
    """Return the token in the file; raise UserError if it cannot be read or is empty."""
    file = Path(token_file).expanduser()
    for pause_s in (NOTICE_S, 0):  # a file that is written anew is empty for a moment
        try:
            data = handles.read(file.resolve(), TOKEN_MOST_BYTES)  # Kubernetes mounts links
            token = data.decode("ascii").strip()
        except (OSError, UnicodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not text"
            fix = "name a file that contains the token alone"
            raise UserError(where, f"it cannot be read: {why}", fix) from None
        if token:
            return token
        time.sleep(pause_s)
    fix = f"write the token into it, or use the variable {TOKEN}: kubeflow.token_file=null"
    raise UserError(where, "it is empty", fix)


def _address(host: str) -> str:
    """Return the host without a slash at its end; raise UserError if it is no HTTP address."""
    parts = urlsplit(host)
    where = "kubeflow.host"
    if parts.username or parts.password:
        what = "the address contains a user name or a password, which the journal would record"
        fix = f"remove it; give a token by the variable {TOKEN} or kubeflow.token_file=FILE"
        raise UserError(where, what, fix)
    if parts.scheme not in ("http", "https") or not parts.hostname or not _has_valid_port(parts):
        raise UserError(f"{where}={host}", "it is not an address", _NOT_KFP)
    return host.rstrip("/")


def _has_valid_port(parts: SplitResult) -> bool:
    try:
        return parts.port is None or parts.port > 0
    except ValueError:
        return False


def _readable(ca_file: str) -> str:
    path = Path(ca_file).expanduser()
    if not path.is_file():
        fix = "name a file with PEM certificates"
        raise UserError(f"kubeflow.ca_file={ca_file}", "there is no such file", fix)
    return str(path)


def _proxy(host: str) -> str | None:
    """Return the proxy that the environment names for this host, as other programs use it."""
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(host)
    if proxy_bypass(parts.hostname or "") or parts.hostname in ("localhost", "127.0.0.1", "::1"):
        return None
    return getproxies().get(parts.scheme)


def _delays(total_s: float) -> Iterator[float]:
    """Yield the pauses between attempts, growing, until they add up to the total."""
    end, delay_s = time.monotonic() + total_s, FIRST_DELAY_S
    while (left_s := end - time.monotonic()) > 0:
        yield min(delay_s, left_s)
        delay_s = min(2 * delay_s, LONGEST_DELAY_S)


def _read(response: Any, end: float) -> bytes:
    """Return the body, up to a limit; raise TimeoutError if it takes too long."""
    data = bytearray()
    while (part := response.read1(1 << 20)) and len(data) < ANSWER_MOST_BYTES:
        data += part
        if time.monotonic() > end:
            raise TimeoutError
    return bytes(data)


def _decoded(data: bytes, *, is_text: bool) -> Any:
    """Return the JSON value in the body, or its text."""
    text = data.decode(errors="replace")
    if is_text:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _described(answer: _Answer) -> str:
    return f"{answer.status}: {_message(answer.body)}"


def _message(body: Any) -> str:
    """Return the message in an error of the server, in one short line."""
    if isinstance(body, str):
        body = _decoded(body.encode(), is_text=False)
    if str(body).lstrip().startswith("<"):  # a page for people, of a proxy for example
        return "an HTML page"
    if isinstance(body, dict):
        body = body.get("message") or body.get("error_message") or body.get("error") or ""
    return " ".join(str(body).split())[:200]
