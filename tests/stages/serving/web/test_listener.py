"""Addresses that would expose the server are refused."""

import socket

import pytest

from stages.serving.mistakes import Mistakes
from stages.serving.web.listener import is_loopback, listen, uses_tls
from stages.serving.web.settings import Settings


def _settings(tmp_path, **values):
    return Settings(tmp_path, **values)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_needs_no_tls(tmp_path, host):
    assert is_loopback(host)
    assert not uses_tls(_settings(tmp_path, host=host))
    assert uses_tls(_settings(tmp_path, host=host, tls="on"))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "raspberry.local", ""])
def test_another_address_uses_tls(tmp_path, host):
    assert uses_tls(_settings(tmp_path, host=host))


def test_another_address_without_a_token_or_tls_is_refused_with_the_fix(tmp_path):
    with pytest.raises(Mistakes, match=r"needs a token\n.*host=127\.0\.0\.1"):
        uses_tls(_settings(tmp_path, host="0.0.0.0", has_token=False))
    with pytest.raises(Mistakes, match=r"^host=0\.0\.0\.0\n.*needs TLS\n  remove tls=off"):
        uses_tls(_settings(tmp_path, host="0.0.0.0", tls="off"))


def test_a_certificate_contradicts_tls_off(tmp_path):
    with pytest.raises(Mistakes, match=r"^tls=off\n.*contradicts certificate=.*\n  remove"):
        uses_tls(_settings(tmp_path, tls="off", certificate=tmp_path / "c"))


def test_a_port_in_use_is_named_with_a_fix():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(
            Mistakes, match=rf"^port={other.getsockname()[1]}\n.*in use\n  choose another port="
        ):
            listen("127.0.0.1", other.getsockname()[1])


@pytest.mark.parametrize("host", ["no.such.host.invalid", "203.0.113.1", "a" * 300])
def test_an_address_of_another_machine_is_refused(host):
    with pytest.raises(Mistakes, match=rf"^host={host}\n.*(address|listen).*\n  use host="):
        listen(host, 0)
