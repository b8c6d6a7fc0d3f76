"""The registry client with Debian's docker-registry, and with a server that responds like a malicious or
broken one.
"""

import base64
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from engine.stage import StageError
from stages.containers import _registry
from stages.containers._registry import (
    OCI_INDEX,
    OCI_MANIFEST,
    Reference,
    Repository,
    digest_of,
    parse,
    pull,
)
from tests.speaker import Speaker


@pytest.fixture
def speaker() -> Iterator[Speaker]:
    """A server with predefined responses."""
    with Speaker.running() as made:
        yield made


@pytest.fixture(autouse=True)
def nobody(tmp_path, monkeypatch):
    """No credentials, and no delays."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "nothing"))
    monkeypatch.delenv("REGISTRY_USER", raising=False)
    monkeypatch.setattr("time.sleep", lambda _: None)


@pytest.fixture
def filled(registry, tmp_path) -> tuple[str, dict[str, str]]:
    """A real registry with an image for two platforms, and the digest of each platform's manifest."""
    repository, digests, entries = Repository(parse(f"{registry.address}/a/b")), {}, []
    for variant, content in ((None, b"for arm64"), ("v7", b"for arm")):
        descriptors = [_sent(repository, tmp_path, blob) for blob in (b"{}", content)]
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "config": descriptors[0],
                "layers": descriptors[1:],
            }
        ).encode()
        platform = (
            {"os": "linux", "architecture": "arm", "variant": variant}
            if variant
            else {"os": "linux", "architecture": "arm64"}
        )
        digest = repository.put_manifest(digest_of(manifest), manifest, OCI_MANIFEST)
        digests["linux/arm/v7" if variant else "linux/arm64"] = digest
        entries.append(
            {
                "mediaType": OCI_MANIFEST,
                "digest": digest,
                "size": len(manifest),
                "platform": platform,
            }
        )
    index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()
    digests["all"] = repository.put_manifest("t", index, OCI_INDEX)
    return f"{registry.address}/a/b", digests


def _sent(repository: Repository, folder: Any, content: bytes) -> dict[str, Any]:
    (folder / "blob").write_bytes(content)
    repository.upload(folder / "blob", digest_of(content))
    return {
        "mediaType": "application/octet-stream",
        "digest": digest_of(content),
        "size": len(content),
    }


def _layout_of(speaker: Speaker, layer: bytes, **descriptor: Any) -> str:
    """Give the server an image with this layer and descriptor; return its pinned reference."""
    described = {"digest": digest_of(layer), "size": len(layer), **descriptor}
    manifest = json.dumps(
        {"config": {"digest": digest_of(b"{}"), "size": 2}, "layers": [described]}
    ).encode()
    speaker.says(
        "GET",
        f"/v2/x/manifests/{digest_of(manifest)}",
        (200, {"Content-Type": OCI_MANIFEST}, manifest),
    )
    speaker.says("GET", f"/v2/x/blobs/{digest_of(b'{}')}", (200, {}, b"{}"))
    speaker.says("GET", f"/v2/x/blobs/{described['digest']}", (200, {}, layer))
    return f"{speaker.host}/x@{digest_of(manifest)}"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("debian", Reference("registry-1.docker.io", "library/debian")),
        (
            "debian:bookworm-slim",
            Reference("registry-1.docker.io", "library/debian", "bookworm-slim"),
        ),
        ("docker.io/debian", Reference("registry-1.docker.io", "library/debian")),
        ("some/one", Reference("registry-1.docker.io", "some/one")),
        ("localhost/a", Reference("localhost", "a")),
        ("localhost:5000/a/b:c", Reference("localhost:5000", "a/b", "c")),
        ("ghcr.io/a/b@sha256:" + "a" * 64, Reference("ghcr.io", "a/b", None, "sha256:" + "a" * 64)),
        ("h.io/a:t@sha256:" + "b" * 64, Reference("h.io", "a", "t", "sha256:" + "b" * 64)),
    ],
)
def test_a_reference_is_read_as_docker_reads_it(text, meant):
    assert parse(text) == meant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A/b",
        "a:",
        "a@sha256:12",
        "a b",
        "../x",
        "h.io/../x",
        "http://h.io/a",
        "h.io/a:t\n",
        "user:pw@h.io/a",
        "a" * 9000 + "!",
    ],
)
def test_what_is_no_reference_is_refused(text):
    with pytest.raises(StageError, match="not an image reference"):
        parse(text)


