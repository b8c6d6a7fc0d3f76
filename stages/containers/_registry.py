"""A client of the OCI distribution protocol: pulls and pushes blobs and manifests, and checks their
digests.

It does not interpret images. Plain HTTP is used only for registries on this machine
(github.com/opencontainers/distribution-spec).
"""

import hashlib
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests

from engine.stage import StageError
from stages.containers import _credentials

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_REFERENCE = re.compile(
    r"(?:(?P<host>(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:]+\])(?::\d{1,5})?)/)?"
    r"(?P<name>[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?",
    re.ASCII,
)
_TIMEOUT_S = (5, 30)  # to connect, and for each part of a response
_DEADLINE_S = 900  # for one blob
_ATTEMPTS = 3
_MANIFEST_BYTES = 4 << 20  # the minimum that the specification requires registries to accept
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Reference:
    """The address of an image: registry host, repository name, and a tag, a digest, or both."""

    host: str
    name: str
    tag: str | None = None
    digest: str | None = None

    def __str__(self) -> str:
        return (
            f"{self.host}/{self.name}"
            + (f":{self.tag}" if self.tag else "")
            + (f"@{self.digest}" if self.digest else "")
        )


def parse(text: str) -> Reference:
    """Return the parts of `[host/]name[:tag][@sha256:...]`, parsed as by Docker: the default host is
    Docker Hub.
    """
    found = _REFERENCE.fullmatch(text)
    host = found["host"] if found else None
    is_host = host is not None and (
        "." in host or ":" in host or host == "localhost"
    )  # `library/debian` has no host
    if not found or (host and not is_host and host != host.lower()):
        shown = re.sub(
            r"[^/@]*@(?!sha256:)", "...@", text[:200]
        )  # the part before an @ may contain a password
        raise StageError(
            f"'{shown}' is not an image reference: write host:port/name:tag, or name@sha256:..."
        )
    name, tag, digest = found.group("name", "tag", "digest")
    if host and not is_host:
        host, name = None, f"{host}/{name}"
    if host in (None, "docker.io"):
        host, name = "registry-1.docker.io", name if "/" in name else f"library/{name}"
    return Reference(host, name, tag, digest)


def pull(reference: str, platform: str, folder: Path) -> str:
    """Write the image of one platform into the folder as an OCI image layout; return its manifest's digest.

    A reference with a digest is pinned: exactly that image is pulled. `platform` is linux/amd64,
    linux/arm64 or linux/arm/v7.
    """
    where = parse(reference)
    repository = Repository(where)
    kind, content = repository.manifest(where.digest or where.tag or "latest")
    if kind in (OCI_INDEX, DOCKER_INDEX):
        chosen = _choose(_json(content, where), platform, where)
        kind, content = repository.manifest(chosen)
    manifest = _json(content, where)
    digest = digest_of(content)
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    (blobs / digest[7:]).write_bytes(content)
    for part, size in _parts(manifest, where):
        repository.download(part, size, blobs)
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}\n', encoding="utf-8")
    index = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [{"mediaType": kind, "digest": digest, "size": len(content)}],
    }
    (folder / "index.json").write_text(json.dumps(index) + "\n", encoding="utf-8")
    return digest


