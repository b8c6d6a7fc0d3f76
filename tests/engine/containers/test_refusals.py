"""The meaning of an engine's refusals: whether it is gone, and which kind of failure the message means."""

import errno

import docker.errors
import pytest
import requests

from engine.containers import refusals
from engine.errors import UserError


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("Error: No such image: x", "image_missing"),
        ("exec /bin/x: exec format error", "wrong_platform"),
        ("write /var/lib/x: no space left on device", "disk_full"),
        ('error gathering device information while adding "/dev/x"', "no_device"),
        ('exec: "x": executable file not found in $PATH', "no_command"),
        ("something else", "failed"),
    ],
)
def test_the_words_of_a_refusal_name_the_kind_of_failure(words, kind):
    assert refusals.kind_of(words) == kind


@pytest.mark.parametrize(
    ("error", "is_gone"),
    [
        (requests.ConnectionError(), True),
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (docker.errors.APIError("refused"), False),
        (ValueError(), False),
    ],
)
def test_an_engine_that_refuses_is_not_gone(error, is_gone):
    assert refusals.is_gone(error) is is_gone


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (UserError("here", "it is wrong", "mend it"), "here: it is wrong"),
        (docker.errors.APIError("http", explanation="first\nsecond"), "first"),
        (ValueError(), "ValueError"),
        (ValueError("x" * 900), "x" * 500),
    ],
)
def test_a_refusal_is_reported_in_one_short_line(error, said):
    assert refusals.message_of(error) == said


def test_a_full_disk_of_this_machine_is_distinguished_from_the_engines():
    assert refusals.is_full_here(OSError(errno.ENOSPC, "full"))
    assert not refusals.is_full_here(docker.errors.APIError("no space left on device"))