def test_a_password_in_a_reference_is_not_repeated():
    with pytest.raises(StageError) as caught:
        parse("me:secret@h.io/a")
    assert "secret" not in str(caught.value)


def test_each_platform_of_a_tag_is_pulled_as_it_was_pushed(filled, tmp_path):
    reference, digests = filled
    for number, platform in enumerate(("linux/arm64", "linux/arm/v7")):
        folder = tmp_path / str(number)
        assert pull(f"{reference}:t", platform, folder) == digests[platform]
        index = json.loads((folder / "index.json").read_text())
        assert [entry["digest"] for entry in index["manifests"]] == [digests[platform]]
        blobs = {path.name: path.read_bytes() for path in (folder / "blobs" / "sha256").iterdir()}
        assert all(hashlib.sha256(content).hexdigest() == name for name, content in blobs.items())
        assert (b"for arm64" if number == 0 else b"for arm") in blobs.values()


def test_an_image_is_pulled_by_the_digest_of_its_list(filled, tmp_path):
    reference, digests = filled
    assert (
        pull(f"{reference}@{digests['all']}", "linux/arm64", tmp_path / "a")
        == digests["linux/arm64"]
    )


def test_a_platform_that_is_not_there_is_named_with_those_that_are(filled, tmp_path):
    with pytest.raises(
        StageError, match=r"no image for linux/amd64; it has linux/arm/v7, linux/arm64"
    ):
        pull(f"{filled[0]}:t", "linux/amd64", tmp_path / "a")


def test_a_tag_that_is_not_there_is_reported(registry, tmp_path):
    with pytest.raises(StageError, match="there is no such image: a/b at 127"):
        pull(f"{registry.address}/a/b:t", "linux/amd64", tmp_path / "a")


def test_a_blob_that_the_registry_has_is_not_sent_again(registry, tmp_path):
    repository = Repository(parse(f"{registry.address}/a"))
    (tmp_path / "blob").write_bytes(b"content")
    assert [repository.upload(tmp_path / "blob", digest_of(b"content")) for _ in range(2)] == [
        True,
        False,
    ]
    assert repository.size(digest_of(b"content")) == 7


def test_a_blob_under_a_wrong_digest_is_refused_by_the_registry(registry, tmp_path):
    (tmp_path / "blob").write_bytes(b"content")
    with pytest.raises(StageError, match="PUT returned 400"):
        Repository(parse(f"{registry.address}/a")).upload(tmp_path / "blob", digest_of(b"other"))


def test_a_registry_that_is_not_there_is_reported_within_seconds(registry, tmp_path):
    registry.stop()
    with pytest.raises(StageError, match=r"127\.0\.0\.1:\d+ cannot be reached \(ConnectionError\)"):
        pull(f"{registry.address}/a", "linux/amd64", tmp_path / "a")


def test_a_pinned_manifest_of_another_digest_is_refused(speaker, tmp_path):
    speaker.says(
        "GET", f"/v2/x/manifests/{digest_of(b'{}')}", (200, {"Content-Type": OCI_MANIFEST}, b"{ }")
    )
    with pytest.raises(StageError, match="sent a manifest with a different digest"):
        pull(f"{speaker.host}/x@{digest_of(b'{}')}", "linux/amd64", tmp_path / "a")