def digest_of(content: bytes) -> str:
    """Return the digest in the form that registries use."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


class Repository:
    """One repository of a registry.

    Each call has a deadline, is retried a few times, and fails with a StageError.
    """

    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        is_here = _is_here(f"//{reference.host}")
        self._root = f"{'http' if is_here else 'https'}://{reference.host}"
        self._url = f"{self._root}/v2/{reference.name}"
        self._session = requests.Session()
        self._session.trust_env = not is_here  # a proxy cannot reach this machine's own registry
        self._session.auth = lambda request: request  # do not use ~/.netrc
        self._authorization: dict[str, str] = {}

    def manifest(self, wanted: str) -> tuple[str, bytes]:
        """Return media type and bytes of the manifest or index with a tag or digest; check the digest."""
        accept = ", ".join([OCI_INDEX, OCI_MANIFEST, DOCKER_INDEX, DOCKER_MANIFEST])
        with self._ask(
            "GET",
            f"{self._url}/manifests/{wanted}",
            (200,),
            headers={"Accept": accept},
            stream=True,
        ) as answer:
            content = b"".join(_bounded(answer, _MANIFEST_BYTES, f"the manifest {wanted}"))
            kind = answer.headers.get("Content-Type", "").partition(";")[0].strip()
        if _DIGEST.fullmatch(wanted) and digest_of(content) != wanted:
            raise StageError(
                f"{self._reference.host} sent a manifest with a different digest than {wanted[:19]}..."
            )
        return kind, content

    def download(self, digest: str, size: int, folder: Path) -> None:
        """Download a blob into the folder, named by its hexadecimal digest; leave no partial file."""
        partial, received = folder / f".{digest[7:]}", hashlib.sha256()
        try:
            with (
                self._ask("GET", f"{self._url}/blobs/{digest}", (200,), stream=True) as answer,
                partial.open("wb") as out,
            ):
                for chunk in _bounded(answer, size, f"the blob {digest[:19]}..."):
                    received.update(chunk)
                    out.write(chunk)
            if "sha256:" + received.hexdigest() != digest:
                raise StageError(
                    f"{self._reference.host} sent a blob with a different digest than {digest[:19]}..."
                )
            partial.rename(folder / digest[7:])
        finally:
            partial.unlink(missing_ok=True)

    def upload(self, path: Path, digest: str) -> bool:
        """Upload the blob if the registry lacks it; return False if it already existed."""
        if self._ask("HEAD", f"{self._url}/blobs/{digest}", (200, 404)).status_code == 200:
            return False
        for attempt in range(_ATTEMPTS):
            begun = self._ask("POST", f"{self._url}/blobs/uploads/", (202,))
            place = urljoin(begun.url, begun.headers.get("Location", ""))
            with path.open("rb") as blob:
                sent = self._try(
                    "PUT",
                    f"{place}{'&' if '?' in place else '?'}digest={digest}",
                    data=blob,
                    headers={"Content-Type": "application/octet-stream"},
                )
            if isinstance(sent, requests.Response) and sent.status_code == 201:
                return True
            if attempt == _ATTEMPTS - 1 or (
                isinstance(sent, requests.Response) and sent.status_code < 500
            ):
                raise self._failure("PUT", sent)
            time.sleep(2.0**attempt)
        raise AssertionError

    def put_manifest(self, wanted: str, content: bytes, kind: str) -> str:
        """Put a manifest or index under a tag or its digest.

        Return its digest, as read back from the registry.
        """
        self._ask(
            "PUT",
            f"{self._url}/manifests/{wanted}",
            (201,),
            data=content,
            headers={"Content-Type": kind},
        )
        digest = digest_of(content)
        if self.manifest(wanted)[1] != content or self.manifest(digest)[1] != content:
            raise StageError(
                f"{self._reference.host} returns a different manifest for {wanted} than was sent"
            )
        return digest

    def size(self, digest: str) -> int:
        """Return the size of a blob in bytes, according to the registry."""
        answer = self._ask("HEAD", f"{self._url}/blobs/{digest}", (200,))
        return int(answer.headers.get("Content-Length", -1))

    def _ask(
        self, method: str, url: str, expected: tuple[int, ...], **more: Any
    ) -> requests.Response:
        """Return a response with one of the expected statuses; retry transient errors."""
        for attempt in range(_ATTEMPTS):
            answer = self._try(method, url, **more)
            if isinstance(answer, requests.Response):
                if answer.status_code in expected:
                    return answer
                if answer.status_code != 429 and answer.status_code < 500:
                    break
            if attempt < _ATTEMPTS - 1:
                time.sleep(0.5 * 4**attempt)
        raise self._failure(method, answer)

    def _try(
        self, method: str, url: str, **more: Any
    ) -> requests.Response | requests.RequestException:
        """Send a request; if the registry asks for credentials, send it again with them."""
        try:
            answer = self._send(method, url, **more)
            if answer.status_code == 401 and self._log_in(
                answer.headers.get("WWW-Authenticate", ""), method
            ):
                if hasattr(more.get("data"), "seek"):
                    more["data"].seek(0)
                answer = self._send(method, url, **more)
            return answer
        except requests.RequestException as error:
            return error

    def _send(self, method: str, url: str, **more: Any) -> requests.Response:
        is_ours = (
            urlsplit(url)[:2] == urlsplit(self._root)[:2]
        )  # an upload may be redirected to another host, which must not get the credentials
        headers = {
            "Accept-Encoding": "identity",
            **more.pop("headers", {}),
            **(self._authorization if is_ours else {}),
        }
        return self._session.request(method, url, headers=headers, timeout=_TIMEOUT_S, **more)

    def _log_in(self, challenge: str, method: str) -> bool:
        """Answer the registry's challenge: with a token from the URL it names (RFC 6750), or with user and
        password (RFC 7617).
        """
        scheme, _, rest = challenge.partition(" ")
        known = _credentials.of(self._reference.host)
        if scheme.lower() == "basic" and known:
            self._authorization = {"Authorization": requests.auth._basic_auth_str(*known)}
            return True
        if scheme.lower() != "bearer":
            return False
        said = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        realm, actions = (
            said.pop("realm", ""),
            "pull" if method in ("GET", "HEAD") and not self._authorization else "pull,push",
        )
        if urlsplit(realm).scheme != "https" and not (
            realm.startswith("http://") and _is_here(realm)
        ):
            raise StageError(
                f"{self._reference.host} asks for the password over plain HTTP; it was not sent"
            )
        query = {
            "scope": f"repository:{self._reference.name}:{actions}",
            **{k: v for k, v in said.items() if k in ("service", "scope")},
        }
        answer = self._session.get(realm, params=query, auth=known, timeout=_TIMEOUT_S)
        token = _token(answer)
        self._authorization = {"Authorization": f"Bearer {token}"} if token else {}
        return bool(token)

    def _failure(
        self, method: str, answer: requests.Response | requests.RequestException
    ) -> StageError:
        host = self._reference.host
        if isinstance(answer, requests.exceptions.SSLError):
            return StageError(f"{host} has no certificate that this machine trusts")
        if isinstance(answer, requests.RequestException):
            return StageError(
                f"the registry {host} cannot be reached ({type(answer).__name__}): check "
                "that it is running and that its name is correct"
            )
        what = f"{self._reference.name} at {host}"
        if answer.status_code in (401, 403):
            return StageError(
                f"{host} does not let you {'read' if method in ('GET', 'HEAD') else 'write'} "
                f"{self._reference.name}: "
                f"docker login {host}, or set REGISTRY_USER and REGISTRY_PASSWORD"
            )
        if answer.status_code == 404:
            return StageError(f"there is no such image: {what}")
        return StageError(f"{what}: {method} returned {answer.status_code} {answer.reason}")


def _is_here(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or re.fullmatch(r"127(\.\d{1,3}){3}", host) is not None


def _token(answer: requests.Response) -> str | None:
    try:
        said = answer.json() if answer.status_code == 200 else {}
    except ValueError:
        return None
    token = (said.get("token") or said.get("access_token")) if isinstance(said, dict) else None
    return token if isinstance(token, str) and re.fullmatch(r"[\x21-\x7e]+", token) else None


def _bounded(answer: requests.Response, most: int, what: str) -> Iterator[bytes]:
    """Yield the body; raise StageError if it exceeds the given size or the deadline."""
    until, received = time.monotonic() + _DEADLINE_S, 0
    try:
        for chunk in answer.iter_content(_CHUNK):
            received += len(chunk)
            if received > most:
                raise StageError(f"{what} is longer than {most:,} bytes")
            if time.monotonic() > until:
                raise StageError(f"{what} did not arrive within {_DEADLINE_S} s")
            yield chunk
    except requests.RequestException as error:
        raise StageError(
            f"{what} was interrupted after {received:,} bytes ({type(error).__name__})"
        ) from None


def _json(content: bytes, where: Reference) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise StageError(f"{where} has a manifest that is not a JSON object")
    return found


def _choose(index: dict[str, Any], platform: str, where: Reference) -> str:
    """Return the digest of the platform's manifest; arm64 matches with and without the variant v8."""
    offered: dict[str, str] = {}
    entries = index.get("manifests")
    for entry in entries if isinstance(entries, list) else []:
        about = entry.get("platform") if isinstance(entry, dict) else None
        if isinstance(about, dict):
            variant = about.get("variant") if about.get("variant") != "v8" else None
            offered[
                "/".join(str(p) for p in (about.get("os"), about.get("architecture"), variant) if p)
            ] = _descriptor(entry, where)[0]
    if platform not in offered:
        raise StageError(
            f"{where} has no image for {platform}; it has {', '.join(sorted(offered)) or 'none'}"
        )
    return offered[platform]


def _parts(manifest: dict[str, Any], where: Reference) -> list[tuple[str, int]]:
    """Return the configuration and the layers, without duplicates."""
    layers = manifest.get("layers")
    parts = [manifest.get("config"), *(layers if isinstance(layers, list) else [None])]
    return list(dict.fromkeys(_descriptor(part, where) for part in parts))


def _descriptor(part: Any, where: Reference) -> tuple[str, int]:
    digest, size = (
        (part.get("digest"), part.get("size")) if isinstance(part, dict) else (None, None)
    )
    if (
        not isinstance(digest, str)
        or not _DIGEST.fullmatch(digest)
        or type(size) is not int
        or size < 0
    ):
        raise StageError(f"{where} has a manifest whose parts are not described by sha256 and size")
    return digest, size
