"""Self-made certificates, and those of the user."""

import hashlib
import os
import shutil
import ssl
import stat
import subprocess

import pytest

from stages.serving.mistakes import Mistakes
from stages.serving.web import certificate

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="there is no openssl program")


def test_a_certificate_is_made_once_and_its_key_belongs_to_its_owner(tmp_path):
    path = certificate.read_or_make(tmp_path, ["pi.local", "127.0.0.1", "::1"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    assert certificate.read_or_make(tmp_path, ["other"]) == path and path.read_bytes() == before
    assert os.listdir(tmp_path) == ["tls.pem"]
    text = subprocess.run(
        ["openssl", "x509", "-in", path, "-noout", "-text"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "DNS:pi.local, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1" in text
    certificate.context(path, path)


def test_a_certificate_that_lacks_a_name_of_the_user_is_made_again(tmp_path):
    path = certificate.read_or_make(tmp_path, ["pi", "::1"], ["::1"])
    first = path.read_bytes()
    certificate.read_or_make(tmp_path, ["pi", "::1", "0:0::1", "PI"], ["0:0::1", "PI"])
    assert path.read_bytes() == first
    certificate.read_or_make(tmp_path, ["pi", "camera.home"], ["camera.home"])
    assert path.read_bytes() != first


def test_without_openssl_the_package_cryptography_makes_it(tmp_path, monkeypatch):
    pytest.importorskip("cryptography")
    monkeypatch.setenv("PATH", "")
    path = certificate.read_or_make(tmp_path, ["pi.local", "127.0.0.1"])
    monkeypatch.undo()
    found = subprocess.run(
        ["openssl", "x509", "-in", path, "-noout", "-text"], capture_output=True, text=True
    )
    assert "DNS:pi.local, IP Address:127.0.0.1" in found.stdout
    certificate.context(path, path)


def test_a_damaged_or_old_certificate_is_replaced(tmp_path, monkeypatch):
    path = certificate.read_or_make(tmp_path, ["a"])
    path.write_text("damaged")
    certificate.read_or_make(tmp_path, ["a"])
    first = path.read_bytes()
    assert first.startswith(b"-----BEGIN")
    monkeypatch.setattr(certificate, "_RENEW_S", 900 * 24 * 3600)
    certificate.read_or_make(tmp_path, ["a"])
    assert path.read_bytes() != first


def test_the_fingerprint_is_that_of_browsers(tmp_path):
    path = certificate.read_or_make(tmp_path, ["a"])
    begin = path.read_text().index("-----BEGIN CERT")
    der = ssl.PEM_cert_to_DER_cert(path.read_text()[begin:])
    found = certificate.fingerprint(path)
    assert found.replace(":", "").lower() == hashlib.sha256(der).hexdigest()
    assert len(found) == 95


def test_files_that_do_not_fit_are_refused(tmp_path):
    one = certificate.read_or_make(tmp_path / "1", ["a"])
    other = certificate.read_or_make(tmp_path / "2", ["a"])
    for certificate_file, key in ((one, other), (tmp_path / "none", one), (tmp_path, tmp_path)):
        with pytest.raises(
            Mistakes, match=r"^certificate=.*\n.*cannot be used: .*\n  .*PEM format"
        ):
            certificate.context(certificate_file, key)


def test_a_key_with_a_password_is_refused_and_not_asked_for(tmp_path):
    path = certificate.read_or_make(tmp_path, ["a"])
    locked = tmp_path / "locked.pem"
    command = ["openssl", "pkcs8", "-topk8", "-in", path, "-out", locked, "-passout", "pass:x"]
    subprocess.run(command, check=True, capture_output=True)
    with pytest.raises(Mistakes, match="without a password"):
        certificate.context(path, locked)


def test_the_own_names_have_no_wildcards():
    names = certificate.own_names("0.0.0.0", ("camera.home",))
    assert "0.0.0.0" not in names and {"localhost", "127.0.0.1", "camera.home"} <= set(names)