def test_a_layer_of_another_digest_is_refused_and_not_kept(speaker, tmp_path):
    reference = _layout_of(speaker, b"evil", digest=digest_of(b"good"))
    with pytest.raises(StageError, match="sent a blob with a different digest"):
        pull(reference, "linux/amd64", tmp_path / "a")
    assert digest_of(b"good")[7:] not in [
        path.name for path in (tmp_path / "a" / "blobs" / "sha256").iterdir()
    ]


def test_a_layer_that_is_longer_than_said_is_cut_off(speaker, tmp_path):
    with pytest.raises(StageError, match="longer than 3 bytes"):
        pull(_layout_of(speaker, b"long", size=3), "linux/amd64", tmp_path / "a")


@pytest.mark.parametrize(
    "digest", ["sha256:../../../../etc/passwd", "../x", 7, None, "sha256:" + "A" * 64]
)
def test_a_digest_that_is_a_path_is_refused(speaker, tmp_path, digest):
    with pytest.raises(StageError, match="not described by sha256 and size"):
        pull(_layout_of(speaker, b"x", digest=digest), "linux/amd64", tmp_path / "a")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"\xff",
        b"{",
        b"[" * 100_000,
        b'{"layers": 3}',
        b'{"config": [], "layers": [null]}',
    ],
)
def test_a_manifest_that_is_none_is_refused(speaker, tmp_path, body):
    speaker.says("GET", "/v2/x/manifests/latest", (200, {"Content-Type": OCI_MANIFEST}, body))
    with pytest.raises(StageError, match="manifest"):
        pull(f"{speaker.host}/x", "linux/amd64", tmp_path / "a")


def test_an_endless_manifest_is_refused(speaker, tmp_path):
    speaker.says("GET", "/v2/x/manifests/latest", (200, {}, b" " * (5 << 20)))
    with pytest.raises(StageError, match="longer than"):
        pull(f"{speaker.host}/x", "linux/amd64", tmp_path / "a")


def test_what_may_pass_by_itself_is_tried_again(speaker):
    speaker.says(
        "GET",
        "/v2/x/manifests/t",
        (503, {}, b""),
        (429, {}, b""),
        (200, {"Content-Type": OCI_MANIFEST}, b"{}"),
    )
    assert Repository(parse(f"{speaker.host}/x")).manifest("t") == (OCI_MANIFEST, b"{}")


def test_what_stays_broken_is_reported_after_three_attempts(speaker):
    speaker.says("GET", "/v2/x/manifests/t", (503, {}, b""))
    with pytest.raises(StageError, match="GET returned 503"):
        Repository(parse(f"{speaker.host}/x")).manifest("t")
    assert len(speaker.asked) == 3


def test_a_token_is_fetched_with_user_and_password_and_sent_from_then_on(speaker, monkeypatch):
    monkeypatch.setenv("REGISTRY_USER", "me")
    monkeypatch.setenv("REGISTRY_PASSWORD", "secret")
    realm = f'Bearer realm="http://{speaker.host}/token",service="s",scope="repository:x:pull"'
    speaker.says(
        "GET",
        "/v2/x/manifests/t",
        (401, {"WWW-Authenticate": realm}, b""),
        (200, {"Content-Type": OCI_MANIFEST}, b"{}"),
    )
    speaker.says("GET", "/token", (200, {}, b'{"token": "abc"}'))
    assert Repository(parse(f"{speaker.host}/x")).manifest("t")[1] == b"{}"
    asked = [
        (path.partition("?")[0], headers.get("Authorization")) for _, path, headers in speaker.asked
    ]
    basic = "Basic " + base64.b64encode(b"me:secret").decode()
    assert asked == [
        ("/v2/x/manifests/t", None),
        ("/token", basic),
        ("/v2/x/manifests/t", "Bearer abc"),
    ]


