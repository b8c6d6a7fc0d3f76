"""Images in a registry: known by digest, and asked for before a record is used."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from engine import job_code
from engine.errors import UserError
from engine.images import with_code
from engine.job_code import JobCode
from engine.kubeflow import registry as registries
from engine.kubeflow.images import Pushed, place
from engine.kubeflow.registry import Registry
from stages.containers.compress import compress
from stages.containers.push import push
from tests import archives
from tests.speaker import Speaker

NAME = "raspberrypi-mlops/demo:amd64-0123456789ab"
OTHER = "raspberrypi-mlops/other:amd64-0123456789ab"


@pytest.fixture(autouse=True)
def nobody(tmp_path, monkeypatch):
    """No credentials, and one attempt."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "nothing"))
    monkeypatch.delenv("REGISTRY_USER", raising=False)
    monkeypatch.setattr(registries, "ATTEMPTS", 1)


@pytest.fixture
def code(tmp_path) -> JobCode:
    """The code of one package."""
    (tmp_path / "project" / "mine").mkdir(parents=True)
    (tmp_path / "project" / "mine" / "__init__.py").write_text("")
    return job_code.find((tmp_path / "project",), ("mine",))


@pytest.fixture
def pushed(tmp_path, code, registry):
    """Push a small image as the project's runs do; return what knows it."""
    image = archives.write(tmp_path / "i.tar", [archives.layer({"a": b"1"})])
    compress(image, tmp_path / "layout")

    def again(full_name: str = NAME, path: str = "team", with_what: JobCode = code) -> Pushed:
        folder = job_code.lay_out(with_what, tmp_path / "store")
        report = tmp_path / "report.json"
        report.unlink(missing_ok=True)
        name, _, tag = with_code(full_name, with_what.short).rpartition("/")[2].partition(":")
        where = f"{registry.address}/{path}"
        push(tmp_path / "layout", folder, report, name=name, tag=tag, registry=where)
        known = Pushed(tmp_path / "store", where, with_what, 5)
        known.record(full_name, report)
        return Pushed(tmp_path / "store", where, with_what, 5)

    return again


def _changed(code: JobCode, tmp_path: Path) -> JobCode:
    (tmp_path / "project" / "mine" / "__init__.py").write_text("a = 1\n")
    return job_code.find((tmp_path / "project",), ("mine",))


def _delete(registry, what: str) -> None:
    requests.delete(f"{registry.url}/v2/team/demo/{what}", timeout=5).raise_for_status()


def _tag(registry, tag: str, content: bytes) -> None:
    url = f"{registry.url}/v2/team/demo/manifests/{tag}"
    kind = {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}
    requests.put(url, content, headers=kind, timeout=5).raise_for_status()


def _manifest(registry, wanted: str) -> bytes:
    kind = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
    url = f"{registry.url}/v2/team/demo/manifests/{wanted}"
    return requests.get(url, headers=kind, timeout=5).content


def test_an_image_is_known_by_the_digest_that_was_pushed(pushed, registry, code):
    known = pushed()
    reference = known.reference(NAME)
    where, _, digest = reference.partition("@")
    assert where == f"{registry.address}/team/demo" and digest.startswith("sha256:")
    assert _manifest(registry, digest) == _manifest(registry, f"amd64-0123456789ab-{code.short}")
    assert known.missing([NAME, OTHER]) == [OTHER]


def test_an_image_is_never_pulled_from_where_it_was_not_pushed(pushed, tmp_path, code, registry):
    pushed()
    for where in (f"{registry.address}/elsewhere", registry.address):
        other = Pushed(tmp_path / "store", where, code, 5)
        assert other.missing([NAME]) == [NAME]
        with pytest.raises(UserError, match="has no image"):
            other.reference(NAME)
    record = next((tmp_path / "store" / "kubeflow" / "images").iterdir())
    moved = json.loads(record.read_text())
    moved["reference"] = moved["reference"].replace("/team/", "/elsewhere/")
    record.write_text(json.dumps(moved))
    assert Pushed(tmp_path / "store", f"{registry.address}/team", code, 5).missing([NAME]) == [NAME]


