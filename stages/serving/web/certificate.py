"""TLS: the user's certificate, or one that the server makes for itself.

The standard library cannot make a certificate. The program `openssl` can, which Debian and Raspberry Pi OS
have; otherwise the package `cryptography`, if it is installed.
"""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
from pathlib import Path
from typing import List, Sequence, Tuple

from stages.serving.mistakes import refused

DAYS = 825  # Apple's systems refuse certificates that are valid for longer
_RENEW_S = 14 * 24 * 3600
_TIMEOUT_S = 60
FIX = "give your own with certificate= and key="


def context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return a context for a server with TLS 1.2 or newer; Mistakes: the files do not fit."""
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    found.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # A password for the key is never asked for on the terminal.
        found.load_cert_chain(certificate, key, password=lambda: "")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or getattr(error, "reason", None) or error
        where = f"certificate={certificate} key={key}"
        fix = "give a certificate and its key without a password, both in PEM format"
        raise refused(where, f"they cannot be used: {why}", fix) from None
    return found


def fingerprint(certificate: Path) -> str:
    """Return the SHA-256 fingerprint as browsers show it: AB:CD:..."""
    text = certificate.read_text(encoding="ascii")
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    first = text[text.index(begin) : text.index(end) + len(end)]
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(first)).hexdigest().upper()
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))


def read_or_make(folder: Path, names: List[str], chosen: Sequence[str] = ()) -> Path:
    """Return the file in the folder with the self-made key and certificate; make a new one if it is
    missing, or if the certificate soon expires.

    chosen: those of the names that the user chose; a certificate that lacks one is made again. The name
    of the machine may change, as in containers, without browsers being asked to trust a new one.
    """
    path = folder / "tls.pem"
    if path.is_file() and not _is_outdated(path, chosen):
        return path
    maker = _by_openssl if shutil.which("openssl") else _by_cryptography
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".tls-") as name:
            certificate, key = Path(name) / "certificate.pem", Path(name) / "key.pem"
            maker(certificate, key, names)
            with key.open("ab") as both:  # one file, so that a kill cannot leave half a pair
                both.write(certificate.read_bytes())
            key.chmod(0o600)
            key.replace(path)
    except OSError as error:
        what = f"no certificate can be made in {folder}: {error.strerror or error}"
        raise refused("tls", what, f"{FIX}, or state= a folder that you can write") from None
    return path


def own_names(host: str, more: Tuple[str, ...]) -> List[str]:
    """Return the names and addresses for which a self-made certificate is valid."""
    own = socket.gethostname()
    found = [own, f"{own.partition('.')[0]}.local", "localhost", "127.0.0.1", "::1", host, *more]
    return [one for one in dict.fromkeys(found) if one not in ("", "0.0.0.0", "::")]


def _is_outdated(certificate: Path, names: Sequence[str]) -> bool:
    """Return whether the certificate is damaged, expires soon, or is not valid for one of the names."""
    try:
        # The standard library's only parser of certificates; private, but unchanged since Python 3.2.
        found = ssl._ssl._test_decode_cert(str(certificate))  # type: ignore[attr-defined]
        end_s = ssl.cert_time_to_seconds(found["notAfter"])
        known = {_plain(value) for _, value in found["subjectAltName"]}
    except (ssl.SSLError, OSError, ValueError, KeyError, AttributeError):
        return True
    now_s = datetime.datetime.now(datetime.timezone.utc).timestamp()
    return bool(end_s - now_s < _RENEW_S) or not known.issuperset(map(_plain, names))


def _plain(name: str) -> str:
    """Return a name or address in the form in which equal ones are equal."""
    try:
        return str(ipaddress.ip_address(name.strip()))
    except ValueError:
        return name.lower()


def _by_openssl(certificate: Path, key: Path, names: List[str]) -> None:
    alternatives = ",".join(("IP:" if _is_address(one) else "DNS:") + one for one in names)
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
    ]
    command += ["-nodes", "-days", str(DAYS), "-subj", "/CN=raspberrypi-mlops"]
    command += ["-addext", f"subjectAltName={alternatives}"]
    command += ["-addext", "extendedKeyUsage=serverAuth"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    try:
        subprocess.run(
            command,
            check=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_S,
            umask=0o077,
        )
    except (subprocess.SubprocessError, OSError) as error:
        said = (getattr(error, "stderr", None) or b"").decode(errors="replace").strip()
        last = said.splitlines()[-1] if said else str(error)
        raise refused("tls", f"openssl could not make a certificate: {last}", FIX) from None


def _by_cryptography(certificate: Path, key: Path, names: List[str]) -> None:
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
    except ImportError:
        what = "TLS needs a certificate, and there is no program to make one"
        raise refused("tls", what, f"run sudo apt-get install openssl, or {FIX}") from None
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "raspberrypi-mlops")])
    now = datetime.datetime.now(datetime.timezone.utc)
    alternatives = [
        x509.IPAddress(ipaddress.ip_address(one)) if _is_address(one) else x509.DNSName(one)
        for one in names
    ]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=DAYS - 1))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(private, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    text = private.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with open(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(text)
    certificate.write_bytes(made.public_bytes(pem))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
