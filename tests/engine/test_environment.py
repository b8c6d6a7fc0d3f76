"""Which of the caller's variables a stage gets."""

import pytest

from engine.environment import allowed, passed

SECRETS = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
    "GITHUB_TOKEN",
    "HTTPS_PROXY",
    "https_proxy",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "REGISTRY_PASSWORD",
    "DOCKER_CONFIG",
    "DOCKER_HOST",
    "SSH_AUTH_SOCK",
    "DATABASE_URL",
    "PYTHONSTARTUP",
    "LD_PRELOAD",
    "PYTHONPATH",
]


@pytest.mark.parametrize("name", SECRETS)
def test_what_may_hold_a_secret_is_not_allowed(name):
    assert allowed({name: "x"}) == {}


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "HOME",
        "LANG",
        "LC_ALL",
        "TZ",
        "TMPDIR",
        "LD_LIBRARY_PATH",
        "SSL_CERT_FILE",
        "XDG_CACHE_HOME",
        "OMP_NUM_THREADS",
    ],
)
def test_what_programs_need_to_run_is_allowed(name):
    assert allowed({name: "x"}) == {name: "x"}


def test_what_is_named_is_passed_if_it_is_set():
    assert passed(["TOKEN", "ABSENT"], {"TOKEN": "x", "OTHER": "y"}) == {"TOKEN": "x"}
