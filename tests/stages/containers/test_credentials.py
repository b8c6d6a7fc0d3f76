"""Credentials for a registry, from real configuration files and a real credential helper."""

import base64
import json

import pytest

from engine.stage import StageError
from stages.containers._credentials import of


@pytest.fixture
def login(tmp_path):
    """Write config.json, and return the environment that points to it."""

    def write(config):
        (tmp_path / "config.json").write_text(
            config if isinstance(config, str) else json.dumps(config)
        )
        return {"DOCKER_CONFIG": str(tmp_path)}

    return write


def _auth(text: str) -> dict[str, str]:
    return {"auth": base64.b64encode(text.encode()).decode()}


def test_the_environment_comes_first(login):
    environment = login({"auths": {"h.io": _auth("other:one")}}) | {
        "REGISTRY_USER": "me",
        "REGISTRY_PASSWORD": "pw",
    }
    assert of("h.io", environment) == ("me", "pw")


def test_what_docker_login_left_is_found_by_the_host(login):
    environment = login({"auths": {"h.io": _auth("me:p:w"), "other.io": _auth("not:me")}})
    assert of("h.io", environment) == ("me", "p:w")
    assert of("third.io", environment) is None


def test_docker_hub_has_a_name_of_its_own(login):
    assert of(
        "registry-1.docker.io", login({"auths": {"https://index.docker.io/v1/": _auth("me:pw")}})
    ) == (
        "me",
        "pw",
    )


def test_the_home_folder_is_looked_at(tmp_path):
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text(
        json.dumps({"auths": {"h.io": _auth("me:pw")}})
    )
    assert of("h.io", {"HOME": str(tmp_path)}) == ("me", "pw")


def test_nobody_is_logged_in_where_there_is_no_file(tmp_path):
    assert of("h.io", {"DOCKER_CONFIG": str(tmp_path)}) is None


@pytest.mark.parametrize(
    "config",
    [
        "[]",
        "{}",
        '{"auths": []}',
        '{"auths": {"h.io": 3}}',
        '{"auths": {"h.io": {"auth": ""}}, "credHelpers": 1}',
    ],
)
def test_a_file_without_an_entry_is_as_none(login, config):
    assert of("h.io", login(config)) is None


@pytest.mark.parametrize(
    "config",
    [
        "{",
        '{"auths": {"h.io": {"auth": "*"}}}',
        '{"auths": {"h.io": {"auth": "bWU="}}}',
        '{"credsStore": "../x"}',
    ],
)
def test_a_broken_file_is_said_without_what_is_in_it(login, config):
    with pytest.raises(StageError, match=r"docker login|config\.json") as caught:
        of("h.io", login(config))
    assert "bWU=" not in str(caught.value)


def test_a_credential_helper_is_asked_by_its_standard_input(login, tmp_path, monkeypatch):
    helper = tmp_path / "docker-credential-try"
    helper.write_text(
        '#!/bin/sh\nread host\n[ "$1 $host" = "get h.io" ] && echo \'{"Username": "me", "Secret": "pw"}\'\n'
    )
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert of("h.io", login({"credHelpers": {"h.io": "try"}})) == ("me", "pw")
    assert of("h.io", login({"credsStore": "try"})) == ("me", "pw")
    assert of("other.io", login({"credsStore": "try"})) is None


def test_a_helper_that_is_not_there_is_as_none(login):
    assert of("h.io", login({"credsStore": "not-there"})) is None