def test_an_image_that_was_pushed_under_another_tag_or_path_is_not_pulled(
    pushed, tmp_path, code, registry
):
    """The registry has all of them: only the record says which one was pushed for this name."""
    records = tmp_path / "store" / "kubeflow" / "images"
    known = []
    for full_name, path in ((NAME, "team"), (OTHER, "team"), (NAME, "elsewhere")):
        pushed(full_name, path)
        known.append(next(one for one in records.iterdir() if one not in known))
    texts = [one.read_text() for one in known]
    team = f"{registry.address}/team"
    for text in texts[1:]:
        known[0].write_text(text)
        assert Pushed(tmp_path / "store", team, code, 5).missing([NAME]) == [NAME]
    known[0].write_text(texts[0])
    assert Pushed(tmp_path / "store", team, code, 5).missing([NAME]) == []


def test_changed_code_is_another_image(pushed, tmp_path, code):
    first = pushed().reference(NAME)
    changed = _changed(code, tmp_path)
    where = first.rpartition("/")[0]
    assert Pushed(tmp_path / "store", where, changed, 5).missing([NAME]) == [NAME]
    assert pushed(with_what=changed).reference(NAME) != first


def test_what_the_registry_has_lost_is_missing_until_it_is_pushed_again(pushed, registry):
    reference = pushed().reference(NAME)
    layer = json.loads(_manifest(registry, reference.partition("@")[2]))["layers"][0]["digest"]
    for lost in (f"blobs/{layer}", f"manifests/{reference.partition('@')[2]}"):
        known = pushed()
        _delete(registry, lost)
        assert known.missing([NAME]) == [NAME]
        with pytest.raises(UserError, match="images build code=baked"):
            known.reference(NAME)
    assert pushed().reference(NAME) == reference


def test_a_tag_that_somebody_else_has_overwritten_is_noticed(pushed, registry, tmp_path, code):
    known = pushed()
    other = pushed(with_what=_changed(code, tmp_path)).reference(NAME).partition("@")[2]
    _tag(registry, f"amd64-0123456789ab-{code.short}", _manifest(registry, other))
    assert known.missing([NAME]) == [NAME]


def test_the_registry_is_asked_once_for_each_image(pushed, registry):
    known = pushed()
    first = known.reference(NAME)
    registry.stop()
    assert known.reference(NAME) == first


def test_a_registry_that_is_down_is_an_error_and_not_a_missing_image(pushed, registry):
    known = pushed()
    registry.stop()
    with pytest.raises(UserError) as found:
        known.missing([NAME])
    assert found.value.where == f"kubeflow.registry={registry.address}"
    assert found.value.what == (
        "the registry cannot be reached: the connection is refused: no server listens at this address"
    )
    assert "running" in found.value.fix


def test_a_registry_without_tls_is_told_from_one_that_is_down(speaker):
    """0.0.0.0 reaches this machine, but is not one of the names for which plain HTTP is used."""
    with pytest.raises(UserError, match="without TLS") as found:
        Registry(f"0.0.0.0:{speaker.host.rpartition(':')[2]}", 5).reach()
    assert "certificate" in found.value.fix


def test_a_damaged_record_is_not_used(pushed, tmp_path, registry, code):
    pushed()
    record = next((tmp_path / "store" / "kubeflow" / "images").iterdir())
    record.write_text("{")
    where = f"{registry.address}/team"
    assert Pushed(tmp_path / "store", where, code, 5).missing([NAME]) == [NAME]
    shutil.rmtree(record.parent)
    assert Pushed(tmp_path / "store", where, code, 5).missing([NAME]) == [NAME]


def test_a_container_engine_pulls_it_by_its_digest_and_runs_the_code(
    plain_archive, docker_engine, registry, tmp_path, code
):
    compress(plain_archive, tmp_path / "layout", compression=1)
    folder = job_code.lay_out(code, tmp_path / "store")
    name, _, tag = with_code(NAME, code.short).rpartition("/")[2].partition(":")
    where = f"{registry.address}/team"
    push(tmp_path / "layout", folder, tmp_path / "r.json", name=name, tag=tag, registry=where)
    known = Pushed(tmp_path / "store", where, code, 5)
    known.record(NAME, tmp_path / "r.json")
    client = docker_engine.client()
    image = client.images.pull(known.reference(NAME))
    words = ["python3", "-c", "import mine; print(mine.__file__)"]
    output = client.containers.run(image, words, network_mode="none", remove=True)
    assert output.decode().strip() == "/opt/rpi-mlops/0/mine/__init__.py"
    assert image.tags == []  # no tag took part
    client.images.remove(image.id, force=True)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("127.0.0.1:5000/team", "127.0.0.1:5000/team"),
        ("registry.example.org/a/b/", "registry.example.org/a/b"),
        ("localhost", "localhost"),
        ("docker.io/me", "registry-1.docker.io/me"),
    ],
)
def test_an_address_is_split_into_host_and_path(address, shown):
    assert str(place(address)) == shown


