"""Asks an image registry what it has: manifests and blobs by digest. It pushes and pulls nothing.

Plain HTTP is used only for registries on this machine. The credentials are those of REGISTRY_USER and
REGISTRY_PASSWORD, or of `docker login`, as for pushing
(github.com/opencontainers/distribution-spec).
"""

import os
import re
import time
from base64 import b64encode
from collections.abc import Container
from typing import Any
from urllib.parse import urlsplit

from engine.errors import UserError
from engine.kubeflow import refusals

WHERE = "kubeflow.registry"
ATTEMPTS = 3
_ACCEPT = ", ".join(
    [
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    ]
)
_HERE = re.compile(r"localhost|::1|127(\.\d{1,3}){3}")


class Registry:
    """A registry, as `host[:port]`. Each call has a time limit and is retried a few times."""

    def __init__(self, host: str, timeout_s: float) -> None:
        self._host, self._timeout_s = host, timeout_s
        is_here = _HERE.fullmatch(urlsplit(f"//{host}").hostname or "") is not None
        self._url = f"{'http' if is_here else 'https'}://{host}"
        import requests  # slow to import

        self._session = requests.Session()
        self._session.trust_env = not is_here  # a proxy cannot reach this machine's own registry
        self._session.auth = lambda request: request  # do not use ~/.netrc
        self._authorization: dict[str, str] = {}

    def digest_of(self, name: str, tag: str) -> str | None:
        """Return the digest of the manifest under a tag; None if the registry has none."""
        answer = self._head(name, f"manifests/{tag}")
        return None if answer is None else answer.headers.get("Docker-Content-Digest")

    def has(self, name: str, digest: str, kind: str = "manifests") -> bool:
        """Return whether the registry has the manifest, or one of the `blobs`."""
        return self._head(name, f"{kind}/{digest}") is not None

    def reach(self) -> None:
        """Raise UserError if the registry does not answer at all; credentials are not checked."""
        self._answer(f"{self._url}/v2/", "", accepted=range(200, 500))

    def _head(self, name: str, path: str) -> Any:
        """Return the answer; None if there is no such thing. Raise UserError for anything else."""
        answer = self._answer(f"{self._url}/v2/{name}/{path}", name, accepted=(200, 401, 403, 404))
        if answer.status_code in (401, 403):
            what = f"the registry does not let you read {name}"
            fix = f"docker login {self._host}, or set REGISTRY_USER and REGISTRY_PASSWORD"
            raise UserError(f"{WHERE}={self._host}", what, fix)
        return None if answer.status_code == 404 else answer

    def _answer(self, url: str, name: str, accepted: Container[int]) -> Any:
        """Return an answer with one of these statuses; repeat the request for others, and errors."""
        from requests import RequestException

        problem, fix = "", "check that it is running, and that its name is correct"
        for attempt in range(ATTEMPTS):
            try:
                answer = self._send(url, name)
                if answer.status_code in accepted:
                    return answer
                problem = f"it answered {answer.status_code} {answer.reason}"
            except RequestException as error:
                problem = refusals.explained(error)
                if refusals.is_of_tls(error):
                    fix = "give it a certificate that this machine trusts, and check its port"
            if attempt < ATTEMPTS - 1:
                time.sleep(0.2 * 4**attempt)
        what = f"the registry cannot be reached: {problem}"
        raise UserError(f"{WHERE}={self._host}", what, fix)

    def _send(self, url: str, name: str) -> Any:
        """Send the request; if the registry asks for credentials, send it again with them."""
        for _ in range(2):
            answer = self._session.head(
                url,
                headers={"Accept": _ACCEPT, **self._authorization},
                timeout=self._timeout_s,
                allow_redirects=True,
            )
            challenge = answer.headers.get("WWW-Authenticate", "")
            if answer.status_code != 401 or not self._log_in(challenge, name):
                break
        return answer

    def _log_in(self, challenge: str, name: str) -> bool:
        """Answer a challenge with user and password (RFC 7617), or a token for them (RFC 6750)."""
        scheme, _, rest = challenge.partition(" ")
        known = _credentials(self._host)
        if scheme.lower() == "basic" and known:
            pair = b64encode(":".join(known).encode()).decode()
            self._authorization = {"Authorization": f"Basic {pair}"}
            return True
        if scheme.lower() != "bearer":
            return False
        told = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        realm = told.pop("realm", "")
        parts = urlsplit(realm)
        if parts.scheme != "https" and not _HERE.fullmatch(parts.hostname or ""):
            return False  # the password must not travel in plain text
        query = {"scope": f"repository:{name}:pull", **_only(told, "service", "scope")}
        answer = self._session.get(realm, params=query, auth=known, timeout=self._timeout_s)
        try:
            found = answer.json() if answer.status_code == 200 else {}
        except ValueError:
            found = {}
        token = found.get("token") or found.get("access_token") if isinstance(found, dict) else None
        if not isinstance(token, str) or not re.fullmatch(r"[\x21-\x7e]+", token):
            return False
        self._authorization = {"Authorization": f"Bearer {token}"}
        return True


def _only(values: dict[str, str], *keys: str) -> dict[str, str]:
    return {key: values[key] for key in keys if key in values}


def _credentials(host: str) -> tuple[str, str] | None:
    """Return user and password from the environment or from `docker login`; None: anonymous."""
    if os.environ.get("REGISTRY_USER") and os.environ.get("REGISTRY_PASSWORD"):
        return os.environ["REGISTRY_USER"], os.environ["REGISTRY_PASSWORD"]
    from docker import auth
    from docker.errors import DockerException

    try:
        known_as = auth.INDEX_NAME if host == "registry-1.docker.io" else host
        found = auth.load_config().resolve_authconfig(known_as)
    except (DockerException, OSError, ValueError) as error:
        what = f"the configuration of docker login cannot be used: {error}"
        raise UserError(f"{WHERE}={host}", what, "log in again: docker login") from None
    if not isinstance(found, dict):
        return None
    user, password = found.get("username"), found.get("password")
    return (user, password) if isinstance(user, str) and isinstance(password, str) else None