def test_a_registry_that_asks_for_the_password_itself_gets_it(speaker, monkeypatch):
    monkeypatch.setenv("REGISTRY_USER", "me")
    monkeypatch.setenv("REGISTRY_PASSWORD", "secret")
    speaker.says(
        "GET",
        "/v2/x/manifests/t",
        (401, {"WWW-Authenticate": 'Basic realm="r"'}, b""),
        (200, {}, b"{}"),
    )
    assert Repository(parse(f"{speaker.host}/x")).manifest("t")[1] == b"{}"


@pytest.mark.parametrize(
    "realm", ["http://example.org/token", "ftp://127.0.0.1/", "http://127.0.0.1.example.org/", ""]
)
def test_a_password_is_never_sent_over_plain_http_to_another_machine(speaker, realm, monkeypatch):
    monkeypatch.setenv("REGISTRY_USER", "me")
    monkeypatch.setenv("REGISTRY_PASSWORD", "secret")
    speaker.says(
        "GET", "/v2/x/manifests/t", (401, {"WWW-Authenticate": f'Bearer realm="{realm}"'}, b"")
    )
    with pytest.raises(StageError, match="it was not sent"):
        Repository(parse(f"{speaker.host}/x")).manifest("t")


def test_an_upload_that_is_sent_elsewhere_does_not_carry_the_password(
    speaker, tmp_path, monkeypatch
):
    monkeypatch.setenv("REGISTRY_USER", "me")
    monkeypatch.setenv("REGISTRY_PASSWORD", "secret")
    (tmp_path / "blob").write_bytes(b"content")
    elsewhere = speaker.host.replace("127.0.0.1", "localhost")
    speaker.says(
        "POST",
        "/v2/x/blobs/uploads/",
        (401, {"WWW-Authenticate": "Basic"}, b""),
        (202, {"Location": f"http://{elsewhere}/up"}, b""),
    )
    speaker.says("PUT", "/up", (201, {}, b""))
    assert Repository(parse(f"{speaker.host}/x")).upload(tmp_path / "blob", digest_of(b"content"))
    sent = {method: headers for method, _, headers in speaker.asked}
    assert "Authorization" in sent["POST"] and "Authorization" not in sent["PUT"]


def test_who_may_not_read_is_told_how_to_log_in(speaker):
    speaker.says("GET", "/v2/x/manifests/t", (403, {}, b""))
    with pytest.raises(
        StageError,
        match=r"does not let you read x: docker login 127.* REGISTRY_USER and REGISTRY_PASSWORD",
    ):
        Repository(parse(f"{speaker.host}/x")).manifest("t")


def test_a_registry_that_gives_back_another_manifest_is_noticed(speaker):
    speaker.says("PUT", "/v2/x/manifests/t", (201, {}, b""))
    speaker.says("GET", "/v2/x/manifests/t", (200, {}, b"{ }"))
    with pytest.raises(StageError, match="returns a different manifest for t"):
        Repository(parse(f"{speaker.host}/x")).put_manifest("t", b"{}", OCI_MANIFEST)


def test_plain_http_is_spoken_to_this_machine_only():
    assert Repository(parse("localhost:5000/a"))._root == "http://localhost:5000"
    assert [
        Repository(parse(f"{host}/a"))._root[:5]
        for host in ("h.io", "localhost.h.io", "128.0.0.1:80", "127.0.0.1.h.io")
    ] == ["https"] * 4


def test_an_answer_that_stops_short_is_noticed(speaker, tmp_path):
    reference = _layout_of(speaker, b"whole")
    speaker.says(
        "GET",
        f"/v2/x/blobs/{digest_of(b'whole')}",
        (200, {"Content-Length": "5", "Connection": "close"}, b"who"),
    )
    with pytest.raises(StageError, match=r"was interrupted|a different digest"):
        pull(reference, "linux/amd64", tmp_path / "a")


def test_a_slow_answer_meets_the_deadline(speaker, tmp_path, monkeypatch):
    monkeypatch.setattr(_registry, "_DEADLINE_S", -1)
    with pytest.raises(StageError, match="did not arrive within"):
        pull(_layout_of(speaker, b"x"), "linux/amd64", tmp_path / "a")