@pytest.mark.parametrize(
    "address", ["team", "https://r.example.org/x", "r.example.org/UPPER", "me:secret@r.example.org"]
)
def test_an_invalid_address_is_refused_without_showing_a_password(address):
    with pytest.raises(UserError, match="not an address") as found:
        place(address)
    assert "secret" not in str(found.value)


def test_no_registry_is_an_error_with_a_fix():
    with pytest.raises(UserError, match=r"set kubeflow\.registry=HOST:PORT/PATH"):
        place(None)


@pytest.fixture
def speaker() -> Iterator[Speaker]:
    """A registry that asks for a password."""
    with Speaker.running() as made:
        yield made


def _asks(speaker: Speaker, challenge: str, *after: tuple[int, dict[str, str], bytes]) -> Registry:
    refused = (401, {"WWW-Authenticate": challenge}, b"")
    speaker.says("HEAD", "/v2/team/demo/manifests/t", refused, *after)
    return Registry(speaker.host, 5)


FOUND = (200, {"Docker-Content-Digest": "sha256:1"}, b"")


def test_the_password_is_that_of_the_environment(speaker, monkeypatch):
    monkeypatch.setenv("REGISTRY_USER", "me")
    monkeypatch.setenv("REGISTRY_PASSWORD", "secret")
    assert _asks(speaker, "Basic realm=r", FOUND).digest_of("team/demo", "t") == "sha256:1"
    assert speaker.asked[-1][2]["Authorization"] == "Basic bWU6c2VjcmV0"
    assert "Authorization" not in speaker.asked[0][2]


def test_or_of_docker_login(speaker, monkeypatch, tmp_path):
    (tmp_path / "config.json").write_text(
        json.dumps({"auths": {speaker.host: {"auth": "bWU6c2VjcmV0"}}})
    )
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert _asks(speaker, "Basic realm=r", FOUND).digest_of("team/demo", "t") == "sha256:1"
    assert speaker.asked[-1][2]["Authorization"] == "Basic bWU6c2VjcmV0"


def test_a_token_is_asked_for_where_the_registry_says(speaker):
    challenge = f'Bearer realm="http://{speaker.host}/token",service="s"'
    speaker.says("GET", "/token", (200, {}, b'{"token": "t0k"}'))
    assert _asks(speaker, challenge, FOUND).digest_of("team/demo", "t") == "sha256:1"
    assert "scope=repository%3Ateam%2Fdemo%3Apull&service=s" in speaker.asked[1][1]
    assert speaker.asked[-1][2]["Authorization"] == "Bearer t0k"


@pytest.mark.parametrize(
    "challenge", ["Basic realm=r", 'Bearer realm="http://192.0.2.1/token"', "Bearer", ""]
)
def test_wrong_credentials_are_an_error_and_not_a_missing_image(speaker, challenge, monkeypatch):
    monkeypatch.setenv("REGISTRY_USER", "me")
    monkeypatch.setenv("REGISTRY_PASSWORD", "wrong")
    with pytest.raises(UserError, match="does not let you read team/demo") as found:
        _asks(speaker, challenge).digest_of("team/demo", "t")
    assert "docker login" in found.value.fix and "wrong" not in str(found.value)


def test_a_server_error_is_not_a_missing_image(speaker):
    speaker.says("HEAD", "/v2/team/demo/blobs/d", (503, {}, b""))
    with pytest.raises(UserError, match="it answered 503"):
        Registry(speaker.host, 5).has("team/demo", "d", "blobs")
    assert Registry(speaker.host, 5).has("team/demo", "other") is False


def test_code_is_named_by_its_digest(code):
    assert with_code(NAME, code.short) == f"{NAME}-{code.digest[:12]}"
    assert replace(code, digest="f" * 64).short == "f" * 12
